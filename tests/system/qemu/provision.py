"""Provisions the machine by the real playbook over real SSH, and keeps what came of it."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.backend import REPOSITORY, Backend
from tests.support.nmea import free_port
from tests.system.qemu import office, scene
from tests.system.qemu.furnish import HOST, NAME, TECHNICIAN
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image, Machine, overlay
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Kept

WITHIN_S: Final = 7200.0
"""Longest run of the playbook. Source: see README.md; three at once, beside other work, had not
come to their end after an hour.
"""

PRODUCT: Final = ("agent", "hardware", "systemd", "scripts/provisioning", "pyproject.toml")
"""The sources of the device: a device from another state of them is made again."""

TURNS: Final = 3
"""Runs that a device is given: beside other work, SSH into an emulated one may break off."""

_KEPT: Final = "provisioned"


def digest(image: Image) -> str:
    """Return the digest of the image's name and of the product's files for the device."""
    told = hashlib.sha256(image.base.name.encode())
    for top in PRODUCT:
        place = REPOSITORY / top
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts:
                told.update(str(path.relative_to(REPOSITORY)).encode() + path.read_bytes())
    return told.hexdigest()[:16]


def kept(image: Image) -> Kept | None:
    """The device that was provisioned from these sources; None if it is missing."""
    folder = BUILD / f"{_KEPT}-{digest(image)}"
    if not (folder / "port").exists():
        return None
    return Kept(folder / "disk.qcow2", folder / "backend", int((folder / "port").read_text()))


def stage(image: Image, report: Report) -> None:
    """Provision a fresh machine twice: the second run must change nothing; keep it."""
    for old in BUILD.glob(f"{_KEPT}-*"):
        shutil.rmtree(old)
    folder = BUILD / f"{_KEPT}-{digest(image)}"
    folder.mkdir()
    data, port = folder / "backend", free_port()
    disk = overlay(image.base, folder / "disk.qcow2")
    with office.running(data, port) as backend, Machine(image, disk) as box:
        office.settle(data)  # and no route: a device that is on the road would be refused
        report.figure("power on to SSH", f"{box.boot():.0f} s")
        let_in(folder, backend, NAME)
        inventory = write_inventory(folder, backend, {NAME: box}, image)
        until_done(inventory, report)
        began_s = time.monotonic()
        ran, told = _playbook(inventory, folder / "again.log")
        took = f"{time.monotonic() - began_s:.0f} s"
        report.check("a second run ends with 0", ran == 0, took)
        report.check("it changed nothing", ran == 0 and "changed=0 " in told, _recap(told))
        box.shut_down()
    (folder / "port").write_text(str(port))


def until_done(inventory: Path, report: Report, tree: Path = REPOSITORY) -> None:
    """Run it as a technician does: again, where the device was not reached to the end.

    Args:
        inventory: whom to provision.
        report: gets what a technician reads.
        tree: of which release.
    """
    for turn in range(1, TURNS + 1):
        began_s = time.monotonic()
        ran, told = _playbook(inventory, inventory.parent / f"provision-{turn}.log", tree)
        took = f"{time.monotonic() - began_s:.0f} s"
        report.text(_table(told))
        if ran == 0:
            break
        report.figure(f"run {turn} did not get to its end", took)
    report.need("scripts/provision sets it up", ran == 0, f"run {turn}, {took}")


def let_in(folder: Path, backend: Backend, *names: str) -> None:
    """Leave a one-time token for each device where the inventory looks for them."""
    (folder / "tokens.txt").write_text(backend.command("devices", "add", *names))


def write_inventory(
    folder: Path, backend: Backend, boxes: Mapping[str, Machine], image: Image
) -> Path:
    """As fleet.example.yml explains; the tokens are beside it. JSON is YAML too."""
    shared: dict[str, Any] = {
        "ansible_host": "127.0.0.1",
        "ansible_user": TECHNICIAN,
        "ansible_ssh_private_key_file": str(image.key),
        "doorstep_backend_url": f"https://{HOST}:{backend.port}",
        "doorstep_ca_file": str(backend.ca_file),
        "doorstep_fleet_key_file": str(backend.fleet_key_file),
        "doorstep_tokens_file": str(folder / "tokens.txt"),
        "doorstep_office_networks": [f"{HOST}/32"],
        "doorstep_ntp_servers": [HOST],
        "doorstep_gpsd_devices": ["tcp://127.0.0.1:5010"],
        "doorstep_technicians": [TECHNICIAN],
        "doorstep_state_mb": 1024,
        # Emulated, the system itself may stand still for longer than a Pi's ever does
        "doorstep_watchdog_s": 60,
        "ansible_ssh_retries": 5,
        # The virtual camera; emulated it is slow
        "doorstep_config": {
            "camera": {
                "width_px": scene.WIDTH_PX,
                "height_px": scene.HEIGHT_PX,
                "frame_deadline_ms": 3000,
            }
        },
    }
    hosts = {name: {"ansible_port": box.port} for name, box in boxes.items()}
    inventory = folder / "fleet.yml"
    inventory.write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}, indent=1))
    return inventory


def _playbook(inventory: Path, log: Path, tree: Path = REPOSITORY) -> tuple[int, str]:
    """Run it as a technician does; its exit code, and all that it said."""
    kept_apart = {"DOORSTEP_PROVISION_DIR": str(inventory.parent / "provision")}
    with log.open("w") as said:
        ran = subprocess.run(
            [tree / "scripts/provision", "-i", inventory],
            env=os.environ | kept_apart,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=WITHIN_S,
            check=False,
        )
    return ran.returncode, log.read_text()


def _table(told: str) -> str:
    """The last lines that a technician reads."""
    return "\n".join(told.rstrip().splitlines()[-8:])


def _recap(told: str) -> str:
    return next((line for line in told.splitlines() if "changed=" in line), "no recap")
