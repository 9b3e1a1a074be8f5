"""A systemd of its own on this kernel: its units, users and filters are real."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.waiting import until

BOOT: Final = Path(__file__).with_name("boot.sh")
"""Mounts the container's root and becomes systemd."""

UP_WITHIN_S: Final = 60.0
"""Longest boot. Source: 2 s on two cores, with room for three at once and a busy host."""


class Container:
    """A container that can be started, stopped and started again with its files.

    Attributes:
        folder: keeps what the container writes, in `upper/`, and its console.
    """

    def __init__(self, lower: Path, folder: Path, prepare: Path | str = "") -> None:
        self.folder: Final = folder
        beside = Path("/sys/fs/cgroup/unified")  # where the host mounts version 1 too
        hierarchy = beside if beside.exists() else Path("/sys/fs/cgroup")
        self._cgroup: Final = hierarchy / f"doorstep-test-{folder.name}"
        self._boot: Final = [BOOT, lower, folder, self._cgroup, prepare]

    def boot(self, *unshare: str, variables: Mapping[str, str] | None = None) -> None:
        """Start it by a command of `unshare`, which decides on its network."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_cgroup()
        self._cgroup.mkdir()
        spaces = ("--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child")
        with (self.folder / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*unshare, *spaces, *self._boot],
                env={**os.environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(self._is_up, UP_WITHIN_S, every_s=0.2, told=self._console)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it as a pulled plug would: no process in it can react."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        until(self._remove_cgroup, 10.0, every_s=0.05)

    @property
    def pid(self) -> int:
        """The number that its systemd has on this host; 0 until it runs."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int((children.read_text().split() or ["0"])[0])

    def run(self, *words: str, check: bool = True, **how: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root.

        Raises:
            AssertionError: `check` is set and the command failed; with its output.
        """
        command = ["nsenter", f"--target={self.pid}", "--all", "--root", "--wd"]
        command += ["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8"]
        ran = subprocess.run([*command, *words], capture_output=True, text=True, check=False, **how)
        assert not check or ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
        return ran

    def is_ready(self) -> bool:
        """Return whether systemd has started everything."""
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self._console()
        return bool(self.pid) and self.is_ready()

    def _console(self) -> str:
        return (self.folder / "console.log").read_text(errors="replace")[-3000:]

    def _remove_cgroup(self) -> bool:
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                return False
        return True
