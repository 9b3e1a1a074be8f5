"""Three devices that one command sets up, kept as the release of then left them.

A later release is rolled out to copies of them: as a fleet's devices are, they are of another
release than the one that is tried.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.device import office, provision
from tests.device.furnish import NAME
from tests.device.image import BUILD
from tests.device.machine import Image, Machine, overlay
from tests.device.report import Report
from tests.device.rig import Device
from tests.support.nmea import free_port

NAMES: Final = (NAME, "van-0043", "van-0044")
"""Of the devices, in the order of the inventory."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Devices that run, and their office.

    Attributes:
        inventory: names them to `scripts/deploy`.
        devices: by name.
    """

    inventory: Path
    devices: dict[str, Device]


def set_up(image: Image, report: Report) -> None:
    """Provision three fresh machines in one run, and keep their disks; nothing where they are."""
    folder = _kept(image)
    if (folder / "port").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = free_port()
    with ExitStack() as stack:
        backend = stack.enter_context(office.running(folder / "backend", port))
        office.settle(backend.data)
        boxes = {}
        for name in NAMES:
            disk = overlay(image.base, folder / f"{name}.qcow2")
            boxes[name] = stack.enter_context(Machine(image, disk))
            report.figure(f"{name}: power on to SSH", f"{boxes[name].boot():.0f} s")
        provision.let_in(folder, backend, *NAMES)
        provision.until_done(provision.write_inventory(folder, backend, boxes, image), report)
        for box in boxes.values():
            box.shut_down()
    (folder / "port").write_text(str(port))


@contextmanager
def fleet(image: Image, folder: Path, report: Report) -> Iterator[Fleet]:
    """Copies of the three, booted and ready, without a route; what they do is gone afterwards."""
    set_up(image, report)
    kept = _kept(image)
    port = int((kept / "port").read_text())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        backend = stack.enter_context(office.running(folder / "backend", port, kept / "backend"))
        devices = {}
        for name in NAMES:
            box = Machine(image, overlay(kept / f"{name}.qcow2", folder / f"{name}.qcow2"))
            devices[name] = Device(stack.enter_context(box), backend)
            box.boot()
        shutil.copytree(kept / "provision", folder / "provision")  # their host keys
        boxes = {name: one.machine for name, one in devices.items()}
        yield Fleet(provision.write_inventory(folder, backend, boxes, image), devices)


def _kept(image: Image) -> Path:
    return BUILD / f"fleet-{image.base.stem}"
