"""Durable writes and free space; the only place that turns disk errors into ours."""

import errno
import fcntl
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

from agent.errors import ConfigError, NotNow, StateHeld, StorageFault, StorageFull

_log = logging.getLogger(__name__)

FILE_MODE: Final = 0o660
"""SQLite gives -wal and -shm the database's mode. Source: os_unix.c, findCreateFileMode."""

RECORD_MODE: Final = 0o644
"""Behind a folder that only the group passes: sync reads what it cannot alter."""

LOCK_PATIENCE_S: Final = 10.0
"""Longest wait for a lock. A rebuild of 1,500 records holds one for 2 s on a Pi. A process that
holds one for longer may hold it for ever, and presses must continue without it."""

_LOOK_EVERY_S: Final = 0.02
"""Interval of tries at a held lock: too short to be noticed."""

BALLAST_BYTES: Final = 2_097_152
"""Some sixty rows with their records, before the log of the database is used again.

Each takes 6 pages of 4 KB in the log and two blocks of the disk.
"""

LEAST_BYTES: Final = 524_288
"""Less free than this is a full card: there would be no room for the log and its index."""

_ORDERED: Final = frozenset({"data=ordered", "barrier"})
"""Mount options of an ext4 on which one fsync of a new file makes its name durable too.

Source: `scripts/test --powercut`; POSIX promises it nowhere.
"""


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


def write_durably(
    target: Path,
    content: bytes,
    mode: int = FILE_MODE,
    *,
    whole: bool = False,
    at: int | None = None,
) -> None:
    """Write `content` to a new file `target`; when this returns it survives a power cut.

    A cut before that leaves nothing, or `target` with a `.part` suffix, or the whole file. On ext4,
    where one flush does for two, it may also leave a `target` that is not whole, except with
    `whole`: then a present `target` is replaced in one step, and a `target` stays, whole, even if
    the last flush fails.
    A `.part` that such a cut left is overwritten; there is one writer per target.
    With `at`, a descriptor of a folder, `target` is a name in that folder.

    Raises:
        StorageFull: no space; nothing is left behind.
        StorageFault: any other disk error; nothing new is left behind if the disk still deletes,
            except with `whole`.
    """
    part, folder = target.with_suffix(".part"), target.parent if at is None else at
    with disk_errors(f"cannot write {target.name}"):
        left = part
        try:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=at)
            with _new_file(part, content, mode, at) as descriptor:
                is_short = not whole and flushes_names(folder)
                if not is_short:
                    os.fsync(descriptor)
                os.rename(part, target, src_dir_fd=at, dst_dir_fd=at)
                if not whole:  # else what it replaced is gone, and this one is whole
                    left = target
                if is_short:
                    os.fsync(descriptor)
                else:
                    sync_folder(folder)
        except OSError:
            with suppress(OSError):
                os.unlink(left, dir_fd=at)
            raise


def write_unflushed(target: Path, content: bytes, mode: int) -> None:
    """Write a file that can be made again, in the place of one that is there.

    A power cut within seconds may leave nothing of it, or a file that is not whole.

    Raises:
        StorageFull: no space; nothing is left behind.
        StorageFault: any other disk error; nothing is left behind if the disk still deletes.
    """
    with disk_errors(f"cannot write {target.name}"):
        target.unlink(missing_ok=True)
        try:
            with _new_file(target, content, mode, None):
                pass
        except OSError:
            with suppress(OSError):
                target.unlink()
            raise


def write_new(target: Path, content: bytes, mode: int) -> None:
    """Write a file for a person, and never over another one; it survives a power cut.

    A cut or a kill before this returns may leave a `target` that is not whole.

    Raises:
        ConfigError: something is at `target`, which stays as it was, or its folder is missing.
        StorageFault: the disk failed or is full; nothing is left behind if it still deletes.
    """
    with disk_errors(f"cannot write {target}"):
        try:
            with _new_file(target, content, mode, None) as descriptor:
                os.fsync(descriptor)
            sync_folder(target.parent)
        except FileExistsError as error:
            raise ConfigError(f"{target} exists; name a new one") from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{target.parent}: not a folder") from error
        except OSError:
            with suppress(OSError):
                target.unlink()
            raise


