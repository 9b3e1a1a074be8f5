"""Deletes what another process may have filled: step by step, in flat memory, without recursion.

A folder within the one that is deleted is renamed to its top before it is opened. So depth costs
nothing, and at most two descriptors are open: of the top, and of the folder that is being emptied.
After a power cut at any point, the next call continues the deletion.
"""

import ctypes
import errno
import os
import stat
import struct
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Final

from agent.queue.disk import sync_folder
from agent.queue.wiping import overwrite_in

NAMES_MOST: Final = 20_000_000
"""Most names that are read: a process that keeps writing there must not hold a command for ever.

An ext4 of 256 GB has room for 16 million. Source: mke2fs.conf(5), inode_ratio: one for 16 KB.
"""

NAMED_MOST: Final = 5
"""Most names that are kept of files that could not be deleted: there may be a million."""

FLUSHED_TOGETHER: Final = 1_000
"""Overwritten files that share one flush of the file system: one flush each would take hours."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

_BUFFER_BYTES: Final = 32_768
"""Bytes that glibc's readdir reads at once. Source: glibc, sysdeps/unix/sysv/linux/opendir.c."""

_ENTRY: Final = struct.Struct("=QqHB")
"""Inode, offset, length and type; then the name, ended by NUL. Source: getdents64(2)."""

