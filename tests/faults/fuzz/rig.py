"""Runs the parsers in a process of their own, and starts a new one if an input killed the last.

The supervisor never parses: it reads what the processes say, and which input each was at.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.faults.fuzz.child import PLACE_BYTES, Job
from tests.faults.fuzz.limits import KILLED_AFTER_S, STUCK_AFTER_S

REPOSITORY: Final = Path(__file__).parents[3]

_MEMORY: Final = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "MALLOC_ARENA_MAX": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "RAYON_NUM_THREADS": "1",
}
"""Settings that free an input's memory after it, so that each measurement begins at the same level.

Source: mallopt(3).
"""


_KILLS: Final = {
    "SIGPROF": f"took {1000 * KILLED_AFTER_S:.0f} or more ms",
    "SIGALRM": f"took {STUCK_AFTER_S} or more s: it waits",
}
"""The reason why the kernel ended a process, by the signal (limits.py)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A kind of fault, with the first input that showed it."""

    number: int
    fault: str
    place: str


@dataclass(slots=True)
class Seen:
    """The result of one parser; each key of `findings` identifies a kind of fault."""

    inputs: int = 0
    slowest_ms: float = 0.0
    slowest: int = 0
    most_mb: float = 0.0
    most: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)

    def take(self, said: dict[str, Any]) -> None:
        """Add what a process printed about one input."""
        if said["ms"] > self.slowest_ms:
            self.slowest_ms, self.slowest = said["ms"], said["number"]
        if said["mb"] > self.most_mb:
            self.most_mb, self.most = said["mb"], said["number"]
        if said["fault"]:
            self.add(Finding(said["number"], said["fault"], said["place"]))

    def add(self, finding: Finding) -> None:
        """Keep one finding of each kind."""
        what = "limit" if finding.fault.startswith("took ") else finding.fault.partition(":")[0]
        unit = finding.fault.rpartition(" ")[2] if what == "limit" else finding.place
        self.findings.setdefault(f"{what} {unit}", finding)


def run(
    parsers: Sequence[str],
    seed: int,
    count: int,
    *,
    until_s: float = 1e9,
    on_end: Callable[[str, Seen], None] = lambda _name, _seen: None,
) -> dict[str, Seen]:
    """Parse `count` inputs with each parser, or as many as `until_s` allows."""
    seen = {name: Seen() for name in parsers}
    left, begin = list(parsers), 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        place = Path(folder) / "place"
        while left:
            place.write_bytes(bytes(PLACE_BYTES))
            job = Job(left, seed, begin, count, until_s, str(place))
            code = _run_child(job, seen, folder, on_end)
            index, number = (int.from_bytes(place.read_bytes()[at : at + 8]) for at in (0, 8))
            if code == 0:
                return seen
            killed = left[index]
            seen[killed].add(Finding(number, _killed(code), ""))
            seen[killed].inputs = number + 1
            left, begin = left[index:], number + 1
            if begin >= count:
                on_end(killed, seen[killed])
                left, begin = left[1:], 0
    return seen


def _run_child(
    job: Job, seen: dict[str, Seen], folder: str, on_end: Callable[[str, Seen], None]
) -> int:
    words = [sys.executable, "-m", "tests.faults.fuzz.child", json.dumps(asdict(job))]
    own = {**os.environ, **_MEMORY, "TMPDIR": folder}
    with (
        Path(folder, "errors").open("w") as errors,
        subprocess.Popen(
            words, cwd=REPOSITORY, env=own, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child,
    ):
        assert child.stdout is not None
        for line in child.stdout:
            said = json.loads(line)
            one = seen[said["parser"]]
            if "done" in said:
                one.inputs = said["done"]
                on_end(said["parser"], one)
            else:
                one.take(said)
    if child.returncode > 0:
        raise RuntimeError(Path(folder, "errors").read_text()[-4000:])
    return child.returncode


def _killed(code: int) -> str:
    """Return the fault that a signal stands for."""
    name = signal.Signals(-code).name
    return _KILLS.get(name, f"{name}: died in machine code")