@contextmanager
def _new_file(path: Path, content: bytes, mode: int, at: int | None) -> Iterator[int]:
    """Yield the descriptor of a new file with its content, not yet flushed."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode, dir_fd=at)
    try:
        os.fchmod(descriptor, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        yield descriptor
    finally:
        os.close(descriptor)


def flushes_names(folder: Path | int, system: Path = Path("/")) -> bool:
    """Return True if flushing a new file in `folder` also makes its name durable, as on ext4.

    The answer for a disk is kept: only `barrier` can change while it is mounted, and without
    barriers no way is durable.

    Args:
        folder: the file's folder; its path, or a descriptor of it.
        system: the folder that contains /proc and /sys.
    """
    return _orders(os.stat(folder).st_dev, system)  # noqa: PTH116 - or a descriptor


@cache
def _orders(device: int, system: Path) -> bool:
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        name = (system / "sys/dev/block" / number).resolve(strict=True).name
        options = (system / "proc/fs/ext4" / name / "options").read_text().split()
    except OSError:  # another file system, or hidden: then the portable way
        return False
    return _ORDERED.issubset(options)


def sync_folder(folder: Path | int) -> None:
    """Make renames and deletions in `folder`, a path or a descriptor, durable."""
    flags = os.O_RDONLY | os.O_DIRECTORY
    if isinstance(folder, Path):
        descriptor = os.open(folder, flags)
    else:  # a second descriptor: one that was opened with O_PATH cannot be flushed
        descriptor = os.open(".", flags, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Return the bytes that this user can still write on `folder`'s file system."""
    with disk_errors(f"cannot ask for the free space of {folder}"):
        status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def release_ballast(ballast: Path) -> None:
    """Give the ballast up when the card is full, so that rows and small records can be written."""
    if free_bytes(ballast.parent) >= LEAST_BYTES:
        return
    with disk_errors("cannot give the ballast up"):
        try:
            descriptor = os.open(ballast, os.O_WRONLY | os.O_NOFOLLOW)
        except OSError:  # not there, a link, or a read-only card, which the next write will tell
            return
        try:
            if size := os.fstat(descriptor).st_size:
                os.ftruncate(descriptor, 0)
                os.fsync(descriptor)  # ext4 gives blocks out again after its commit
                _log.error("event=ballast_released bytes=%d meaning=card_full", size)
        finally:
            os.close(descriptor)


def room_bytes(folder: Path, ballast: Path) -> int:
    """Return the bytes free for records in `folder`, without the ballast's, given up or not."""
    with suppress(FileNotFoundError):
        return free_bytes(folder) - max(BALLAST_BYTES - ballast.stat().st_size, 0)
    return free_bytes(folder) - BALLAST_BYTES


def reserve_ballast(ballast: Path) -> None:
    """Put BALLAST_BYTES aside, where they are not yet."""
    with disk_errors("cannot make the ballast"):
        descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
        try:
            if os.fstat(descriptor).st_size < BALLAST_BYTES:
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
        finally:
            os.close(descriptor)


ChangeStamp = tuple[int, int, int]
"""Inode, time of change in ns and size of a file."""


def change_stamp(path: Path) -> ChangeStamp | None:
    """Return values that differ if the file has changed; None if they cannot be read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_plain(path: Path, limit_bytes: int, at: int | None = None) -> bytes | None:
    """Return the first `limit_bytes` of a plain file; None for anything else, as `open_plain`.

    Raises:
        OSError: it is gone, or cannot be read.
    """
    if (file := open_plain(path, at)) is None:
        return None
    with file:
        return file.read(limit_bytes)


def open_plain(path: Path, at: int | None = None) -> BinaryIO | None:
    """Open a plain file for reading; return None for a link, a pipe or a folder.

    Neither follows a link nor waits for a pipe that another user may have put there.
    `at` is a descriptor of the folder in which `path` is a name.

    Raises:
        OSError: it is gone, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:  # a link, a socket
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


@contextmanager
def lock(
    path: Path, *, exclusive: bool, wait: bool, patience_s: float = LOCK_PATIENCE_S
) -> Iterator[None]:
    """Hold an flock on `path`; the kernel drops it when the process ends, however it ends.

    Raises:
        NotNow: another process holds it and `wait` is False, or it does not exist yet.
        StateHeld: another process held it for all of `patience_s`.
        StorageFault: it cannot be opened, or is a link.
    """
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:  # a read-only card can still be looked at
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        name = f"{path.parent.name}/{path.name}"  # short, so that a status shows all of it
        raise NotNow(f"{name}: not there yet; start `doorstep capture` first") from error
    except OSError as error:
        raise StorageFault(f"{path}: cannot be opened: {error.strerror}") from error
    try:
        _flock(descriptor, kind, path, patience_s if wait else None)
        yield
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: int, path: Path, patience_s: float | None) -> None:
    until_s = time.monotonic() + (patience_s or 0.0)
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if patience_s is None:
                raise NotNow(f"{path}: held by another process; only one may run") from error
            if time.monotonic() >= until_s:
                raise StateHeld(lock_timeout_text(path, patience_s)) from error
        except OSError as error:
            raise StorageFault(f"{path}: cannot be locked: {error.strerror}") from error
        else:
            return
        time.sleep(_LOOK_EVERY_S)


def lock_timeout_text(path: Path, patience_s: float) -> str:
    """Return the error message about a process that holds a lock for too long."""
    return (
        f"{path}: held by another process for more than {patience_s:g} s: sync or a "
        f"command; `fuser -v {path}` as root names it, `systemctl restart doorstep-sync` may help"
    )
