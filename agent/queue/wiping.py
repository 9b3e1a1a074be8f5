"""Files are overwritten where they lie, and then deleted; what a card remaps is beyond a program.

A power cut at any point leaves files that the next call wipes.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.queue.disk import sync_folder

_PIECE_BYTES: Final = 1_048_576


def wipe_file(path: Path) -> None:
    """Overwrite and delete one; a link raises OSError, and what is not there is no matter."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    _overwrite(descriptor)
    path.unlink()
    sync_folder(path.parent)


def wipe_below(folder: Path) -> int:
    """Overwrite and delete all that lies in a folder, and the folder; or one file. How many files.

    Whoever owns it may lay links: none is followed, and of a file with other names, which may be
    somebody else's, only this name goes. What is not there is no matter.

    Raises:
        OSError: something cannot be deleted; the rest may be there.
    """
    if folder.is_symlink() or not folder.is_dir():
        with suppress(FileNotFoundError):
            _wipe_in(folder.parent, folder.name)
            return 1
        return 0
    count = 0
    for _, folders, files, descriptor in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in files:
            _wipe_at(descriptor, name)
            count += 1
        for name in folders:
            _remove(descriptor, name)
        os.fsync(descriptor)
    folder.rmdir()
    sync_folder(folder.parent)
    return count


def _wipe_in(folder: Path, name: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _wipe_at(descriptor, name)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def zero_backwards(descriptor: int, length: int) -> None:
    """Zeros over `length` bytes, the first ones last: until it is done they tell what this was."""
    for at in range((length - 1) // _PIECE_BYTES * _PIECE_BYTES, -1, -_PIECE_BYTES):
        zeros, done = memoryview(bytes(min(_PIECE_BYTES, length - at))), 0
        if at == 0:
            os.fsync(descriptor)
        while done < len(zeros):
            done += os.pwrite(descriptor, zeros[done:], at + done)
    os.fsync(descriptor)


def _wipe_at(folder: int, name: str) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        _overwrite(os.open(name, flags, dir_fd=folder))
    os.unlink(name, dir_fd=folder)


def _remove(folder: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except NotADirectoryError:  # a link to a folder
        os.unlink(name, dir_fd=folder)


def _overwrite(descriptor: int) -> None:
    """Zeros over all that stands in a file, flushed; closes it.

    Holes stay: one may be larger than the disk.
    """
    try:
        for at, end in _written(descriptor):
            while at < end:
                at += os.pwrite(descriptor, bytes(min(end - at, _PIECE_BYTES)), at)  # noqa: PLW2901
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(descriptor: int) -> Iterator[tuple[int, int]]:
    """From where to where something stands. Source: lseek(2), SEEK_DATA."""
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
