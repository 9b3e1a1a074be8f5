"""A card on which the state's file system is made: mounts and folders of its own, no systemd."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.backend import REPOSITORY

SCRIPT: Final = REPOSITORY / "scripts/provisioning/roles/doorstep_state/files/state-file-system.sh"

IN_MEMORY: Final = Path("/dev/shm")

STATE: Final = "/var/lib/doorstep"
IMAGE: Final = "/var/lib/doorstep.ext4"
LINK: Final = "/etc/systemd/system/local-fs.target.wants/var-lib-doorstep.mount"

MB: Final = 80
"""Size of the state. Source: the script wants 64 MB more than what lies there."""

BOOT: Final = """
set -eu
mount --bind "$0/lib" /var/lib
mount -t overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/work" overlay /etc
mount -t tmpfs run /run
echo up
exec cat
"""
"""Ends, and with it its mounts, when this process does."""


class Card:
    """A card in memory; mounts and /run disappear with the power."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._process: subprocess.Popen[str] | None = None
        for name in ("lib", "etc", "work", "broken"):
            (folder / name).mkdir()

    def power_on(self) -> None:
        """Start, without mounting the state."""
        told = [
            "unshare",
            "--mount",
            "--propagation=private",
            "bash",
            "-c",
            BOOT,
            str(self._folder),
        ]
        self._process = subprocess.Popen(
            told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"

    def power_off(self) -> None:
        """Cut the power: nothing is unmounted in order."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    @property
    def root(self) -> Path:
        """Its files as it sees them, while it runs."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root")

    def restart(self) -> None:
        self.power_off()
        self.power_on()

    def shell(self, script: str) -> str:
        """Run it as root on the card; what it printed.

        Raises:
            AssertionError: it failed; with what it said.
        """
        ran = self._run("bash", "-c", script)
        assert ran.returncode == 0, f"{script}: {ran.stdout}{ran.stderr}"
        return ran.stdout.strip()

    def provision(self, device: str = "") -> "subprocess.CompletedProcess[str]":
        """Run the script, as provisioning does."""
        return self._run("bash", str(SCRIPT), device, str(MB))

    def break_command(self, name: str, script: str) -> None:
        """Replace a command of this name by a script, until it is repaired."""
        command = self._folder / "broken" / name
        command.write_text(f"#!/bin/bash\n{script}\n")
        command.chmod(0o755)

    def mend_command(self, name: str) -> None:
        (self._folder / "broken" / name).unlink()

    def write_anew(self) -> None:
        """Insert another card: the contents of this one are gone."""
        self.power_off()
        _writable(self._folder)
        for name in ("lib", "etc", "work"):
            shutil.rmtree(self._folder / name)
            (self._folder / name).mkdir()
        self.power_on()

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        assert self._process is not None
        places = f"{self._folder}/broken:{self._folder}/tools:/usr/sbin:/usr/bin:/sbin:/bin"
        command = ["nsenter", f"--target={self._process.pid}", "--mount"]
        command += ["env", "-i", f"PATH={places}", "LC_ALL=C.UTF-8", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def card() -> Iterator[Card]:
    """Run a card; nothing of it stays."""
    folder = IN_MEMORY / f"doorstep-card-{os.getpid()}"
    folder.mkdir()
    made = Card(folder)
    (folder / "tools").mkdir()
    (folder / "tools" / "systemctl").symlink_to(REPOSITORY / "tests" / "support" / "systemctl")
    made.power_on()
    try:
        yield made
    finally:
        made.power_off()
        _writable(folder)
        shutil.rmtree(folder)


@contextmanager
def partition(file: Path) -> Iterator[str]:
    """Make an empty block device of a file in memory; yield its path."""
    with file.open("wb") as room:
        room.truncate(MB * 2**20)
    made = subprocess.run(
        ["losetup", "--find", "--show", file], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        yield made
    finally:
        subprocess.run(["losetup", "--detach", made], check=True)
        file.unlink()


def _writable(folder: Path) -> None:
    """Make the folder below the mount immutable, if the file system can."""
    subprocess.run(["chattr", "-R", "-f", "-i", folder / "lib"], check=False, capture_output=True)
