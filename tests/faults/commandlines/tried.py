"""Runs the command lines, each as a process in a copy of the world, and judges how they end."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import ExitCode
from tests.faults.commandlines import world
from tests.faults.commandlines.cases import BROKEN_PIPE, Case
from tests.faults.powercut.forked import in_child
from tests.support.device import REPOSITORY

SERVES_S: Final = 8.0
"""Time after which a command that may serve is ended, if it still runs."""

ENDS_S: Final = 60.0
"""Longest wait for the end of a command. Source: 15 s on a busy machine, `doctor`; four times."""

MEMORY_KB: Final = 4_000_000
"""Most address space of a command: what reads a file without an end fails, and nothing else."""

READY: Final = b"ready url="
"""The backend serves: it need not be waited for."""

TRACEBACK: Final = "Traceback (most recent call last)"

SHOWN_LINES: Final = 6
SHOWN_CHARS: Final = 200
"""Most of a wrong command line's output that is shown: the place and the error."""

EXIT_CODES: Final[Mapping[str, frozenset[int]]] = {
    "doorstep": frozenset(map(int, ExitCode)),
    "doorstep_backend": frozenset({0, 1, 2}),
}

SETTINGS: Final = {"enrol": "enrolled.toml", "retire": "enrolled.toml"}
"""The configuration of a command, where it is not that of a device that is in no fleet."""

HOOK: Final = f"""\
import sys, traceback
def hook(kind, error, trace):
    with open("uncaught", "a", errors="backslashreplace") as file:
        print("{TRACEBACK}", *traceback.format_exception(kind, error, trace), file=file)
    traceback.print_exception(kind, error, trace)
sys.excepthook = hook
"""
"""Python's sitecustomize: keeps a traceback also when standard error takes none."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a command line; `fault` is None if the command ended as a page says."""

    case: Case
    fault: str | None

    @property
    def has_traceback(self) -> bool:
        """True if a person would read a traceback of Python's."""
        return TRACEBACK in (self.fault or "")


def tried(cases: Sequence[Case], folder: Path) -> list[Ended]:
    """Run each once, in `folder`; as many at a time as there are processors."""
    before = folder / "before"
    in_child(lambda: world.make(before))  # its databases are closed when the child has ended
    (folder / "sitecustomize.py").write_text(HOOK)
    env = {
        **os.environ,
        "PYTHONPATH": f"{folder}:{REPOSITORY}",
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
        "DOORSTEP_DATABASE": "",
    }

    def run(numbered: tuple[int, Case]) -> Ended:
        place = folder / str(numbered[0])
        shutil.copytree(before, place)
        world.close(place)
        try:
            return Ended(numbered[1], _fault(numbered[1], place, env))
        finally:
            world.reopen(place)
            shutil.rmtree(place)

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        return list(workers.map(run, enumerate(cases)))


def _fault(case: Case, place: Path, env: Mapping[str, str]) -> str | None:
    said, uncaught = place / "said", place / "uncaught"
    code = _code(case, place, env, said)
    printed = said.read_bytes() + (uncaught.read_bytes() if uncaught.exists() else b"")
    text = printed.decode(errors="backslashreplace")
    if code in EXIT_CODES.get(case.program, {0}) and TRACEBACK not in text:
        return None
    lines = [line[:SHOWN_CHARS] for line in text.splitlines() if line.strip()]
    told = [TRACEBACK, *lines[-SHOWN_LINES:]] if TRACEBACK in text else lines[-SHOWN_LINES:]
    return "\n    ".join([f"ended with {code}", *told])


def _code(case: Case, place: Path, env: Mapping[str, str], said: Path) -> int | None:
    """Return its exit code, 0 of what was ended while it served; None of what did not end."""
    words = [
        "sh",
        "-c",
        f'ulimit -v {MEMORY_KB}; exec "$@" {case.redirect}',
        "sh",
        *_program(case),
        *case.words,
    ]
    with said.open("wb") as log:
        out = _broken_pipe() if case.what == BROKEN_PIPE else log.fileno()
        process = subprocess.Popen(
            words,
            cwd=place,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            start_new_session=True,
        )
        if case.what == BROKEN_PIPE:
            os.close(out)
    try:
        until_s = time.monotonic() + (SERVES_S if case.may_serve else ENDS_S)
        while process.poll() is None and time.monotonic() < until_s:
            if READY in said.read_bytes():
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        was_ended = process.poll() is None
        if was_ended and not case.may_serve:
            return None
        process.terminate()
        code = process.wait(ENDS_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return 0 if was_ended and code == -signal.SIGTERM else code


def _broken_pipe() -> int:
    reads, writes = os.pipe()
    os.close(reads)
    return writes


def _program(case: Case) -> list[str]:
    if case.program != "doorstep":
        return [sys.executable, "-m", case.program]
    words = [sys.executable, "-m", "agent", "--config"]
    if "sync" in case.words and any(one.startswith("--from") for one in case.words):
        return [*words, "technician.toml"]
    return [*words, next((SETTINGS[one] for one in case.words if one in SETTINGS), "device.toml")]
