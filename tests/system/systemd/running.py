"""A device whose units run under a systemd of their own, on this kernel: filters and walls bite."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.backend import REPOSITORY
from tests.support.waiting import until

BOOT: Final = Path(__file__).with_name("boot.sh")

IN_MEMORY: Final = Path("/dev/shm")

UP_WITHIN_S: Final = 60.0
"""Longest boot. Source: 2 s on two cores, with room for a busy host."""

SPACES: Final = ("--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child")


class Running:
    """The device; its commands run as root beside its systemd."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process: Final = process

    @property
    def pid(self) -> int:
        """Of its systemd, as this host counts; 0 as long as there is none."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int((children.read_text().split() or ["0"])[0])

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command; what it printed.

        Raises:
            AssertionError: it failed, and `check` was asked for; with what it said.
        """
        command = ["nsenter", f"--target={self.pid}", "--all", "--root", "--wd"]
        command += ["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8"]
        ran = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        said = f"{ran.stdout}{ran.stderr}".strip()
        assert not check or ran.returncode == 0, f"{' '.join(words)}: {said}"
        return said

    def shell(self, script: str, *, check: bool = True) -> str:
        return self.run("bash", "-c", script, check=check)

    def shown(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, f"doorstep-{unit}")

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "-q", "-o", "cat", "--no-pager", "-u", f"doorstep-{unit}")

    def inside(self, unit: str, *words: str) -> bool:
        """Whether a command succeeds as this unit's user, with what this unit sees."""
        entered = ["nsenter", f"--target={self.shown(unit, 'MainPID')}", "--mount"]
        entered += ["setpriv", f"--reuid=doorstep-{unit}", "--regid=doorstep", "--init-groups"]
        said = self.run(*entered, "sh", "-c", f"{' '.join(words)} && echo it-did", check=False)
        return said.endswith("it-did")

    def is_up(self) -> bool:
        assert self._process.poll() is None, "its systemd ended"
        wanted = ("running", "degraded")
        return bool(self.pid) and self.run("systemctl", "is-system-running", check=False) in wanted


@contextmanager
def running() -> Iterator[Running]:
    """A device that is enrolled, with capture, sync and serve up; nothing of it stays.

    Raises:
        AssertionError: it did not start; with what it said.
    """
    layer = IN_MEMORY / f"doorstep-units-{os.getpid()}"
    cgroup = _cgroups() / layer.name
    layer.mkdir()
    cgroup.mkdir()
    python = (sys.base_prefix, sysconfig.get_path("purelib"))
    told = [*map(str, (layer, cgroup, REPOSITORY)), *python]
    with (layer / "console.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", *SPACES, BOOT, *told], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        device = Running(process)
        until(device.is_up, UP_WITHIN_S, every_s=0.2, told=(layer / "console.log").read_text)
        device.run("/opt/doorstep/source/tests/system/systemd/install.sh")
        yield device
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: _removed(cgroup), every_s=0.05)
        shutil.rmtree(layer)


def _cgroups() -> Path:
    """Where version 2 is mounted on this host, beside version 1 or alone."""
    beside = Path("/sys/fs/cgroup/unified")
    return beside if beside.exists() else Path("/sys/fs/cgroup")


def _removed(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:
            return False
    return True
