"""`python -m tests.faults.syscalls`: kill a command at each call that writes, and fail each call.

Ends with 0 when nothing was lost and every command ended as its contract says.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2  # noqa: TID251 - only its threads are put out: they do not survive a fork

from tests.faults.powercut.alone import be_alone
from tests.faults.powercut.forked import WORKERS, Forked
from tests.faults.syscalls.harness import Outcome, harness, prepare
from tests.faults.syscalls.injections import Injection, all_injections, spread_out
from tests.faults.syscalls.scenarios import SCENARIOS
from tests.support import needs
from tests.support.factory import small_disk

MEMORY: Final = Path("/dev/shm")
"""The place of the disk, in memory: the product's calls count, and not the disk's time."""

DISK_MB: Final = 256
"""Room for the cases of all children at once."""

CHILDREN: Final = 2 * WORKERS
"""Half of a press is waiting for the camera."""

PORTABLE: Final = frozenset({"capture", "prune"})
"""Work that is tried on other file systems too, which write durably by other calls."""

SHOWN: Final = 5
"""Number of violations of a work that are printed."""

Case = tuple[str, Injection]


MISSED_SHARE: Final = 0.05
"""Share of injections that may hit another call than was meant: calls move between runs."""


def main() -> int:
    words = _arguments()
    needs.check("strace", "mkfs.ext4", root=True)
    be_alone("tests.faults.syscalls")
    cv2.setNumThreads(1)
    logging.getLogger().addHandler(logging.NullHandler())  # each restart says what it swept
    began_s = time.monotonic()
    names = words.work or list(SCENARIOS)
    with TemporaryDirectory(prefix="failing-", dir=MEMORY) as room:
        folder = Path(room)
        with small_disk(folder, DISK_MB) as disk:
            done = _run("ext4", disk, names, words.cases)
        portable = [name for name in names if name in PORTABLE]
        share = words.cases and words.cases * len(portable) // len(names)
        done += _run("other", folder / "other", portable, share) if portable else []
    bad = sum(bool(one.faults) for one in done)
    missed = sum(one.missed for one in done)
    print(f"together  {len(done)} cases, {bad} violations, {missed} hit another call")
    print(f"{time.monotonic() - began_s:.0f} s")
    if missed > len(done) * MISSED_SHARE:
        print("too many injections hit another call: this run proves nothing", file=sys.stderr)
        return 1
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.syscalls", description=__doc__)
    parser.add_argument("--cases", type=int, help="how many in all, evenly spread (every one)")
    parser.add_argument("--work", action="append", choices=SCENARIOS, help="only this one")
    return parser.parse_args()


def _run(kind: str, folder: Path, names: Sequence[str], wanted: int | None) -> list[Outcome]:
    """Inject failures into the scenarios on one kind of file system; what came of each case."""
    folder.mkdir(exist_ok=True)
    prepare(folder / "before", names)
    with harness(folder / "first", folder / "before") as first:
        injections = {name: list(all_injections(first.calls(name))) for name in names}
    cases = []
    every = sum(map(len, injections.values()))
    for name, all_of_it in injections.items():
        share = len(all_of_it) if wanted is None else -(-wanted * len(all_of_it) // every)
        cases += [(name, injection) for injection in spread_out(all_of_it, share)]
    work = partial(_inject_all, folder)
    children = [Forked(partial(work, n, cases[n::CHILDREN]), 0) for n in range(CHILDREN)]
    done = [one for child in children for one in child.result()]
    for child in children:
        child.wait()
    for name in names:
        _print(kind, name, [one for one in done if one.work == name])
    return done


def _inject_all(folder: Path, number: int, cases: Sequence[Case]) -> list[Outcome]:
    with harness(folder / str(number), folder / "before") as one:
        return [one.inject(name, injection) for name, injection in cases]


def _print(kind: str, name: str, done: Sequence[Outcome]) -> None:
    bad = [one for one in done if one.faults]
    calls = len({one.injection.place for one in done})
    print(f"{kind:6} {name:12} {len(done):5} cases at {calls:4} calls, {len(bad):3} violations")
    for one in bad[:SHOWN]:
        print(f"    {one.injection}")
        for fault in one.faults:
            print(f"        {fault}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
