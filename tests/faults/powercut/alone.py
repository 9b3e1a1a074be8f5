"""A world of the rig's own: its mounts and its processes are seen by nobody else."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

ALONE: Final = "DOORSTEP_RIG_ALONE"
"""Set in the process that has its own mounts and process ids: they end when it does."""

_CLONE_NEWNS: Final = 0x00020000
"""Source: linux/sched.h; Python has os.unshare from 3.12 on only."""

INIT: Final = 1
"""The first process of such a world. Source: pid_namespaces(7)."""


def be_alone(rig: str) -> None:
    """Start the rig again as the first process of a PID namespace; return in there."""
    if ALONE not in os.environ:
        os.environ[ALONE] = "1"
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.execvp(alone[0], [*alone, sys.executable, "-m", rig, *sys.argv[1:]])
    signal.signal(signal.SIGINT, _interrupted)


def mount_unseen() -> None:
    """From now on nobody else sees what this process mounts: all may use one and the same place.

    A disk has absolute paths on it, in links and in files.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    """The first process ends all others, and unwinds; they only wait for that.

    A child that unwinds by itself can lose its interrupt: what it holds open keeps its disk busy,
    so that another error takes the interrupt's place.
    """
    if _is_first():
        _kill_all_others()
        raise KeyboardInterrupt


def _is_first() -> bool:
    return ALONE in os.environ and os.getpid() == INIT


def _kill_all_others() -> None:
    with suppress(ProcessLookupError):  # there is none
        os.kill(-1, signal.SIGKILL)


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """End all that holds the folder after the block, and unmount all that is mounted there."""
    try:
        yield
    finally:
        if _is_first():
            _kill_all_others()
            with suppress(ChildProcessError):  # there is none any more
                while True:
                    os.waitpid(-1, 0)
        for at in reversed(_mounted()):
            if at.is_relative_to(folder):
                subprocess.run(["umount", "--lazy", at], check=True)


def _mounted() -> list[Path]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [Path(line.split()[1]) for line in lines]
