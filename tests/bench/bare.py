"""The least that keeping a photo can cost: the product's writes and flushes, and nothing else."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from agent.queue.disk import flushes_names

HEADER_BYTES: Final = 24
PAGE_BYTES: Final = 4096
FRAME_BYTES: Final = HEADER_BYTES + PAGE_BYTES
"""A page in SQLite's log, with its header. Source: sqlite.org, WAL file format."""

LOG_PAGES: Final = 1000
"""SQLite then begins its log again. Source: sqlite.org, wal_autocheckpoint."""

PHOTO_BYTES: Final = 300_000
"""A photo of 2304x1296 at JPEG quality 70."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Amounts that the product writes.

    Attributes:
        file_bytes: of a record file: the photo, label, tar and record.json.
        row_pages: pages in SQLite's log per record.
    """

    file_bytes: int
    row_pages: int


class RawDisk:
    """Photos written as `strace` shows the product to do (2026-11), in the folder that it is given.

    Write, name and flush the file; append to a log, and flush it.
    If the names are not flushed with the file, the folder is flushed for itself, as the product
    does. Locks and looks at files, which write nothing, are left out.
    Its photos are found in their files; nothing reads its log.
    """

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self._records = folder / "records"
        self._records.mkdir(parents=True, exist_ok=True)
        self._flushes_names = flushes_names(self._records)
        self._file_bytes = sizes.file_bytes
        self._pages = [bytes(PAGE_BYTES)] * sizes.row_pages
        self._number = 0
        self._log = os.open(folder / "log", os.O_CREAT | os.O_RDWR, 0o660)
        self._places = cycle(range(0, LOG_PAGES * FRAME_BYTES, FRAME_BYTES))

    def grow(self) -> None:
        """Write the log once."""
        os.pwrite(self._log, bytes(LOG_PAGES * FRAME_BYTES), 0)
        os.fsync(self._log)

    def put(self, photo: bytes) -> None:
        self._number += 1
        self._write_file(self._records / f"{self._number}.part", photo)
        for page in self._pages:
            at = next(self._places)
            os.pwrite(self._log, page[:HEADER_BYTES], at)
            os.pwrite(self._log, page, at + HEADER_BYTES)
        os.fdatasync(self._log)

    def photos(self) -> Iterator[bytes]:
        for file in self._records.glob("*.rec"):
            yield file.read_bytes()[:PHOTO_BYTES]

    def close(self) -> None:
        os.close(self._log)

    def _write_file(self, part: Path, photo: bytes) -> None:
        file = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o660)
        os.write(file, photo.ljust(self._file_bytes, b"\0"))
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
