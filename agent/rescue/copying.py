"""A copy of a file system that is going to be looked at: what cannot be read stays zeros."""

import os
from pathlib import Path
from typing import Final

from agent.queue.disk import disk_errors

CHUNK_BYTES: Final = 1_048_576
"""Read at once: a card gives its best rate long before."""

PIECE_BYTES: Final = 4_096
"""Read one by one where a chunk fails: a block of ext4."""

_WORK: Final = "/var/tmp"  # noqa: S108 - files there have no name, or a folder of their own
"""Folder for copies without TMPDIR: it is on a disk, but Debian 13 has /tmp in memory."""


def work_folder() -> Path:
    """Return the folder for copies."""
    return Path(os.environ.get("TMPDIR", _WORK))


def copy(source: int, offset: int, length: int, target: int) -> int:
    """Copy `length` bytes from `offset` on into a new, empty file; return the unread bytes.

    Zeros take no space in `target`. Bytes behind the end of the source count as unread.

    Raises:
        StorageFull: no room for the copy.
        StorageFault: it cannot be written.
    """
    there = max(0, min(length, os.lseek(source, 0, os.SEEK_END) - offset))
    unread = length - there  # a file system may say that it has 2 TB
    with disk_errors("cannot write the copy; TMPDIR names another folder for it"):
        os.ftruncate(target, length)
        for at in range(0, there, CHUNK_BYTES):
            content, bad = _chunk(source, offset + at, min(CHUNK_BYTES, there - at))
            unread += bad
            _put(target, at, content)
    return unread


def _chunk(source: int, offset: int, length: int) -> tuple[bytes, int]:
    """Return the bytes there, with zeros for unreadable ones, and the number of these."""
    try:
        return _padded(_read(source, offset, length), length)
    except OSError:
        pieces = [
            _piece(source, offset + at, min(PIECE_BYTES, length - at))
            for at in range(0, length, PIECE_BYTES)
        ]
    return b"".join(content for content, _ in pieces), sum(bad for _, bad in pieces)


def _piece(source: int, offset: int, length: int) -> tuple[bytes, int]:
    try:
        return _padded(_read(source, offset, length), length)
    except OSError:
        return bytes(length), length


def _padded(content: bytes, length: int) -> tuple[bytes, int]:
    missing = length - len(content)
    return content + bytes(missing), missing


def _read(source: int, offset: int, length: int) -> bytes:
    """Read as many bytes as there are."""
    found = b""
    while len(found) < length:
        some = os.pread(source, length - len(found), offset + len(found))
        if not some:
            break
        found += some
    return found


def _put(target: int, offset: int, content: bytes) -> None:
    """Write content except zeros, which a new file has by itself."""
    if not content.strip(b"\0"):
        return
    view = memoryview(content)
    while view:
        written = os.pwrite(target, view, offset)
        offset, view = offset + written, view[written:]
