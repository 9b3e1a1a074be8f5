"""`python -m tests.bench.cuts`: what queues write to a disk, and what a power cut leaves of it.

Prints one JSON list. Needs root, and ends with its mounts when it is run in a mount namespace.
"""

import argparse
import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from agent.queue.paths import Layout
from tests.bench.bare import PHOTO_BYTES, RawDisk
from tests.bench.queues import OTHER, AckQueue, Contender, OurQueue, Queue, in_folder, new_photo
from tests.faults.powercut import disk
from tests.faults.powercut.forked import ChildFailed, in_child, spread
from tests.faults.powercut.writelog import Cut, Entry, disks, plan, reached, read_log
from tests.support import needs
from tests.support.backend import REPOSITORY

DISK_BYTES: Final = 32 << 20
"""Holds ext4's journal, a full log, what filled it, 28 photos, and what reading them writes."""

NEARLY_FULL_PAGES: Final = 950
"""At 1000 SQLite empties its log; a photo of ours takes 6 (2026-11)."""

MEMORY: Final = Path("/dev/shm")
"""Images are in memory: they are written hundreds of times."""

ALONE: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Its mounts and children end with it."""

SEED: Final = 1
"""Chooses the reordered states; the same in every run."""

_OPEN: Final[list[Queue]] = []


@dataclass(frozen=True, slots=True)
class Survey:
    """Fate of one queue's photos.

    Attributes:
        name: the contender's.
        flushes: of the disk, during each photo's `put`.
        written: bytes written to the disk by bytes of photos, until everything is on it.
        lost: kept photos that each crash state had lost; all of them if it does not open.
    """

    name: str
    flushes: list[int]
    written: float
    lost: list[int]

    @property
    def states_with_loss(self) -> int:
        return sum(1 for photos in self.lost if photos)


@dataclass(frozen=True, slots=True)
class Put:
    """A photo; sizes of the log in bytes when it was handed over, and when it was called kept."""

    begun: int
    kept: int
    digest: str


@dataclass(frozen=True, slots=True)
class Recording:
    """The disk before, all that was written, and all that was promised."""

    base: bytes
    entries: list[Entry]
    puts: list[Put]

    def promised(self, cut: Cut) -> frozenset[str]:
        """Return what must be there after the cut."""
        log_bytes = self.entries[cut.entries - 1].end
        return frozenset(put.digest for put in self.puts if put.kept <= log_bytes)


def missing() -> str:
    """Return what keeps the cuts from being made here, in words; nothing if nothing does."""
    if words := needs.missing_words(*disk.NEEDS, root=True):
        return words
    mounts = [*ALONE, "test", "-e", "/dev/fuse", "-a", "-e", "/dev/loop-control"]
    may = subprocess.run(mounts, check=False, stderr=subprocess.DEVNULL).returncode == 0
    return "" if may else "a container may not mount disks"


def surveyed(photos: int, states: int, *names: str) -> list[Survey]:
    """Survey the contenders with these names, in a process of its own."""
    words = [*ALONE, sys.executable, "-m", "tests.bench.cuts", str(photos), str(states), *names]
    said = subprocess.run(words, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
    return [Survey(**one) for one in json.loads(said.stdout)]


class BusyQueue(OurQueue):
    """Ours; its log is so full that it is emptied in the midst of the photos."""

    def grow(self) -> None:
        super().grow()
        while self.log_pages() < NEARLY_FULL_PAGES:
            self.tick()


def _busy(folder: Path) -> Queue:
    return BusyQueue(Layout(folder / "state", folder / "run"))


class _Unflushed(AckQueue):
    """The other queue, which loses photos so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        vars(self._queue)["_putter"].execute("PRAGMA synchronous=OFF")


OURS: Final = Contender("doorstep", _busy)
RAW: Final = "bare loop"
UNFLUSHED: Final = Contender("unflushed", _Unflushed)
"""Only for the test, which sees by it that the cuts find a loss."""


def contenders(folder: Path) -> list[Contender]:
    """Return all that can be surveyed; the bare loop writes as much as a queue in `folder` does."""
    ours = in_folder(folder)
    bare = partial(RawDisk, sizes=ours.sizes())
    ours.close()
    return [OURS, Contender(RAW, bare), OTHER, UNFLUSHED]


