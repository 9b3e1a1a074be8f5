"""A device in a container: its units run under a systemd of their own, with real filters."""

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.backend import REPOSITORY
from tests.system.container import Container


class Running:
    """The device; its commands run as root beside its systemd."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command and return its output.

        Raises:
            AssertionError: `check` is set and the command failed; with its output.
        """
        ran = self._container.run(*words, check=check)
        return f"{ran.stdout}{ran.stderr}".strip()

    def shell(self, script: str, *, check: bool = True) -> str:
        return self.run("bash", "-c", script, check=check)

    def shown(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, f"doorstep-{unit}")

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "-q", "-o", "cat", "--no-pager", "-u", f"doorstep-{unit}")

    def inside(self, unit: str, *words: str) -> bool:
        """Return whether a command succeeds as this unit's user, with what this unit sees."""
        entered = ["nsenter", f"--target={self.shown(unit, 'MainPID')}", "--mount"]
        entered += ["setpriv", f"--reuid=doorstep-{unit}", "--regid=doorstep", "--init-groups"]
        said = self.run(*entered, "sh", "-c", f"{' '.join(words)} && echo it-did", check=False)
        return said.endswith("it-did")


@contextmanager
def running() -> Iterator[Running]:
    """A device that is enrolled, with capture, sync and serve up; nothing of it stays.

    Raises:
        AssertionError: it did not start; with what it said.
    """
    if os.geteuid() != 0:
        pytest.fail("this starts a systemd: run it as root")
    layer = Path(f"/dev/shm/doorstep-units-{os.getpid()}")
    container = Container(Path("/"), layer, Path(__file__).with_name("prepare.sh"))
    folders = {
        "REPOSITORY": str(REPOSITORY),
        "PYTHON": sys.base_prefix,
        "SITE_PACKAGES": sysconfig.get_path("purelib"),
    }
    try:
        container.boot("unshare", "--net", variables=folders)
        try:
            device = Running(container)
            device.run("/opt/doorstep/source/tests/system/systemd/install.sh")
            yield device
        finally:
            container.stop()
    finally:
        shutil.rmtree(layer)
