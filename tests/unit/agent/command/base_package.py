"""An environment with what `pip install doorstep` would bring, and no more."""

import subprocess
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.device import REPOSITORY


class BasePackage:
    """The package without an extra, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        venv.create(folder / "venv", with_pip=False)
        (site,) = (folder / "venv").glob("lib/python*/site-packages")
        needed = _needed("doorstep")
        assert not {"numpy", "sqlite-utils", "opencv-python-headless"} & needed.keys()
        for one in (needed[name] for name in needed if name != "doorstep"):
            for top in {file.parts[0] for file in one.files or () if file.parts[0] != ".."}:
                (site / top).symlink_to(Path(str(one.locate_file(top))))
        for package in ("agent", "hardware"):
            (site / package).symlink_to(REPOSITORY / package)

    def run(self, *words: object, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run `doorstep WORDS` with this standard input."""
        python = str(self._folder / "venv/bin/python")
        command = [python, "-P", "-m", "agent", *map(str, words)]
        return subprocess.run(
            command, cwd=self._folder, input=given, capture_output=True, text=True, check=False
        )


def _needed(name: str, extras: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """The distribution and all that it asks for, without extras that nobody asked for."""
    found = {name: distribution(name)}
    for wanted in map(Requirement, found[name].requires or ()):
        is_asked = wanted.marker is None or any(
            wanted.marker.evaluate({"extra": one}) for one in extras or {""}
        )
        if is_asked and wanted.name not in found:
            found |= _needed(wanted.name, frozenset(wanted.extras))
    return found
