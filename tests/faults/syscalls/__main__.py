"""`python -m tests.faults.syscalls`: kill a command at each call that writes, and fail each call.

Ends with 0 when nothing was lost and every command ended as its contract says.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2  # noqa: TID251 - only its threads are put out: they do not survive a fork

from tests.faults.powercut.forked import WORKERS, Forked
from tests.faults.syscalls.blows import Blow, all_blows, spread_out
from tests.faults.syscalls.works import WORKS
from tests.faults.syscalls.yard import Struck, prepare, yard
from tests.support import needs
from tests.support.factory import small_disk

ALONE: Final = "DOORSTEP_FAILING_ALONE"
"""Set in the process that has its own mounts and process ids: they end when it does."""

MEMORY: Final = Path("/dev/shm")
"""The disk lies in memory: what counts is what the product calls, not how long a disk takes."""

DISK_MB: Final = 256
"""Room for the cases of all children at once."""

CHILDREN: Final = 2 * WORKERS
"""Half of a press is waiting for the camera."""

PORTABLE: Final = frozenset({"capture", "prune"})
"""What is tried beside ext4 too, where writing durably takes other calls."""

SHOWN: Final = 5
"""How many violations of one work are printed."""

Case = tuple[str, Blow]


MISSED_SHARE: Final = 0.05
"""How many blows may strike something else than was meant: calls move a little between runs."""


def main() -> int:
    words = _arguments()
    needs.check("strace", "mkfs.ext4", root=True)
    if ALONE not in os.environ:
        os.environ[ALONE] = "1"
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.execvp(alone[0], [*alone, sys.executable, "-m", "tests.faults.syscalls", *sys.argv[1:]])
    cv2.setNumThreads(1)
    logging.getLogger().addHandler(logging.NullHandler())  # each restart says what it swept
    began_s = time.monotonic()
    names = words.work or list(WORKS)
    with TemporaryDirectory(prefix="failing-", dir=MEMORY) as room:
        folder = Path(room)
        with small_disk(folder, DISK_MB) as disk:
            done = _run("ext4", disk, names, words.cases)
        portable = [name for name in names if name in PORTABLE]
        share = words.cases and words.cases * len(portable) // len(names)
        done += _run("other", folder / "other", portable, share) if portable else []
    bad = sum(bool(one.faults) for one in done)
    missed = sum(one.missed for one in done)
    print(f"together  {len(done)} cases, {bad} violations, {missed} struck elsewhere")
    print(f"{time.monotonic() - began_s:.0f} s")
    if missed > len(done) * MISSED_SHARE:
        print("too many blows struck something else: this proves nothing", file=sys.stderr)
        return 1
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.syscalls", description=__doc__)
    parser.add_argument("--cases", type=int, help="how many in all, evenly spread (every one)")
    parser.add_argument("--work", action="append", choices=WORKS, help="only this one")
    return parser.parse_args()


def _run(kind: str, folder: Path, names: Sequence[str], wanted: int | None) -> list[Struck]:
    """Strike the works on one kind of file system; what came of each case."""
    folder.mkdir(exist_ok=True)
    prepare(folder / "before", names)
    with yard(folder / "first", folder / "before") as first:
        blows = {name: list(all_blows(first.calls(name))) for name in names}
    cases = []
    every = sum(map(len, blows.values()))
    for name, all_of_it in blows.items():
        share = len(all_of_it) if wanted is None else -(-wanted * len(all_of_it) // every)
        cases += [(name, blow) for blow in spread_out(all_of_it, share)]
    work = partial(_strike_all, folder)
    children = [Forked(partial(work, n, cases[n::CHILDREN]), 0) for n in range(CHILDREN)]
    done = [one for child in children for one in child.result()]
    for child in children:
        child.wait()
    for name in names:
        _print(kind, name, [one for one in done if one.work == name])
    return done


def _strike_all(folder: Path, number: int, cases: Sequence[Case]) -> list[Struck]:
    with yard(folder / str(number), folder / "before") as one:
        return [one.strike(name, blow) for name, blow in cases]


def _print(kind: str, name: str, done: Sequence[Struck]) -> None:
    bad = [one for one in done if one.faults]
    calls = len({one.blow.place for one in done})
    print(f"{kind:6} {name:12} {len(done):5} cases at {calls:4} calls, {len(bad):3} violations")
    for one in bad[:SHOWN]:
        print(f"    {one.blow}")
        for fault in one.faults:
            print(f"        {fault}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
