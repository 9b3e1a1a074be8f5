"""The least that a press can cost: the same frames, one JPEG encode, the same system calls."""

import fcntl
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - the bare loop has nothing of the product in it

from agent.capture.burst import BURST, JPEG_QUALITY_PCT
from agent.queue.disk import flushes_names
from hardware.camera import Camera

DEADLINE_S: Final = 5.0
"""Longest wait for a frame; a stopped camera starts in half a second."""

FRAME_HEADER_BYTES: Final = 24
"""SQLite writes it before each page of its log. Source: sqlite.org, WAL file format."""

PAGE_BYTES: Final = 4096
"""Source: sqlite.org, default page size."""

_LOCK_BYTES: Final = ((fcntl.LOCK_EX, 124), (fcntl.LOCK_UN, 124), (fcntl.LOCK_SH, 124))
_WRITE_LOCK_BYTE: Final = 120


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a press of the product writes.

    Attributes:
        around_photo_bytes: of a record file beyond the encoded JPEG: label, tar, EXIF.
        log_pages: pages in SQLite's log per record.
    """

    around_photo_bytes: int
    log_pages: int


@dataclass(frozen=True, slots=True)
class Bare:
    """One press of the bare loop, in ms."""

    frames_ms: float
    encode_ms: float
    calls_ms: float

    @property
    def total_ms(self) -> float:
        return self.frames_ms + self.encode_ms + self.calls_ms


def write_file(part: Path, pieces: Sequence[bytes], *, flushes_names: bool) -> None:
    """Makes the calls with which the product writes a record's file, and no others."""
    os.statvfs(part.parent)
    part.unlink(missing_ok=True)
    file = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o660)
    os.fchmod(file, 0o660)
    os.writev(file, pieces)
    if not flushes_names:
        os.fsync(file)
    part.rename(part.with_suffix(".rec"))
    if flushes_names:
        os.fsync(file)
    else:
        folder = os.open(part.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)
    os.close(file)


class BareLoop:
    """Presses without the product, on the product's camera and file system.

    The calls are those that `strace` shows of `doorstep capture` from the encoded JPEG to the green
    light (2026-11): ask for room, write, name and flush the file, lock, and append to SQLite's log,
    flushed once. Where the names are not flushed with the file, the folder is flushed for itself.
    It is not durable in itself: nothing reads it.
    """

    def __init__(self, camera: Camera, folder: Path, sizes: Sizes) -> None:
        self._camera = camera
        self._folder = folder / "records"
        self._folder.mkdir(parents=True)
        self._flushes_names = flushes_names(self._folder)
        self._sizes = sizes
        self._number = 0
        self._log = os.open(folder / "log", os.O_CREAT | os.O_RDWR, 0o660)
        self._shared = os.open(folder / "shared", os.O_CREAT | os.O_RDWR, 0o660)
        self._lock = folder / "lock"
        self._lock.touch()

    def press(self) -> Bare:
        """Serves one press, which happens now."""
        edge_ns = time.monotonic_ns()
        self._camera.start()
        frame = deque(self._camera.take(edge_ns, BURST, DEADLINE_S), maxlen=1)[0]
        framed_ns = time.monotonic_ns()
        option = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY_PCT]
        image = cv2.imencode(".jpg", frame.pixels, option)[1].tobytes()
        encoded_ns = time.monotonic_ns()
        self._number += 1
        part = self._folder / f"{self._number}.part"
        around = bytes(self._sizes.around_photo_bytes)
        write_file(part, [image, around], flushes_names=self._flushes_names)
        self._write_row()
        done_ns = time.monotonic_ns()
        moments_ns = (edge_ns, framed_ns, encoded_ns, done_ns)
        return Bare(*((b - a) / 1e6 for a, b in pairwise(moments_ns)))

    def close(self) -> None:
        os.close(self._log)
        os.close(self._shared)

    def _write_row(self) -> None:
        lock = os.open(self._lock, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        self._lock.stat()
        for kind, byte in (*_LOCK_BYTES, (fcntl.LOCK_EX, _WRITE_LOCK_BYTE)):
            fcntl.lockf(self._shared, kind, 1, byte)
        at = self._number * self._sizes.log_pages * (FRAME_HEADER_BYTES + PAGE_BYTES)
        for _ in range(self._sizes.log_pages):
            os.pwrite(self._log, bytes(FRAME_HEADER_BYTES), at)
            os.pwrite(self._log, bytes(PAGE_BYTES), at + FRAME_HEADER_BYTES)
            at += FRAME_HEADER_BYTES + PAGE_BYTES
        os.fdatasync(self._log)
        for byte in (_WRITE_LOCK_BYTE, 124):
            fcntl.lockf(self._shared, fcntl.LOCK_UN, 1, byte)
        os.close(lock)
