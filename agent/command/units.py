"""The units of a provisioned device: stopped, started again, or ended for good."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from agent.errors import ExitCode, StorageFault

UNITS: Final = (
    "doorstep-capture.service",
    "doorstep-sync.service",
    "doorstep-serve.service",
)

MOUNT: Final = "var-lib-doorstep.mount"
"""Source: scripts/provisioning/roles/doorstep_state/files/state-file-system.sh."""

_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, and an SSH connection that is lost."""


def are_there() -> bool:
    """Return True if this machine has systemd."""
    return shutil.which("systemctl") is not None


class Stopped:
    """The units that ran and start again when the block ends, unless `ended` was called."""

    def __init__(self) -> None:
        self.running: list[str] = []

    def ended(self) -> None:
        """Forget the stopped units, so that none is started again."""
        self.running = []


@contextmanager
def stopped() -> Iterator[Stopped]:
    """Stop all units within the block, and start those that ran when it ends in any way.

    After `kill -9` and a power cut, the next start of the machine starts them.

    Raises:
        StorageFault: one cannot be stopped.
        KeyboardInterrupt: a signal that would have ended this process.
    """
    found = Stopped()
    with _ended_in_order():
        is_active = ("is-active", "--quiet")
        found.running = [unit for unit in UNITS if _systemctl(*is_active, unit).returncode == 0]
        try:
            if found.running and (ended := _systemctl("stop", *found.running)).returncode != 0:
                raise StorageFault(f"the units cannot be stopped: {ended.stderr.strip()[:200]}")
            yield found
        finally:
            if found.running:
                _systemctl("start", "--no-block", *found.running)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Turn the first signal into KeyboardInterrupt in this process; a child of it just ends."""
    own, told = os.getpid(), list[int]()

    def end(kind: int, _frame: object) -> None:
        if os.getpid() != own:
            os._exit(ExitCode.INTERRUPTED)
        if not told:  # a second one may come while units are started again
            told.append(kind)
            raise KeyboardInterrupt

    before = [signal.signal(kind, end) for kind in _ENDS]
    try:
        yield
    finally:
        for kind, old in zip(_ENDS, before, strict=True):
            signal.signal(kind, old)


def disable() -> None:
    """Disable all units for good; missing ones do not matter."""
    for unit in (*UNITS, MOUNT):
        _systemctl("disable", unit)


def _systemctl(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run systemctl in a group of its own: Ctrl-C is for this process."""
    return subprocess.run(
        ["systemctl", *words],
        capture_output=True,
        errors="backslashreplace",
        check=False,
        process_group=0,
    )