def survey(folder: Path, contender: Contender, photos: int, states: int) -> Survey:
    """Let it keep photos on a logged disk, cut the power up to `states` times, and look."""
    folder.mkdir()
    recording = _record(folder, contender, photos)
    entries, puts = recording.entries, recording.puts
    _check_reading(folder, contender, recording)
    written = sum(len(entry.content) for entry in entries[reached(entries, puts[0].begun) :])
    cuts = plan(entries, reached(entries, puts[0].kept) + 1, states, SEED)
    return Survey(
        contender.name,
        [sum(one.flushes for one in entries if put.begun < one.end <= put.kept) for put in puts],
        written / (photos * PHOTO_BYTES),
        spread(partial(_lost, folder, contender, recording), cuts),
    )


def _record(folder: Path, contender: Contender, photos: int) -> Recording:
    """Let a queue that was in use, in a process that died, continue in one that dies too."""
    image, log, at = (folder / name for name in ("disk.img", "disk.log", "disk"))
    disk.make(image, DISK_BYTES)
    with disk.mounted(image, at):
        in_child(lambda: _left_open(contender, at).grow())
    base = image.read_bytes()
    with disk.logged(image, log, at):
        puts = in_child(lambda: list(_puts(_left_open(contender, at), log, photos)))
    return Recording(base, read_log(log.read_bytes()), puts)


def _left_open(contender: Contender, at: Path) -> Queue:
    """Open the queue for a process that dies: it never closes it, not even as garbage."""
    _OPEN.append(contender.open(at / "queue"))
    return _OPEN[-1]


def _puts(queue: Queue, log: Path, photos: int) -> Iterator[Put]:
    for _ in range(photos):
        photo = new_photo()
        begun = log.stat().st_size
        queue.put(photo)
        yield Put(begun, log.stat().st_size, hashlib.sha256(photo).hexdigest())


def _lost(
    folder: Path, contender: Contender, recording: Recording, number: int, cuts: Sequence[Cut]
) -> list[int]:
    """Return how many photos that were called kept are not there at each cut."""
    restored = _restored(folder / str(number), recording, cuts)
    return [
        len(recording.promised(cut) - _found(contender, queue))
        for cut, queue in zip(cuts, restored, strict=True)
    ]


def _check_reading(folder: Path, contender: Contender, recording: Recording) -> None:
    """Make sure that nothing is lost without a cut: else what is found would say nothing.

    Raises:
        RuntimeError: something is.
    """
    whole = Cut(len(recording.entries))
    (lost,) = _lost(folder, contender, recording, -1, [whole])
    if lost:
        raise RuntimeError(f"{contender.name}: {lost} not found on a whole disk")


def _restored(at: Path, recording: Recording, cuts: Sequence[Cut]) -> Iterator[Path]:
    """Yield the queue's folder on the disk at each cut, mounted until the next is asked for."""
    image = at.with_suffix(".img")
    image.touch()
    for pieces in disks(recording.base, recording.entries, cuts):
        with image.open("r+b") as file:
            for offset, content in pieces:
                file.seek(offset)
                file.write(content)
        with disk.mounted(image, at):
            yield at / "queue"


def _found(contender: Contender, folder: Path) -> frozenset[str]:
    """Return digests of what the queue finds when it is opened again; nothing if that fails."""

    def digests() -> frozenset[str]:
        photos = contender.open(folder).photos()
        return frozenset(hashlib.sha256(photo).hexdigest() for photo in photos)

    try:
        return in_child(digests)
    except ChildFailed:
        return frozenset()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cuts", description=__doc__)
    parser.add_argument("photos", type=int, help="how many each queue keeps")
    parser.add_argument("states", type=int, help="how often each is cut")
    parser.add_argument("names", nargs="+", metavar="NAME", help="of these")
    words = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with TemporaryDirectory(dir=MEMORY, prefix="doorstep-cuts-") as folder:
        surveys = [
            survey(Path(folder, str(number)), one, words.photos, words.states)
            for number, one in enumerate(contenders(Path(folder, "sizes")))
            if one.name in words.names
        ]
    sys.stdout.write(json.dumps([asdict(one) for one in surveys]))


if __name__ == "__main__":
    main()
