"""A machine for the tests: a container that SSH reaches."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.system.container import Container
from tests.system.machines.image import TECHNICIAN, technicians_key
from tests.system.machines.network import Network

SSH_OPTIONS: Final = (
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"),
)
"""For a look into a machine by the tests themselves; provisioning has its own."""


class Machine(Container):
    """A machine that can be started, stopped and started again with its files.

    Attributes:
        address: in the office's network.
    """

    def __init__(self, name: str, address: str, folder: Path, lower: Path) -> None:
        super().__init__(lower, folder)
        self.name, self.address = name, address

    def start(self, network: Network) -> None:
        """Boot it, and return once its sshd answers."""
        netns = network.plug_in(self.name, self.address)
        self.boot("nsenter", f"--net=/run/netns/{netns}", "unshare")

    def is_ready(self) -> bool:
        return self.ssh("true").returncode == 0

    def path(self, inside: str) -> Path:
        """Returns a file of the machine that runs, as this host finds it."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        login = f"{TECHNICIAN}@{self.address}"
        command = ["ssh", "-i", str(technicians_key()), *SSH_OPTIONS, login, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def fingerprint(self) -> str:
        """Returns that of its host key, as a technician reads it on its screen."""
        key = self.path("/etc/ssh/ssh_host_ed25519_key.pub")
        ran = subprocess.run(["ssh-keygen", "-lf", key], capture_output=True, text=True, check=True)
        return ran.stdout.split()[1]

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
