"""Cuts the power of a smallest backend after any write to its disk.

The log of the disk's writes is that of the rig for devices (tests/faults/powercut).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.powercut import disk
from tests.faults.powercut.writelog import Entry, disks, plan, read_log
from tests.support.factory import new_id
from tests.support.small_backends import SmallBackend
from tests.support.wire import PHOTO, Wire, record, speaking_to, stranger

RECORDS: Final = 8
"""Records that are delivered to a logged disk, of 16 MB with its journal."""

PHOTO_BYTES: Final = 50_000

Make = Callable[[Path, Path], SmallBackend]
"""From a folder and the backend's own to a backend that does not run yet."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A receipt that came when the log of writes had this size, for a file in the folder."""

    log_bytes: int
    place: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A disk before, all that was written to it, and what was promised meanwhile."""

    base: bytes
    entries: list[Entry]
    promises: list[Promise]

    def due(self, entries: int) -> list[Promise]:
        """Return what was promised when so many entries were written."""
        log_bytes = self.entries[entries - 1].end if entries else 0
        return [one for one in self.promises if one.log_bytes <= log_bytes]


def recording(folder: Path, make: Make) -> Recording:
    """Deliver some records, half of them in pieces, to a backend whose disk is logged."""
    image, log, at = (folder / name for name in ("disk.img", "disk.log", "disk"))
    disk.make(image)
    base, promises = image.read_bytes(), []
    with disk.logged(image, log, at):
        (at / "data").mkdir()
        backend = make(folder, at / "data").start()
        try:
            for number in range(RECORDS):
                content = record(stranger(), capture_id := new_id(), PHOTO[:PHOTO_BYTES])
                with speaking_to(backend.base_url, backend.ca_file) as wire:
                    _deliver(wire, capture_id, content, is_whole=number % 2 == 0)
                sha256 = hashlib.sha256(content).hexdigest()
                place = backend.received_file(capture_id).relative_to(backend.data)
                promises.append(Promise(log.stat().st_size, place, sha256))
        finally:
            backend.kill()
    return Recording(base, read_log(log.read_bytes()), promises)


def _deliver(wire: Wire, capture_id: str, content: bytes, *, is_whole: bool) -> None:
    first = len(content) if is_whole else len(content) // 2
    last = wire.post(capture_id, content, content[:first])
    if not is_whole:
        last = wire.patch(capture_id, first, content[first:])
    assert "Doorstep-Receipt" in last.headers


def lost(folder: Path, made: Recording, states: int, seed: int) -> tuple[int, set[str]]:
    """Return how many cuts were tried, and the records that one of them lost after the receipt."""
    cuts, found = plan(made.entries, 0, states, seed), set()
    image, at = folder / "cut.img", folder / "cut"
    for cut, pieces in zip(cuts, disks(made.base, made.entries, cuts), strict=True):
        with image.open("wb") as file:
            for offset, content in pieces:
                file.seek(offset)
                file.write(content)
        with disk.mounted(image, at):
            for one in made.due(cut.entries):
                kept = at / "data" / one.place
                if not kept.exists() or _digest(kept) != one.sha256:
                    found.add(kept.stem)
    return len(cuts), found


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
