"""Durable writes and free space; the only place that turns disk errors into ours."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.errors import NotNow, StorageFault, StorageFull

FILE_MODE: Final = 0o660
"""SQLite gives -wal and -shm the mode of the database. Source: field facts, SQLite."""


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an OSError into StorageFull or StorageFault that says what was being done."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageFault):
            raise
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        kind = StorageFull if full else StorageFault
        raise kind(f"{doing}: {error.strerror or error}") from error


def write_durably(target: Path, content: bytes, mode: int = FILE_MODE) -> None:
    """Write `content` to a new file `target`; when this returns it survives a power cut.

    A cut before that leaves nothing, or `target` with a `.part` suffix, or the whole file.
    A `.part` that such a cut left is overwritten; there is one writer per target.

    Raises:
        StorageFull: no space; nothing is left behind.
        StorageFault: any other disk error; nothing is left behind where the disk still deletes.
    """
    part = target.with_suffix(".part")
    with disk_errors(f"cannot write {target.name}"):
        left = part
        try:
            part.unlink(missing_ok=True)
            _write_part(part, content, mode)
            part.rename(target)
            left = target
            sync_folder(target.parent)
        except OSError:
            with suppress(OSError):
                left.unlink()
            raise


def _write_part(part: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        os.fchmod(descriptor, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Bytes that this user can still write on `folder`'s file system."""
    with disk_errors(f"cannot ask for the free space of {folder}"):
        status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


@contextmanager
def lock(path: Path, *, exclusive: bool, wait: bool) -> Iterator[None]:
    """Hold an flock on `path`; the kernel drops it when the process ends, however it ends.

    Raises:
        NotNow: another process holds it and `wait` is False, or it does not exist yet.
    """
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        descriptor = os.open(path, os.O_RDONLY)  # a read-only card can still be looked at
    except FileNotFoundError as error:
        raise NotNow(f"{path}: not there yet; start `doorstep capture` first") from error
    except OSError as error:
        raise StorageFault(f"{path}: cannot be opened: {error.strerror}") from error
    try:
        _flock(descriptor, kind if wait else kind | fcntl.LOCK_NB, path)
        yield
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError as error:
        raise NotNow(f"{path}: held by another process; only one may run") from error
    except OSError as error:
        raise StorageFault(f"{path}: cannot be locked: {error.strerror}") from error
