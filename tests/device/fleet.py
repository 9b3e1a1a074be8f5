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
    """Provision three machines in one run, and keep their disks; nothing where they are.

    A run that was broken off goes on with its disks: provisioning is safe to run again.
    """
    folder = _kept(image)
    if (folder / "port").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    port, is_new = free_port(), not (folder / "backend").exists()
    with ExitStack() as stack:
        backend = stack.enter_context(office.running(folder / "backend", port))
        if is_new:
            office.settle(backend.data)
        boxes = {}
        for name in NAMES:
            disk = folder / f"{name}.qcow2"
            if not disk.exists():
                overlay(image.base, disk)
            boxes[name] = stack.enter_context(Machine(image, disk))
            report.figure(f"{name}: power on to SSH", f"{boxes[name].boot():.0f} s")
        provision.let_in(folder, backend, *NAMES)
        provision.until_done(provision.write_inventory(folder, backend, boxes, image), report)
        for box in boxes.values():
            box.shut_down()
    (folder / "port").write_text(str(port))


@contextmanager
def fleet(
    image: Image, folder: Path, report: Report, *names: str, begun: Path | None = None
) -> Iterator[Fleet]:
    """Copies of the three, or of those named, booted, without a route.

    Args:
        image: what their disks were made of.
        folder: for disks, inventory and the backend's folder; made anew, and kept as it is then.
        report: told of the three, where they have to be provisioned first.
        names: of those that are booted; all without any.
        begun: such a folder of another stage, to go on from.
    """
    set_up(image, report)
    kept = begun or _kept(image)
    port = int((kept / "port").read_text())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "port").write_text(str(port))
    with ExitStack() as stack:
        backend = stack.enter_context(office.running(folder / "backend", port, kept / "backend"))
        devices = {}
        for name in names or NAMES:
            box = Machine(image, overlay(kept / f"{name}.qcow2", folder / f"{name}.qcow2"))
            devices[name] = Device(stack.enter_context(box), backend)
            box.boot()
        shutil.copytree(kept / "provision", folder / "provision")  # their host keys
        boxes = {name: one.machine for name, one in devices.items()}
        yield Fleet(provision.write_inventory(folder, backend, boxes, image), devices)


def _kept(image: Image) -> Path:
    return BUILD / f"fleet-{image.base.stem}"
