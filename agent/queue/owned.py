"""A folder that another user may own: root writes to it as that user, and through no link.

The owner of a folder may place links in it, and replace its contents at any time. A path that root
has checked may therefore lead elsewhere when root uses it; a descriptor stays with its folder.
"""

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from agent.errors import ConfigError
from agent.queue.disk import disk_errors, read_plain, write_durably

_FOLDER_MODE: Final = 0o700
"""Only for the owner: records and receipts show when a driver worked."""

_LOOK: Final = os.O_PATH | os.O_NOFOLLOW

_LINKS_MOST: Final = 40
"""Most links on one path. Source: Linux, include/linux/namei.h, MAXSYMLINKS."""


class OwnedFolder:
    """A folder by its descriptor; `opened` makes one.

    Attributes:
        path: as it was given; only for messages.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._owner = os.fstat(descriptor)
        self.path = path

    def read(self, name: str, limit_bytes: int) -> bytes | None:
        """Return the first `limit_bytes` of a plain file; None for a link, a pipe or a folder.

        Raises:
            OSError: it is gone, or cannot be read.
        """
        with _as_owner(self._owner):
            return read_plain(Path(name), limit_bytes, self._descriptor)

    def write(self, name: str, content: bytes, mode: int, *, whole: bool = False) -> None:
        """Write a file as the owner; durable when it returns, as `write_durably` says.

        Raises:
            StorageFull: no space; nothing is left behind.
            StorageFault: the owner may not write here, or the disk failed.
        """
        with _as_owner(self._owner):
            write_durably(Path(name), content, mode, whole=whole, at=self._descriptor)

    def is_writable(self) -> bool:
        """Return whether the owner may write here, as far as modes and mounts say."""
        with _as_owner(self._owner):
            return os.access(".", os.W_OK, dir_fd=self._descriptor, effective_ids=True)

    @contextmanager
    def below(self, name: str) -> Iterator["OwnedFolder"]:
        """Open a folder in this one; make it as the owner if it is missing.

        Raises:
            ConfigError: `name` is a link or a file, or belongs to another user.
            StorageFault: the folder cannot be made or opened.
        """
        path = self.path / name
        with disk_errors(f"cannot open {path}"), ExitStack() as opened:
            descriptor = _open(name, self._descriptor)
            opened.callback(os.close, descriptor)
            found = os.fstat(descriptor)
            if not stat.S_ISDIR(found.st_mode):
                raise ConfigError(f"{path}: a link or a file, not a folder; move it away")
            if found.st_uid != self._owner.st_uid:
                what = f"does not belong to the owner of {self.path}"
                raise ConfigError(f"{path}: {what}; move it away, or name another folder")
            yield OwnedFolder(descriptor, path)


@contextmanager
def opened(path: Path) -> Iterator[OwnedFolder]:
    """Open a folder; make missing parts of its path as the owner of the part that exists.

    A link on the path is followed only if root or this process's own user made it: with a link,
    another user could choose which folder of root's, or of a third user's, is written to.

    Raises:
        ConfigError: `path` is a file, or another user's link leads to it.
        StorageFault: a part of the path cannot be made or opened.
    """
    with ExitStack() as held:
        with disk_errors(f"cannot make {path}"):
            descriptor = _walked(path, held)
        yield OwnedFolder(descriptor, path)


def _walked(path: Path, held: ExitStack) -> int:
    """Return the descriptor of the folder that `path` names; open the path part by part."""
    place = _start(path, held)
    left, links, way = deque(_steps(path)), 0, Path(path.anchor)
    while left:
        part = left.popleft()
        way /= part
        descriptor = _open(part, place)
        held.callback(os.close, descriptor)
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            place = descriptor
        elif stat.S_ISLNK(found.st_mode) and links < _LINKS_MOST:
            links += 1
            target = _target(descriptor, found, way)
            left.extendleft(reversed(_steps(target)))
            if target.is_absolute():
                place = _start(target, held)
            way = way.parent / target
        else:
            raise ConfigError(f"{way}: not a folder; name another one")
    return place


def _start(path: Path, held: ExitStack) -> int:
    descriptor = os.open(path.anchor or ".", os.O_PATH | os.O_DIRECTORY)
    held.callback(os.close, descriptor)
    return descriptor


def _steps(path: Path) -> tuple[str, ...]:
    return path.parts[1:] if path.anchor else path.parts


def _open(name: str, place: int) -> int:
    """Open this name in `place` without following a link; make a folder if the name is free."""
    try:
        return os.open(name, _LOOK, dir_fd=place)
    except FileNotFoundError:
        with _as_owner(os.fstat(place)):
            os.mkdir(name, _FOLDER_MODE, dir_fd=place)
        return os.open(name, _LOOK, dir_fd=place)


def _target(link: int, found: os.stat_result, way: Path) -> Path:
    """Return where a link leads; raise ConfigError if another user made it."""
    if found.st_uid not in {0, os.geteuid()}:
        what = "a link by another user, who could redirect the files to any folder"
        raise ConfigError(f"{way}: {what}; name the folder that it leads to")
    return Path(os.readlink("", dir_fd=link))  # reads the open link itself. Source: readlink(2)


@contextmanager
def _as_owner(owner: os.stat_result) -> Iterator[None]:
    """Act as this owner, without other groups, until the block ends; does nothing unless root.

    The process becomes root again, so this does not confine code of the owner; no such code runs.
    """
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
