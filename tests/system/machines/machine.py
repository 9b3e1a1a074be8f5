"""One machine: a systemd of its own with its own network, processes and files, on this kernel."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.waiting import until
from tests.system.machines.image import TECHNICIAN, technicians_key
from tests.system.machines.network import Network

BOOT: Final = Path(__file__).with_name("boot.sh")
"""What becomes systemd."""

UP_WITHIN_S: Final = 60.0
"""Longest wait for SSH. Source: 2 s on two cores, with room for three at once and a busy host."""

SSH_OPTIONS: Final = (
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"),
)
"""For a look into a machine by the tests themselves; provisioning has its own."""


class Machine:
    """A machine that can be started, stopped and started again with its files.

    Attributes:
        folder: keeps what it wrote, in `upper/`.
        address: in the office's network.
    """

    def __init__(self, name: str, address: str, folder: Path, lower: Path) -> None:
        self.name, self.address, self.folder, self._lower = name, address, folder, lower

    def start(self, network: Network) -> None:
        """Boots it, and returns once its sshd answers."""
        netns = network.plug_in(self.name, self.address)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._cgroup = _hierarchy() / f"doorstep-provision-{self.name}"
        _remove_groups(self._cgroup)
        self._cgroup.mkdir()
        spaces = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        told = [BOOT, self._lower, self.folder, self._cgroup]
        with (self.folder / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{netns}", *spaces, *told],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(self._answers, UP_WITHIN_S, every_s=0.2, told=self._console)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends it as a pulled plug would: nothing in it is told."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        until(lambda: _remove_groups(self._cgroup), 10.0, every_s=0.05)

    @property
    def pid(self) -> int:
        """Of its systemd, as this host counts."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int(children.read_text().split()[0])

    def path(self, inside: str) -> Path:
        """Returns a file of the machine that runs, as this host finds it."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def run(self, *words: str, check: bool = True, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command in it as root, past its sshd.

        Raises:
            AssertionError: it failed, and `check` was asked for; with what it said.
        """
        command = ["nsenter", f"--target={self.pid}", "--all", "--root", "--wd"]
        command += ["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8"]
        ran = subprocess.run([*command, *words], capture_output=True, text=True, check=False, **how)
        assert not check or ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
        return ran

    def ssh(self, *words: str, user: str = TECHNICIAN) -> subprocess.CompletedProcess[str]:
        command = [
            "ssh",
            "-i",
            str(technicians_key()),
            *SSH_OPTIONS,
            f"{user}@{self.address}",
            *words,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def files(self) -> dict[str, int]:
        """Returns size by path of every file that is not as in the image, run and logs aside."""
        upper = self.folder / "upper"
        found = {}
        for folder, _, names in os.walk(upper):
            for name in names:
                path = Path(folder) / name
                inside = f"/{path.relative_to(upper)}"
                if not inside.startswith(("/var/log/", "/var/cache/", "/var/lib/systemd/")):
                    found[inside] = path.lstat().st_size
        return found

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._console()
        return self.ssh("true").returncode == 0

    def _console(self) -> str:
        return (self.folder / "console.log").read_text(errors="replace")[-3000:]


@contextmanager
def machines(network: Network, lower: Path, folder: Path, *names: str) -> Iterator[list[Machine]]:
    """New ones that run, at 10.77.1.11 and on; gone with their files at the end."""
    made = [
        Machine(name, f"10.77.1.{number}", folder / name, lower)
        for number, name in enumerate(names, 11)
    ]
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run left
    with ExitStack() as started:
        started.callback(shutil.rmtree, folder, ignore_errors=True)
        for one in made:
            one.start(network)
            started.callback(one.stop)
        yield made


def _hierarchy() -> Path:
    """Returns where cgroup v2 is mounted on this host, beside version 1 or alone."""
    beside = Path("/sys/fs/cgroup/unified")
    return beside if beside.exists() else Path("/sys/fs/cgroup")


def _remove_groups(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:
            return False
    return True
