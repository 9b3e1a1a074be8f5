"""The process that parses: it prints findings as lines of JSON, and an input may kill it.

`python -m tests.faults.fuzz.child JOB` is started by `tests/faults/fuzz/rig.py` only.
"""

import json
import mmap
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.faults.fuzz.corpus import samples
from tests.faults.fuzz.limits import KILLED_AFTER_S, STUCK_AFTER_S, Limits, arm
from tests.faults.fuzz.mutate import Mutator
from tests.faults.fuzz.parsers import PARSERS
from tests.faults.fuzz.parsers.broken import BROKEN
from tests.faults.fuzz.parsers.parser import Parser

PLACE_BYTES: Final = 16
"""Length of the file that names the current input: the parser's place in the job, and a number."""


@dataclass(frozen=True, slots=True)
class Job:
    """The work of one process.

    Attributes:
        parsers: names, one after the other.
        first: the first input of the first parser; of the others it is 0.
        count: inputs of each parser, in all.
        until_s: for each parser, seconds that may pass; it ends at the next input then.
        place: a file of PLACE_BYTES.
    """

    parsers: list[str]
    seed: int
    first: int
    count: int
    until_s: float
    place: str


def mutator(parser: Parser) -> Mutator:
    """Return the source of a parser's inputs."""
    return Mutator(samples(parser.name) or [b"sample"], parser.shape, parser.most_bytes)


def run(job: Job) -> None:
    """Parse all inputs of a job."""
    with Path(job.place).open("r+b") as file:
        place = mmap.mmap(file.fileno(), PLACE_BYTES)
    for index, name in enumerate(job.parsers):
        _run_one(job, index, {**PARSERS, **BROKEN}[name], place)


def _run_one(job: Job, index: int, parser: Parser, place: mmap.mmap) -> None:
    makes, first = mutator(parser), job.first if index == 0 else 0
    _mark(place, index, first)
    for content in makes.samples:  # imports and caches are no input's cost
        arm(KILLED_AFTER_S, STUCK_AFTER_S)
        with suppress(Exception):  # it is measured below
            parser.parse(content)
    arm(0, 0)
    limits, slowest, most = Limits(), 0.0, 0.0
    ends_s, number = time.monotonic() + job.until_s, first
    while number < job.count and time.monotonic() < ends_s:
        _mark(place, index, number)
        content = makes.make(job.seed, number)
        found = limits.measure(parser.parse, parser.documented, content, parser.picture(content))
        if found.fault or found.ms > slowest or found.mb > most:
            slowest, most = max(slowest, found.ms), max(most, found.mb)
            say(parser=parser.name, number=number, **asdict(found))
        number += 1
    say(parser=parser.name, done=number)


def _mark(place: mmap.mmap, index: int, number: int) -> None:
    place[:] = index.to_bytes(8) + number.to_bytes(8)


def say(**words: Any) -> None:
    """Print one line and flush it, because the next input may kill the process."""
    print(json.dumps(words), flush=True)  # noqa: T201 - to the rig


if __name__ == "__main__":
    run(Job(**json.loads(sys.argv[1])))
