"""The contract suites with the marker `device`, run in the machine on what a device has."""

import shlex
import shutil
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from tests.support import nmea
from tests.support.backend import REPOSITORY
from tests.system.qemu import scene
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

SUITES: Final = ("test_buttons", "test_lamp", "test_position", "test_motion", "test_camera")

NEEDED: Final = (
    *("tests/__init__.py", "tests/contracts/__init__.py", "tests/support/__init__.py"),
    *(
        f"tests/support/{name}.py"
        for name in ("accelerometer", "kernel_pins", "nmea", "pins", "sensor", "waiting")
    ),
    *(f"tests/contracts/{name}.py" for name in SUITES),
)
"""The modules that the suites import, and no more: the product itself is the installed one."""

PYTEST: Final = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""Python only, so the machine's Python runs this machine's."""

THERE: Final = "/root/suites"

WITHIN_S: Final = 1200.0

TRIES: Final = 3
"""A repeated failure is a fault; a single one was late. Source: seen with eight QEMUs at once."""


def run(image: Image, kept: Kept, report: Report) -> None:
    """With the product stopped: the parts are the suites' alone."""
    with device(image, kept, BUILD / "suites") as found:
        found.machine.run("systemctl stop doorstep-capture", 120.0)
        found.stand((nmea.LAT_DEG, nmea.LON_DEG))
        _bring(found)
        for suite in SUITES:
            _one(found, suite, report)
        found.machine.run("systemctl start doorstep-capture", 300.0)
        found.await_ready()


def _bring(found: Device) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder) / "suites"
        for name in NEEDED:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, here / name)
        for package in PYTEST:
            _install(package, here)
        found.machine.copy_in(here, THERE)


def _install(package: str, here: Path) -> None:
    """Copy an installed package's modules: it needs nothing compiled."""
    installed = distribution(package)
    for file in installed.files or ():
        if file.suffix == ".py" and ".." not in file.parts:
            (here / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(installed.locate_file(file)), here / file)


def _one(found: Device, suite: str, report: Report) -> None:
    """A busy host makes an emulated finger late: what failed is tried again, alone."""
    tried = [f"tests/contracts/{suite}.py"]
    for turn in range(1, TRIES + 1):
        code, lines = _pytest(found, tried)
        failed = failures(lines)
        if code == 0 or not failed:
            break
        report.text("\n".join([f"try {turn}: {lines[-1]}", *failed]))
        tried = failed
    is_fine = passes(code, lines[-1])
    report.check(f"{suite} passes on the device's parts", is_fine, f"{lines[-1]}, try {turn}")
    if not is_fine:
        report.text("\n".join(line for line in lines if line.startswith(("ERROR", "E "))))


def _pytest(found: Device, tests: list[str]) -> tuple[int, list[str]]:
    size = f"DOORSTEP_TEST_CAMERA_PX={scene.WIDTH_PX}x{scene.HEIGHT_PX}"
    python = "/opt/doorstep/current/bin/python -B"
    options = "--noconftest -c /dev/null --rootdir . -q -ra -m device -p no:cacheprovider"
    ran = found.machine.ask(
        f"cd {THERE}; GPIOZERO_PIN_FACTORY=lgpio {size} PYTHONPATH={THERE} "
        f"{python} -m pytest {options} {' '.join(map(shlex.quote, tests))}",
        WITHIN_S,
    )
    return ran.code, ran.out.strip().splitlines() or [ran.err.strip()]


def failures(lines: list[str]) -> list[str]:
    """Which tests failed, as pytest's short summary names them."""
    return [line.split()[1] for line in lines if line.startswith("FAILED ")]


def passes(code: int, summary: str) -> bool:
    """True if a test ran and all passed; a webcam may be missing."""
    return code == 0 and " passed" in f" {summary}"
