"""The state's own file system, if it has one: finds, checks and erases it."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Final

from agent.errors import NotNow, StorageFault
from agent.queue import superblock
from agent.queue.disk import disk_errors
from agent.queue.superblock import LENGTH, OFFSET
from agent.queue.wiping import zero_backwards

SALVAGED: Final = "lost+found"
"""Folder in which e2fsck puts files that lost their name."""

_OF_DOORSTEP: Final = (
    *("keys", "trust", "queue", "queue.aside-*", "records", "receipts", "torn", "ballast"),
    *("*.lock", "capture.probe", "capture.part", "doctor.json", "doctor.part"),
)
"""Names that Doorstep makes in the state folder; other programs may have put files there too."""

_MOUNTS: Final = Path("/proc/self/mountinfo")
_DEVICES: Final = Path("/sys/dev/block")


@dataclass(frozen=True, slots=True)
class StateDisk:
    """A partition, or a file with a file system in it.

    Attributes:
        uuid: of the file system: nothing else is ever erased.
    """

    path: Path
    uuid: str


def own_entries(state: Path) -> Iterator[Path]:
    """Yield what Doorstep made in the state folder, the keys first.

    Raises:
        OSError: the folder cannot be read.
    """
    yield from (state / "keys", state / "trust")
    for name in _names(state):
        if _is_own(name):
            yield state / name


def check_alone(state: Path) -> None:
    """Raise NotNow if anything on the state's disk is not Doorstep's.

    Erasing the disk would erase that too.
    """
    with disk_errors(f"cannot look into {state}"):
        others = (name for name in _names(state) if not _is_own(name) and name != SALVAGED)
        first = list(islice(others, 5))
    if first:
        words = f"{', '.join(first)[:200]} in {state} is not Doorstep's, and would be erased too"
        raise NotNow(f"{words}: move that elsewhere, then run this again; nothing was done")


def _names(state: Path) -> Iterator[str]:
    """Yield the names one by one: another process may have put a great many there."""
    with suppress(FileNotFoundError), os.scandir(state) as entries:
        yield from (entry.name for entry in entries)


def _is_own(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _OF_DOORSTEP)


def own_disk(state: Path) -> StateDisk | None:
    """Return the disk that is mounted only at `state`; None if the state shares a file system."""
    number = mounted_once(state.resolve(), _MOUNTS.read_text())
    if number is None:
        return None
    backing = _DEVICES / number / "loop" / "backing_file"
    if backing.exists():
        path = Path(backing.read_text().rstrip("\n"))
    else:
        path = Path("/dev") / (_DEVICES / number).resolve().name
    found = _superblock(path)
    return None if found is None else StateDisk(path, found.uuid)


def mounted_once(state: Path, mounts: str) -> str | None:
    """Return MAJOR:MINOR of the ext4 whose root is mounted there; pure.

    Source: proc_pid_mountinfo(5): the third word is the device, then root and mount point.
    """
    rows = [line.split() for line in mounts.splitlines()]
    here = [row for row in rows if _unescaped(row[4]) == str(state)]
    if not here:
        return None
    last = here[-1]
    is_ext4 = last[last.index("-") + 1] == "ext4"
    is_alone = sum(row[2] == last[2] for row in rows) == 1
    return last[2] if is_ext4 and is_alone and last[3] == "/" else None


def _unescaped(text: str) -> str:
    """Decode a path of mountinfo, in which blanks are octal."""
    return text.encode("latin-1", "replace").decode("unicode_escape")


def _superblock(path: Path) -> superblock.Superblock | None:
    with disk_errors(f"cannot look at {path}"), path.open("rb") as file:
        file.seek(OFFSET)
        return superblock.read(file.read(LENGTH))


def unmount(state: Path) -> None:
    """Unmount the state if it is mounted.

    Raises:
        StorageFault: a process uses it.
    """
    if not state.is_mount():
        return
    ended = subprocess.run(
        ["umount", str(state)], capture_output=True, errors="backslashreplace", check=False
    )
    if ended.returncode != 0:
        words = f"`fuser -vm {state}` says who uses it; end that, then run this again"
        raise StorageFault(f"{' '.join(ended.stderr.split())[:200]}; {words}")


def erase(disk: StateDisk) -> int:
    """Overwrite a disk with zeros, from its end, and delete it if it is a file; return the bytes.

    The result is 0 if an earlier run erased it.

    Raises:
        StorageFault: the disk failed, or it is another one by now; then nothing is written.
    """
    if not disk.path.exists():
        return 0
    found = _superblock(disk.path)
    if found is not None and found.uuid != disk.uuid:
        raise StorageFault(f"{disk.path}: another file system than the state's; it was left alone")
    with disk_errors(f"cannot erase {disk.path}"):
        descriptor = os.open(disk.path, os.O_RDWR | os.O_EXCL | os.O_NOFOLLOW)
        try:
            length = os.lseek(descriptor, 0, os.SEEK_END) if found is not None else 0
            if length:
                zero_backwards(descriptor, length)
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        finally:
            os.close(descriptor)
        if is_file:
            disk.path.unlink()
    return length
