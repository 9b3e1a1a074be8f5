"""Packages from PyPI on a device are those of the tests, pinned with digests."""

import re
from importlib.metadata import requires
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
REQUIREMENTS = REPOSITORY / "scripts" / "provisioning" / "requirements.txt"
CONTROLLER = REPOSITORY / "scripts" / "provisioning" / "controller.txt"

FROM_APT = {"numpy", "lgpio", "picamera2"}
"""Compiled for the device's system; the release sees them by --system-site-packages."""


def _pins(path: Path) -> dict[str, str]:
    """Return the version of each package for Python 3.13 on Linux."""
    found = {}
    for line in path.read_text().splitlines():
        pin = re.match(r"([a-z0-9.-]+)==([^\s;]+)(?: ; (.*?))?(?: \\)?$", line)
        if pin and "python_full_version < '3.12'" not in (pin[3] or ""):
            found[pin[1]] = pin[2]
    return found


def test_device_gets_the_versions_that_the_tests_use() -> None:
    tried = _pins(REPOSITORY / "constraints.txt")
    device = _pins(REQUIREMENTS)
    assert device
    assert device.items() <= tried.items()


def test_packages_from_apt_are_not_pinned_too() -> None:
    assert not FROM_APT & _pins(REQUIREMENTS).keys()


def test_every_dependency_of_the_agent_is_pinned() -> None:
    wanted = {
        re.split(r"[\s\[<>=;!]", one)[0].lower()
        for one in requires("doorstep") or ()
        if "extra ==" not in one or "'device'" in one or '"device"' in one
    }
    assert wanted - FROM_APT <= _pins(REQUIREMENTS).keys()


def test_every_pin_has_digests() -> None:
    """pip would refuse all packages if one had no digest."""
    for path in (REQUIREMENTS, CONTROLLER):
        blocks = re.split(r"\n(?=[a-z])", path.read_text())
        pinned = [block for block in blocks if "==" in block.splitlines()[0]]
        assert len(pinned) == len(_pins(path))
        for block in pinned:
            assert "--hash=sha256:" in block, block.splitlines()[0]
