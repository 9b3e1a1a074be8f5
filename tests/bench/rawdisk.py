"""The least that keeping a photo can cost: the product's system calls, and nothing around them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.queue.disk import flushes_names
from tests.bench.bare import FRAME_HEADER_BYTES, PAGE_BYTES, write_file
from tests.bench.queues import PHOTO_BYTES, OurQueue, new_photo

LOG_PAGES: Final = 1000
"""SQLite begins its log anew then. Source: sqlite.org, wal_autocheckpoint."""

_FRAME_BYTES: Final = FRAME_HEADER_BYTES + PAGE_BYTES
_READ_LOCK_BYTE, _WRITE_LOCK_BYTE = 124, 120


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much the product writes.

    Attributes:
        around_bytes: of a record file beyond its photo: label, tar, record.json.
        row_pages: pages in SQLite's log per record.
    """

    around_bytes: int
    row_pages: int


def sizes(ours: OurQueue) -> Sizes:
    """Lets the product keep one photo and looks; its log may not be emptied just then."""
    before = ours.log_pages()
    ours.put(new_photo())
    return Sizes(ours.newest_bytes() - PHOTO_BYTES, ours.log_pages() - before)


class RawDisk:
    """Writes photos as `strace` shows the product to do (2026-11), on the folder that it is given.

    Ask for room; write, name and flush the file; look for the mark, lock, look at the database;
    lock, append to a log that has been full before, flush, unlock.
    Where the names are not flushed with the file, the folder is flushed for itself, as the product
    does. What tells the product which, is left out here.
    Its photos are found in their files; nothing reads its log.
    """

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self._records = folder / "records"
        self._records.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._flushes_names = flushes_names(self._records)
        self._around = bytes(sizes.around_bytes)
        self._pages = [bytes(PAGE_BYTES)] * sizes.row_pages
        self._number = 0
        self._log = os.open(folder / "log", os.O_CREAT | os.O_RDWR, 0o660)
        self._shared = os.open(folder / "shared", os.O_CREAT | os.O_RDWR, 0o660)
        for name in ("lock", "database"):
            (folder / name).touch()
        self._places = self._log_places()

    def grow(self) -> None:
        """Writes the log once."""
        os.pwrite(self._log, bytes(LOG_PAGES * _FRAME_BYTES), 0)
        os.fsync(self._log)

    def put(self, photo: bytes) -> None:
        self._number += 1
        part = self._records / f"{self._number}.part"
        write_file(part, [photo, self._around], flushes_names=self._flushes_names)
        self._write_row()

    def photos(self) -> Iterator[bytes]:
        for file in self._records.glob("*.rec"):
            yield file.read_bytes()[:PHOTO_BYTES]

    def close(self) -> None:
        os.close(self._log)
        os.close(self._shared)

    def _write_row(self) -> None:
        with suppress(FileNotFoundError):
            (self._folder / "mark").stat()
        lock = os.open(self._folder / "lock", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        (self._folder / "database").stat()
        fcntl.lockf(self._shared, fcntl.LOCK_SH, 1, _READ_LOCK_BYTE)
        fcntl.lockf(self._shared, fcntl.LOCK_EX, 1, _WRITE_LOCK_BYTE)
        for page in self._pages:
            at = next(self._places)
            os.pwrite(self._log, page[:FRAME_HEADER_BYTES], at)
            os.pwrite(self._log, page, at + FRAME_HEADER_BYTES)
        os.fdatasync(self._log)
        for byte in (_WRITE_LOCK_BYTE, _READ_LOCK_BYTE):
            fcntl.lockf(self._shared, fcntl.LOCK_UN, 1, byte)
        os.close(lock)

    def _log_places(self) -> Iterator[int]:
        while True:
            yield from range(0, LOG_PAGES * _FRAME_BYTES, _FRAME_BYTES)
