"""The least that keeping a photo can cost: the product's system calls, and nothing around them."""

import fcntl
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - the bare loop has nothing of the product in it

from agent.capture.burst import BURST, JPEG_QUALITY_PCT
from agent.queue.disk import flushes_names
from hardware.camera import Camera

DEADLINE_S: Final = 5.0
"""Longest wait for a frame; a stopped camera starts in half a second."""

HEADER_BYTES: Final = 24
PAGE_BYTES: Final = 4096
FRAME_BYTES: Final = HEADER_BYTES + PAGE_BYTES
"""A page in SQLite's log, with its header. Source: sqlite.org, WAL file format."""

LOG_PAGES: Final = 1000
"""SQLite begins its log anew then. Source: sqlite.org, wal_autocheckpoint."""

PHOTO_BYTES: Final = 300_000
"""A photo of 2304x1296 at JPEG quality 70."""

_READ_LOCK_BYTE, _WRITE_LOCK_BYTE = 124, 120


@dataclass(frozen=True, slots=True)
class Sizes:
    """Amounts that the product writes.

    Attributes:
        around_bytes: of a record file beyond its photo: label, tar, record.json.
        row_pages: pages in SQLite's log per record.
    """

    around_bytes: int
    row_pages: int


class RawDisk:
    """Photos written as `strace` shows the product to do (2026-11), in the folder that it is given.

    Ask for room; write, name and flush the file; look for the mark, lock, look at the database;
    lock, append to a log, flush, unlock.
    If the names are not flushed with the file, the folder is flushed for itself, as the product
    does. The call that tells the product which of both is left out.
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
        self._places = cycle(range(0, LOG_PAGES * FRAME_BYTES, FRAME_BYTES))

    def grow(self) -> None:
        """Write the log once."""
        os.pwrite(self._log, bytes(LOG_PAGES * FRAME_BYTES), 0)
        os.fsync(self._log)

    def put(self, photo: bytes) -> None:
        self._number += 1
        self._write_file(self._records / f"{self._number}.part", photo)
        self._write_row()

    def photos(self) -> Iterator[bytes]:
        for file in self._records.glob("*.rec"):
            yield file.read_bytes()[:PHOTO_BYTES]

    def close(self) -> None:
        os.close(self._log)
        os.close(self._shared)

    def _write_file(self, part: Path, photo: bytes) -> None:
        os.statvfs(part.parent)
        part.unlink(missing_ok=True)
        file = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o660)
        os.fchmod(file, 0o660)
        os.writev(file, (photo, self._around))
        if not self._flushes_names:
            os.fsync(file)
        part.rename(part.with_suffix(".rec"))
        if self._flushes_names:
            os.fsync(file)
        else:
            folder = os.open(part.parent, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(folder)
            os.close(folder)
        os.close(file)

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
            os.pwrite(self._log, page[:HEADER_BYTES], at)
            os.pwrite(self._log, page, at + HEADER_BYTES)
        os.fdatasync(self._log)
        for byte in (_WRITE_LOCK_BYTE, _READ_LOCK_BYTE):
            fcntl.lockf(self._shared, fcntl.LOCK_UN, 1, byte)
        os.close(lock)


def press_ms(camera: Camera, disk: RawDisk) -> float:
    """Serve one press, which happens now: frames, one JPEG encode, the same calls."""
    began_ns = time.monotonic_ns()
    camera.start()
    frame = deque(camera.take(began_ns, BURST, DEADLINE_S), maxlen=1)[0]
    option = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY_PCT]
    disk.put(cv2.imencode(".jpg", frame.pixels, option)[1].tobytes())
    return (time.monotonic_ns() - began_ns) / 1e6
