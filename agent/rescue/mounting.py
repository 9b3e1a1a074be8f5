"""The mount of a copy, whose journal the kernel plays back; no other process sees it.

All of it ends with this process in any case: the mount is in a namespace of its own, the loop
device is freed when it is unused, and the copy has no name.
"""

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from agent.errors import StorageFault

_NEW_MOUNTS: Final = 0x00020000
"""CLONE_NEWNS. Source: Linux, include/uapi/linux/sched.h; unshare(2)."""

OPTIONS: Final = "ro,nosuid,nodev,noexec,errors=remount-ro"
"""Nothing of it is run, or used as a device. The last one: a superblock may ask for a panic."""


def hide_mounts() -> None:
    """Hide the mounts that this process makes from now on from all other processes.

    Raises:
        StorageFault: the kernel does not allow it.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS) != 0:
        why = os.strerror(ctypes.get_errno())
        raise StorageFault(f"cannot make mounts of its own: {why}; run it as root, on Linux")
    _run("mount", "--make-rprivate", "/")


@contextmanager
def mounted(copy: int, *, mends: bool) -> Iterator[Path]:
    """Mount the file system in the file `copy`, played back and read-only; yield its folder.

    If it does not mount, or if `mends` is set, `e2fsck` repairs it first: it is only a copy.

    Raises:
        StorageFault: it does not mount all the same.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="doorstep-")))
        device = _run("losetup", "--find", "--show", f"/proc/{os.getpid()}/fd/{copy}")
        holder = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        opened.callback(os.close, holder)
        _run("losetup", "--detach", device)  # from now on it goes when it is not used
        mount = ("mount", "-t", "ext4", "-o", OPTIONS, device, str(folder))
        if mends:
            _mend(device)
            _run(*mount)
        else:
            try:
                _run(*mount)
            except StorageFault:
                _mend(device)
                _run(*mount)
        opened.callback(_run, "umount", "--lazy", str(folder))
        yield folder


def _mend(device: str) -> None:
    """Repair as much as possible; the mount shows the result."""
    subprocess.run(["e2fsck", "-f", "-y", device], capture_output=True, check=False)


def _run(*command: str) -> str:
    """Run a command and return its output.

    Raises:
        StorageFault: it failed, or is not installed.
    """
    try:
        ended = subprocess.run(command, capture_output=True, errors="backslashreplace", check=False)
    except FileNotFoundError as error:
        raise StorageFault(f"{command[0]} is missing: apt install mount e2fsprogs") from error
    if ended.returncode != 0:
        why = " ".join(ended.stderr.split())[:300]
        raise StorageFault(f"{command[0]} failed on the copy: {why}")
    return ended.stdout.strip()
