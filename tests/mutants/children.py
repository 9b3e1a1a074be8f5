"""Forks of this process that do one piece of work each, within a limit on their time."""

import gc
import json
import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

CHILDREN_AT_ONCE: Final = os.cpu_count() or 1

_MEMORY_BYTES: Final = 4 * 2**30
"""Address space of a child: a mutant that never stops to allocate ends before the machine does."""


Note = Callable[[Any], None]
"""Notes the next step of a child for its parent, as JSON."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a child.

    Attributes:
        do: the work; its answer is given to the parent as JSON.
        limit_s: longest time, without waits for a processor; None for no limit.
    """

    do: Callable[[Note], Any]
    limit_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a child.

    Attributes:
        answer: its answer, or None if it died or was ended.
        step: what it noted last.
        step_s: how long that step took, without waiting for a processor; 0 if it died.
        is_late: it was ended because its time was over.
    """

    answer: Any
    step: Any
    step_s: float
    is_late: bool


Job = Generator[Work, Ended, Result]
"""Yields one piece of work after the other and gets how each ended; returns a result."""


def results(jobs: Iterable[Job[Result]]) -> Iterator[Result]:
    """Run the jobs, as many at once as there are processors; yield each result as it comes."""
    gc.collect()
    gc.freeze()  # else the collector of each child writes to, and so copies, all objects
    waiting = iter(jobs)
    running: dict[Job[Result], _Child] = {}
    try:
        while True:
            begun = [(job, None) for job in islice(waiting, CHILDREN_AT_ONCE - len(running))]
            ended = [(job, end) for job, child in running.items() if (end := child.ended())]
            for job, end in (*begun, *ended):
                try:
                    running[job] = _Child(next(job) if end is None else job.send(end))
                except StopIteration as stop:
                    running.pop(job, None)
                    yield stop.value
            if not begun and not ended:
                if not running:
                    return
                connection.wait([child.sentinel for child in running.values()], timeout=0.2)
    finally:
        for child in running.values():
            child.end()


def taken_s(began_s: float, process: int | str = "self") -> float:
    """Return the time since `began_s`, without the time that the process waited for a processor.

    So a limit means the same on a busy machine. In a fork, the count of waits begins anew.
    Source: Linux's Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat.
    """
    queued_ns = int(Path(f"/proc/{process}/schedstat").read_bytes().split()[1])
    return time.monotonic() - began_s - queued_ns / 1e9


class _Child:
    """A piece of work in a process group of its own, which ends as a whole."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._folder = tempfile.TemporaryDirectory(prefix="mutant-")
        self._notes = Path(self._folder.name, "notes")
        self._notes.touch()
        self._began_s = time.monotonic()
        self._process = get_context("fork").Process(target=self._run)
        self._process.start()
        self.sentinel = self._process.sentinel

    def ended(self) -> Ended | None:
        """Return how the child ended, and remove what it wrote; None while it may run."""
        late_s = None
        if self._process.is_alive():
            late_s = self._late_s()
            if late_s is None:
                return None
        self.end()
        *steps, (last_s, last) = map(json.loads, self._notes.read_text().splitlines())
        self._folder.cleanup()
        if "answer" in last:
            begun_s, step = steps[-1] if steps else (0.0, {})
            return Ended(last["answer"], step.get("step"), last_s - begun_s, is_late=False)
        step_s = 0.0 if late_s is None else late_s - last_s
        return Ended(None, last.get("step"), step_s, is_late=late_s is not None)

    def end(self) -> None:
        """End the child, with all that its tests started."""
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        self._process.kill()  # the child may not have made its group yet
        self._process.join()

    def _late_s(self) -> float | None:
        if self._work.limit_s is None:
            return None
        taken = taken_s(self._began_s, self._pid)
        return taken if taken > self._work.limit_s else None

    @property
    def _pid(self) -> int:
        assert self._process.pid is not None  # it was started
        return self._process.pid

    def _run(self) -> None:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.RLIM_INFINITY))
        folder = self._folder.name
        os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = tempfile.tempdir = folder
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        self._write({})
        self._write({"answer": self._work.do(lambda step: self._write({"step": step}))})
        os._exit(0)

    def _write(self, note: dict[str, Any]) -> None:
        with self._notes.open("a") as file:
            file.write(json.dumps([taken_s(self._began_s), note]) + "\n")
