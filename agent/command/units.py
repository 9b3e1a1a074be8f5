"""The units of a provisioned device: stopped, started again, or ended for good."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from agent.errors import StorageFault

UNITS: Final = (
    "doorstep-capture.service",
    "doorstep-sync.service",
    "doorstep-serve.service",
    "doorstep-prune.timer",
    "doorstep-prune.service",
)

MOUNT: Final = "var-lib-doorstep.mount"
"""Source: scripts/provisioning/roles/doorstep_state/files/state-file-system.sh."""


def are_there() -> bool:
    """Whether this machine has systemd."""
    return shutil.which("systemctl") is not None


class Stopped:
    """Those that ran go on when the block ends, unless they are `ended`."""

    def __init__(self) -> None:
        self.running: list[str] = []

    def ended(self) -> None:
        """None of them goes on."""
        self.running = []


@contextmanager
def stopped() -> Iterator[Stopped]:
    """No unit runs within the block; a restart of the machine meanwhile starts them as ever.

    Raises:
        StorageFault: one cannot be stopped.
    """
    found = Stopped()
    found.running = [
        unit for unit in UNITS if _systemctl("is-active", "--quiet", unit).returncode == 0
    ]
    try:
        if found.running and (ended := _systemctl("stop", *found.running)).returncode != 0:
            raise StorageFault(f"the units cannot be stopped: {ended.stderr.strip()[:200]}")
        yield found
    finally:
        if found.running:
            _systemctl("start", "--no-block", *found.running)


def disable() -> None:
    """Never start them again; those that are not there are no matter."""
    for unit in (*UNITS, MOUNT):
        _systemctl("disable", unit)


def _systemctl(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