_IS_FOLDER: Final = 4
"""DT_DIR. Source: readdir(3)."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.getdents64.restype = ctypes.c_ssize_t
_LIBC.getdents64.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]


@dataclass(slots=True)
class Left:
    """Names that could not be deleted.

    Attributes:
        count: how many names.
        first: the first of them, each with the reason.
    """

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, name: bytes, error: OSError, names: int = 1) -> None:
        """Count a failure; keep only the first names."""
        self.count += names
        if len(self.first) < NAMED_MOST:
            self.first.append(f"{os.fsdecode(name)}: {error.strerror}")

    def join(self, other: "Left") -> None:
        """Add the failures of another `Left`."""
        self.count += other.count
        self.first = [*self.first, *other.first][:NAMED_MOST]

    def __str__(self) -> str:
        more = self.count - len(self.first)
        return "; ".join([*self.first, *([f"and {more} more"] if more > 0 else [])])


class Deleter:
    """A deletion, in steps, of a folder with all that is in it, or of one file.

    Links are not followed, and a file system mounted within the folder stays. If a file has other
    names, which may be another user's, only this name is deleted. A missing path is no error. A
    file that cannot be deleted raises nothing: it is noted in `left`, and the rest is deleted.

    Args:
        path: the folder or the file; no other user may replace the folder that it is in.
        overwrites: whether each file is overwritten and flushed before its name is deleted.

    Attributes:
        files: how many names of files were deleted, up to now.
        left: what the last pass could not delete.
    """

    def __init__(self, path: Path, *, overwrites: bool = False) -> None:
        self.path: Final = path
        self.files = 0
        self.left = Left()
        self._overwrites = overwrites
        self._overwritten: list[bytes] = []
        self._changes = 0
        self._names_seen = 0
        self._prefix = f".deleting-{token_hex(8)}-".encode()
        self._numbers = count()
        self._work = self._run()

    def step(self, seconds: float) -> bool:
        """Continue for about `seconds`; return whether anything is left to do."""
        ends_s = time.monotonic() + seconds
        return any(time.monotonic() >= ends_s for _ in self._work)

    def finish(self) -> None:
        """Continue to the end."""
        for _ in self._work:
            pass

    def close(self) -> None:
        """Stop, and close what is open."""
        self._work.close()

    def _run(self) -> Generator[None]:
        try:
            top = os.open(self.path, _FOLDER)
        except FileNotFoundError:
            return
        except NotADirectoryError:  # a file, or a link
            yield from self._only_file()
        except OSError as error:
            self.left.add(os.fsencode(self.path.name), error)
        else:
            try:
                yield from self._passes(top)
            finally:
                os.close(top)
            self._remove_top()
        if self._overwrites:
            with suppress(OSError):  # a name that comes back is harmless: the zeros are durable
                sync_folder(self.path.parent)

    def _only_file(self) -> Iterator[None]:
        name = os.fsencode(self.path.name)
        try:
            parent = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            self.left.add(name, error)
            return
        try:
            yield from self._delete_file(parent, name)
            self._flush(parent)
        finally:
            os.close(parent)

    def _passes(self, top: int) -> Iterator[None]:
        """Read the top until a pass changes nothing."""
        before = -1
        while self._changes != before:
            before, self.left = self._changes, Left()
            os.lseek(top, 0, os.SEEK_SET)
            yield from self._pass(top)
            if self._names_seen >= NAMES_MOST:
                words = "another process goes on writing there"
                self.left.add(os.fsencode(self.path.name), OSError(errno.EBUSY, words))
                return

    def _pass(self, top: int) -> Iterator[None]:
        for name, is_folder in self._names(top, b"."):
            if not is_folder:
                yield from self._delete_file(top, name)
            elif not self._remove_folder(top, name):
                is_own = name.startswith(self._prefix)
                own = name if is_own else self._moved(top, name, top)
                while own is not None:
                    own = yield from self._brought_up(top, own)
            yield
        self._flush(top)

    def _brought_up(self, top: int, name: bytes) -> Generator[None, None, bytes | None]:
        """Empty and remove a folder of the top; return the last folder that this moved to the top.

        A file to be overwritten is moved to the top too: there, its descriptor is the second one.
        """
        last = None
        try:
            folder = os.open(name, _FOLDER, dir_fd=top)
        except OSError as error:
            self.left.add(name, error)
            return None
        try:
            for inner, is_folder in self._names(folder, name):
                if not is_folder and not self._overwrites:
                    self._unlink(folder, inner)
                elif not (is_folder and self._remove_folder(folder, inner)):
                    own = self._moved(folder, inner, top)
                    self._changes += own is not None
                    last = own if is_folder and own is not None else last
                yield
        finally:
            os.close(folder)
        self._remove_folder(top, name)
        return last

    def _names(self, folder: int, name: bytes) -> Iterator[tuple[bytes, bool]]:
        try:
            for found in _entries(folder):
                if self._names_seen >= NAMES_MOST:
                    return
                self._names_seen += 1
                yield found
        except OSError as error:
            self.left.add(name, error)

    def _moved(self, folder: int, name: bytes, top: int) -> bytes | None:
        """Move the entry to the top; return its new name, or None if it cannot be moved.

        A mount point fails with EBUSY, even if it is a part of this same file system.
        """
        own = b"%s%d" % (self._prefix, next(self._numbers))
        try:
            os.rename(name, own, src_dir_fd=folder, dst_dir_fd=top)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.left.add(name, error)
            return None
        return own

    def _remove_folder(self, folder: int, name: bytes) -> bool:
        """Remove a folder; return False only if it is not empty."""
        try:
            os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                return False
            self.left.add(name, error)
        else:
            self._changes += 1
        return True

    def _delete_file(self, folder: int, name: bytes) -> Iterator[None]:
        if self._overwrites:
            try:
                is_overwritten = yield from overwrite_in(folder, name)
            except FileNotFoundError:
                return
            except OSError as error:
                self.left.add(name, error)
                return
            if is_overwritten:
                self._overwritten.append(name)
                if len(self._overwritten) >= FLUSHED_TOGETHER:
                    self._flush(folder)
                return
        self._unlink(folder, name)

    def _unlink(self, folder: int, name: bytes) -> None:
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self.left.add(name, error)
        else:
            self.files += 1
            self._changes += 1

    def _flush(self, folder: int) -> None:
        """Make the zeros durable, and only then delete the names."""
        if not self._overwritten:
            return
        names, self._overwritten = self._overwritten, []
        if _LIBC.syncfs(folder) != 0:
            code = ctypes.get_errno()
            self.left.add(names[0], OSError(code, os.strerror(code)), len(names))
            return
        for name in names:
            self._unlink(folder, name)

    def _remove_top(self) -> None:
        try:
            self.path.rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            if not self.left.count:  # otherwise what is left is the reason
                self.left.add(os.fsencode(self.path.name), error)


def _entries(folder: int) -> Iterator[tuple[bytes, bool]]:
    """Yield each name, and whether it is a folder.

    `os.scandir` would open the folder once more.
    """
    buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
    while length := _LIBC.getdents64(folder, buffer, _BUFFER_BYTES):
        if length < 0:
            code = ctypes.get_errno()
            if code == errno.ENOENT:  # deleted meanwhile
                return
            raise OSError(code, os.strerror(code))
        block, at = buffer.raw[:length], 0
        while at < length:
            _, _, size, kind = _ENTRY.unpack_from(block, at)
            name = block[at + _ENTRY.size : at + size].partition(b"\0")[0]
            at += size
            if name not in {b".", b".."}:
                yield name, kind == _IS_FOLDER or (not kind and _is_folder(folder, name))


def _is_folder(folder: int, name: bytes) -> bool:
    """Return whether the name is a folder, for a file system that lists no types."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
