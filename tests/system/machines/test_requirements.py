"""Packages from PyPI are pinned with digests; a device's are those of the tests."""

import re
import tomllib
from importlib.metadata import requires
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.documents.pages import REPOSITORY, files

CONSTRAINTS = REPOSITORY / "constraints.txt"
REQUIREMENTS = REPOSITORY / "scripts" / "provisioning" / "requirements.txt"
CONTROLLER = REPOSITORY / "scripts" / "provisioning" / "controller.txt"

FROM_APT = {"numpy", "lgpio", "picamera2"}
"""Compiled for the device's system; the release sees them by --system-site-packages."""


def _pins(path: Path, python: str = "3.13") -> dict[str, str]:
    """Return the version of each package for a Python on Linux."""
    lines = re.findall(r"^[a-z0-9].*==.*(?= \\$)", path.read_text(), re.MULTILINE)
    system = {"python_full_version": f"{python}.2", "python_version": python}
    found = [
        one
        for one in map(Requirement, lines)
        if not one.marker or one.marker.evaluate(system | {"sys_platform": "linux"})
    ]
    return {one.name: str(one.specifier).removeprefix("==") for one in found}


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_constraints_have_all_that_the_project_requires(python: str) -> None:
    pins = _pins(CONSTRAINTS, python)
    for path in ("pyproject.toml", "tests/backend/pyproject.toml"):
        told = tomllib.loads((REPOSITORY / path).read_text())
        extras = told["project"]["optional-dependencies"]
        extras.pop("pi", None)  # from apt
        groups = [told["project"]["dependencies"], *extras.values()]
        groups += told.get("dependency-groups", {}).values()
        for wanted in map(Requirement, chain(*groups)):
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted


def test_device_gets_the_versions_that_the_tests_use() -> None:
    device = _pins(REQUIREMENTS)
    assert device
    assert device.items() <= _pins(CONSTRAINTS).items()


def test_packages_from_apt_are_not_pinned_too() -> None:
    assert not FROM_APT & _pins(REQUIREMENTS).keys()


def test_every_dependency_of_the_agent_is_pinned() -> None:
    wanted = {
        re.split(r"[\s\[<>=;!]", one)[0].lower()
        for one in requires("doorstep") or ()
        if "extra ==" not in one or "'device'" in one or '"device"' in one
    }
    assert wanted - FROM_APT <= _pins(REQUIREMENTS).keys()


@pytest.mark.parametrize("path", [CONSTRAINTS, REQUIREMENTS, CONTROLLER])
def test_every_pin_has_digests(path: Path) -> None:
    """pip would refuse all packages if one had no digest."""
    pinned = [one for one in re.split(r"\n(?=[a-z])", path.read_text()) if not one.startswith("#")]
    assert pinned
    for block in pinned:
        assert re.fullmatch(r"\S+==.*( \\\n    --hash=sha256:[0-9a-f]{64})+\n?", block), block


def test_pip_downloads_nothing_without_a_digest() -> None:
    found = []
    for path in files("", ".sh", ".md"):
        text = path.read_text("utf-8", "replace").replace("\\\n", "")
        found += re.findall(r"^(?! *#).*\bpip (?:install|download|wheel) .*", text, re.MULTILINE)
    assert len(found) > 10
    for command in found:
        assert "--require-hashes" in command or "--no-index" in command, command
