"""The wiping of files: overwritten in place, then deleted; no program reaches remapped blocks.

A power cut at any point leaves files that the next call wipes.
"""

import errno
import os
import stat
from collections.abc import Generator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from agent.queue.disk import sync_folder

_PIECE_BYTES: Final = 1_048_576

FIRST_BYTES: Final = 4_096
"""The bytes that identify a file system: ext4's superblock is in the first 2,048.

A longer write is split on its way to the card, and its parts may arrive in any order.
"""


def wipe_file(path: Path) -> None:
    """Overwrite and delete one; a link raises OSError, and what is not there is no matter."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        for _ in overwrite(descriptor):
            pass
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    sync_folder(path.parent)


def zero_backwards(descriptor: int, length: int) -> None:
    """Overwrite `length` bytes with zeros, the first bytes last: they identify the disk until then.

    After a power cut the first `FIRST_BYTES` are unchanged, or everything else is zeros.

    Raises:
        OSError: a piece cannot be overwritten; all others are, except the first one.
    """
    failed: OSError | None = None
    starts = [0, *range(FIRST_BYTES, length, _PIECE_BYTES)]
    for at, end in reversed(list(pairwise([*starts, length]))):
        if at == 0:
            os.fsync(descriptor)
            if failed is not None:
                raise failed
        try:
            _zero(descriptor, at, end)
        except OSError as error:
            failed = failed or error
    os.fsync(descriptor)
    if failed is not None:
        raise failed


def _zero(descriptor: int, at: int, end: int) -> None:
    while at < end:
        at += os.pwrite(descriptor, bytes(end - at), at)


def overwrite(descriptor: int) -> Iterator[None]:
    """Overwrite all written parts of a file with zeros, piece by piece; not flushed.

    Holes stay, because a hole may be larger than the disk.
    """
    for at, end in _written(descriptor):
        while at < end:
            at += os.pwrite(descriptor, bytes(min(end - at, _PIECE_BYTES)), at)  # noqa: PLW2901
            yield


def overwrite_in(folder: int, name: bytes) -> Generator[None, None, bool]:
    """Overwrite a file of an open folder, piece by piece; return whether it was overwritten.

    The zeros are not flushed. A link, or a file with other names, is left alone: the content may be
    another user's.
    """
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not _is_its_own(found) or not found.st_size:
        return False
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        if not _is_its_own(os.fstat(descriptor)):
            return False
        yield from overwrite(descriptor)
    finally:
        os.close(descriptor)
    return True


def _is_its_own(found: os.stat_result) -> bool:
    """Return True if it is a plain file that has no other name."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _written(descriptor: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each written range. Source: lseek(2), SEEK_DATA."""
    end = 0
    while True:
        try:
            at = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(descriptor, at, os.SEEK_HOLE)
        yield at, end
