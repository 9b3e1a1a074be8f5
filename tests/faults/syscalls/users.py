"""The users of the units, by number, and a state folder as tmpfiles.d makes it for them."""

import ctypes
import fcntl
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Final, TextIO

import pytest

from tests.faults.syscalls.traced import Ended, run
from tests.support.device import REPOSITORY, Reachable, towards

GROUP: Final = 61_000
GROUPS: Final = {"doorstep": GROUP}
USERS: Final = {
    "root": 0,
    "doorstep-capture": 61_001,
    "doorstep-sync": 61_002,
    "technician": 61_004,
    "doorstep-serve": 61_005,
}
"""Nobody has these numbers; the technician is a member of the group who looks at the status."""

UMASK: Final = 0o007
"""Umask of the units."""

_NEW_MOUNTS: Final = 0x00020000
"""CLONE_NEWNS. Source: Linux, include/uapi/linux/sched.h; unshare(2)."""

_PROTECTED: Final = Path("/proc/sys/fs/protected_regular")

_BEFORE: Final = Path(gettempdir(), "doorstep-protected-regular")
"""The earlier setting; a process that wants another value locks this file."""


@contextmanager
def as_debian_protects() -> Iterator[None]:
    """With `fs.protected_regular=2`, as Debian's linux-sysctl-defaults sets it.

    In a sticky folder of a group the kernel then refuses O_CREAT on a file of another user.
    Tests in other processes may want the same: the last one puts back what the first one found.
    """
    with _BEFORE.open("a+") as before:
        if _is_only_one(before):
            before.truncate(0)
            before.write(_PROTECTED.read_text())
            before.flush()
        fcntl.flock(before, fcntl.LOCK_SH)
        _PROTECTED.write_text("2")
        try:
            yield
        finally:
            if _is_only_one(before):
                before.seek(0)
                _PROTECTED.write_text(before.read())
            fcntl.flock(before, fcntl.LOCK_UN)  # a child may have it, too


def _is_only_one(before: TextIO) -> bool:
    """Return True if no other process wants the setting; others wait until the lock is released."""
    try:
        fcntl.flock(before, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that every user may enter, where the kernel protects as Debian's does.

    pytest's own folders are for root alone.
    """
    if os.geteuid() != 0:
        pytest.fail("this changes users: run it as root")
    with TemporaryDirectory(prefix="users-") as name, as_debian_protects():
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def readable(folder: Path, backend: Reachable) -> dict[str, Any]:
    """Return the `[backend]` table, with keys that every user may read."""
    table = dict(towards(backend))
    for name, source in (("ca", backend.ca_file), ("receipt_keys", backend.receipt_key_file)):
        (folder / name).write_bytes(source.read_bytes())
        table[name] = str(folder / name) if name == "ca" else [str(folder / name)]
    return table


def tmpfiles(state: Path, run_dir: Path) -> None:
    """Make the folders and files of systemd/doorstep.tmpfiles, with their modes and owners."""
    for line in (REPOSITORY / "systemd" / "doorstep.tmpfiles").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        kind, name, mode, user, group, _ = line.split()
        path = Path(
            name.replace("/var/lib/doorstep", str(state)).replace("/run/doorstep", str(run_dir))
        )
        if kind == "d":
            path.mkdir(exist_ok=True)
        else:
            path.touch()
        os.chown(path, USERS[user], GROUPS[group])
        path.chmod(int(mode, 8))


def members() -> dict[str, list[str]]:
    """Return the groups of each user except its own, by systemd/doorstep.sysusers."""
    found: dict[str, list[str]] = {}
    for line in (REPOSITORY / "systemd" / "doorstep.sysusers").read_text().splitlines():
        match line.split():
            case ["m", user, group]:
                found.setdefault(user, []).append(group)
    return found


def become(name: str) -> None:
    """Be this user for the rest of the process, with the groups and the umask of its unit."""
    os.umask(UMASK)
    os.setgroups([GROUPS[group] for group in members().get(name, []) if group in GROUPS])
    os.setgid(GROUP)
    os.setuid(USERS[name])


def as_user(name: str, act: Callable[[], int]) -> Ended:
    """Run `act` in a child of the unit's user, groups and umask."""

    def become_and_act() -> int:
        become(name)
        return act()

    return run(become_and_act)


def start(user: str, act: Callable[[], int], told: Path, *, read_only: Sequence[Path] = ()) -> int:
    """Run `act` in a process of the unit's user, which goes on beside the test; its number.

    What it prints goes into the file `told`. It cannot write below the folders that are `read_only`
    to it, as a unit's `ReadOnlyPaths=` has it.
    """
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            log = os.open(told, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout = sys.stderr = os.fdopen(log, "w", buffering=1)
            logging.getLogger().handlers.clear()  # pytest's
            if read_only:
                _mount_read_only(read_only)
            become(user)
            code = act()
        except BaseException:  # noqa: BLE001 - the parent looks at what was said
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def _mount_read_only(folders: Sequence[Path]) -> None:
    """For this process only."""
    if ctypes.CDLL(None).unshare(_NEW_MOUNTS) != 0:
        raise OSError("no mounts of its own")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for folder in folders:
        subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
