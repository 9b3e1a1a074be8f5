"""Three devices of an earlier release: one provisioned by that, two made of its card.

The earlier release is this tree under another version. The release that is tried is rolled out to
copies of the three.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.backend import Backend
from tests.support.nmea import free_port
from tests.system.machines.releases import source_of
from tests.system.qemu import office, provision
from tests.system.qemu.furnish import HOST, NAME
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image, Machine, overlay
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device

NAMES: Final = (NAME, "van-0043", "van-0044")
"""Names of the devices, in the order of the inventory."""

EARLIER: Final = "2026.1.0"
"""Version of the earlier release."""


@dataclass(frozen=True, slots=True)
class VirtualFleet:
    """Devices that run, and their office.

    Attributes:
        inventory: names them to `scripts/deploy`.
        devices: by name.
    """

    inventory: Path
    devices: dict[str, Device]


def set_up(image: Image, report: Report) -> None:
    """Provision one, and make two more of its card; keep their disks. Nothing where they are.

    A run that was broken off goes on with its disk: provisioning is safe to run again.
    """
    folder = _kept(image)
    if (folder / "port").exists():
        return
    for old in BUILD.glob("fleet-*"):
        if old != folder:
            shutil.rmtree(old)
    folder.mkdir(parents=True, exist_ok=True)
    provisioned, is_new = folder / "provisioned", not (folder / "backend").exists()
    port = int(provisioned.read_text()) if provisioned.exists() else free_port()
    disks = [folder / f"{name}.qcow2" for name in NAMES]
    with office.running(folder / "backend", port) as backend:
        if is_new:
            office.settle(backend.data)
            overlay(image.base, disks[0])
        if not provisioned.exists():
            _provision(image, report, disks[0], backend)
            provisioned.write_text(str(port))  # the device knows it
        for name, disk in zip(NAMES[1:], disks[1:], strict=True):
            shutil.copyfile(disks[0], disk)
            with Machine(image, disk) as box:
                box.boot()
                _rename(box, name, backend)
                box.shut_down()
    (folder / "port").write_text(str(port))


def _provision(image: Image, report: Report, disk: Path, backend: Backend) -> None:
    folder = disk.parent
    tree = folder / "tree"
    if not tree.exists():
        source_of(EARLIER, tree)
    with Machine(image, disk) as box:
        report.figure("power on to SSH", f"{box.boot():.0f} s")
        provision.let_in(folder, backend, NAME)
        inventory = provision.write_inventory(folder, backend, {NAME: box}, image)
        provision.until_done(inventory, report, tree)
        box.shut_down()


def _rename(box: Machine, name: str, backend: Backend) -> None:
    """Make a copied card another device's: emulated, provisioning takes a quarter of an hour."""
    token = backend.command("devices", "add", name).split()[1]
    units = "doorstep-capture doorstep-sync"
    box.run(
        f"set -e; systemctl stop {units}\n"
        f"sed -i 's/{NAME}/{name}/' /etc/doorstep/config.toml\n"
        "find /var/lib/doorstep -mindepth 1 -not -name lost+found -delete\n"
        "systemd-tmpfiles --create\n"
        f"echo {token} | doorstep enrol https://{HOST}:{backend.port}\n"
        f"systemctl start {units}",
        600.0,
    )


@contextmanager
def fleet(
    image: Image, folder: Path, report: Report, *names: str, begun: Path | None = None
) -> Iterator[VirtualFleet]:
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
        yield VirtualFleet(provision.write_inventory(folder, backend, boxes, image), devices)


def _kept(image: Image) -> Path:
    return BUILD / f"fleet-{provision.digest(image)}"
