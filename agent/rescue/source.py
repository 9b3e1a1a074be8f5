"""A card or its image, opened for reading only, and the file systems on it."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import ConfigError, StorageFault
from agent.queue import superblock
from agent.queue.superblock import Superblock

SECTOR_BYTES: Final = 512
"""Unit of partx's offsets. Source: partx(8)."""

_PARTITIONS_MOST: Final = 32
"""More are not looked at: an image of a device has two or three."""

LARGEST_BYTES: Final = 2 * 2**40
"""No card is larger. Source: SD Physical Layer Simplified Specification, SDXC: up to 2 TB."""


@dataclass(frozen=True, slots=True)
class FileSystemPlace:
    """An ext4 file system of a source.

    Attributes:
        offset: its beginning, in bytes.
        where: the same for a person.
    """

    offset: int
    where: str
    superblock: Superblock


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open an image or a disk for reading only; yield its descriptor.

    Raises:
        ConfigError: it is neither an image nor a disk, or a disk that is mounted.
    """
    try:
        is_disk = stat.S_ISBLK(path.stat().st_mode)
        # The kernel refuses O_EXCL for a disk that is in use: it would change while it is copied.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (os.O_EXCL if is_disk else 0))
    except OSError as error:
        is_busy = isinstance(error, OSError) and error.errno == 16
        words = "it is mounted: `umount` it first" if is_busy else error.strerror
        raise ConfigError(f"{path}: cannot be read: {words}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise ConfigError(f"{path}: a folder; `doorstep sync --from {path}` takes it as it is")
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            raise ConfigError(f"{path}: neither an image of a card nor a disk")
        yield descriptor
    finally:
        os.close(descriptor)


def file_systems(source: int, path: Path) -> list[FileSystemPlace]:
    """Return every ext4 file system, the most likely first.

    Raises:
        StorageFault: not even its beginning can be read.
    """
    if (whole := file_system_at(source, 0, "the whole of it")) is not None:
        return [whole]
    found = [file_system_at(source, offset, where) for offset, where in _partitions(path)]
    return sorted((one for one in found if one is not None), key=_turn)


def _turn(place: FileSystemPlace) -> int:
    """Return the sort key: the state's own first; one that was never mounted as that comes last."""
    return {superblock.OF_THE_STATE: 0, superblock.NOT_YET: 2}.get(place.superblock.label, 1)


def file_system_at(source: int, offset: int, where: str) -> FileSystemPlace | None:
    """Return the file system that begins there; None without one of a possible size."""
    try:
        content = os.pread(source, superblock.LENGTH, offset + superblock.OFFSET)
    except OSError as error:
        if offset == 0:
            raise StorageFault(f"its beginning cannot be read: {error.strerror}") from error
        return None
    found = superblock.read(content)
    if found is None or not 0 < found.bytes <= LARGEST_BYTES:
        return None
    return FileSystemPlace(offset, where, found)


def _partitions(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the beginning of each partition; nothing without a readable table."""
    command = ["partx", "--raw", "--noheadings", "--output", "START", "--", str(path)]
    told = subprocess.run(
        command, capture_output=True, errors="backslashreplace", check=False
    ).stdout
    for number, line in enumerate(told.split()[:_PARTITIONS_MOST], 1):
        if line.isascii() and line.isdigit():
            yield int(line) * SECTOR_BYTES, f"its partition {number}"
