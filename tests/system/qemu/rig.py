"""A provisioned device, as each stage finds it: freshly booted, enrolled, with a route in hand."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.models import RecordLabel, RecordState
from tests.support.backend import Backend
from tests.support.waiting import until
from tests.system.qemu import memory, office
from tests.system.qemu.machine import COMMAND_S, Image, Machine, overlay


@dataclass(frozen=True, slots=True)
class Kept:
    """A device after provisioning; stages start from copies of it.

    Attributes:
        disk: qcow2; nobody writes it.
        data: the backend's folder as it was then.
        port: of the backend: the device's configuration names it.
    """

    disk: Path
    data: Path
    port: int


@dataclass(frozen=True, slots=True)
class Device:
    """A machine with the product in it, and the backend that the device talks to."""

    machine: Machine
    backend: Backend

    def finger(self, *words: str | float, timeout_s: float = COMMAND_S) -> str:
        """Run `finger` in the machine; see inside/finger.py. Raises CommandFailed."""
        return self.machine.run(f"finger {' '.join(map(str, words))}", timeout_s)

    def shot(self, pin: int = 17) -> dict[str, Any]:
        """Press once; the answer's light, its time, and all that was seen (`told` in finger.py)."""
        return self.rounds(1, 0.0, pin)[0]

    def rounds(self, count: int, every_s: float = 3.0, pin: int = 17) -> list[dict[str, Any]]:
        """Press again and again, each time until the answer was seen."""
        told = self.finger("rounds", pin, count, every_s, timeout_s=COMMAND_S + 40.0 * count)
        return [json.loads(line) for line in told.splitlines()]

    def await_light(self, light: str, within_s: float = 300.0) -> float:
        """Wait until the light is seen; the uptime then, s. Raises CommandFailed."""
        return float(self.finger("await", light, within_s, timeout_s=within_s + 60.0))

    def await_ready(self, within_s: float = 300.0) -> float:
        """Wait for the green pulse: capture runs, and has the route; the uptime then, s."""
        return self.await_light("green", within_s)

    def lights(self) -> list[tuple[float, str]]:
        """The lights since boot: the uptime in s, and the name of the light from then on."""
        lines = self.machine.run("cat /run/rig-lights").splitlines()
        return [(float(at_s), light) for at_s, light in map(str.split, lines)]

    def boot_times(self) -> str:
        """Systemd's report of the boot, once the boot is finished: ready comes before that."""
        self.machine.ask("systemctl is-system-running --wait", 300.0)
        return self.machine.run("systemd-analyze").splitlines()[0]

    def doctor(self) -> list[dict[str, str]]:
        """The findings of `doorstep doctor`, as a technician with sudo gets them."""
        ran = self.machine.ask("doorstep doctor --json", 180.0)
        found: list[dict[str, str]] = json.loads(ran.out.strip().splitlines()[-1])
        return found

    def status(self) -> dict[str, Any]:
        ran = self.machine.run("doorstep status --json", 120.0)
        found: dict[str, Any] = json.loads(ran)
        return found

    def queue(self) -> list[dict[str, Any]]:
        """Every row of the device's queue."""
        return [
            json.loads(line)
            for line in self.machine.run("doorstep queue --json --limit 10000", 120.0).splitlines()
        ]

    def waiting(self) -> int:
        """The count of records that have no receipt yet, and are to be sent."""
        return sum(row["state"] == RecordState.PENDING for row in self.queue())

    def await_delivered(self, within_s: float = 240.0) -> None:
        """Wait until everything is sent. Raises AssertionError."""
        end_s = time.monotonic() + within_s
        while (waiting := self.waiting()) > 0:
            assert time.monotonic() < end_s, f"{waiting} records wait still"
            time.sleep(2.0)

    def labels(self) -> list[RecordLabel]:
        """Return the labels of the records that have a receipt, by number."""
        return office.labels(self.backend.data)

    def await_record(self, edge_ns: int, within_s: float = 120.0) -> RecordLabel:
        """The record of the press with this edge, once the backend has it; AssertionError."""

        def arrived() -> RecordLabel | None:
            near = [one for one in self.labels() if abs(one.monotonic_ns - edge_ns) < 300_000_000]
            return next(iter(near), None)

        found = until(arrived, within_s, every_s=0.5)
        assert found is not None
        return found

    def stand(self, place: tuple[float, float]) -> None:
        """Carry it there: what the receiver says from now on."""
        lat_deg, lon_deg = place
        self.machine.run(f"echo {lat_deg} {lon_deg} >/run/rig-place")

    def see(self, picture: Path) -> None:
        """Hold a picture before the camera; restart capture, which reads it at its start."""
        self.machine.copy_in(picture, "/srv/scenes/0.jpg")
        self.machine.run("systemctl restart doorstep-capture", 180.0)


@contextmanager
def device(
    image: Image, kept: Kept, folder: Path, *, ready: bool = True, **machine: Any
) -> Iterator[Device]:
    """A copy of the kept device, booted; what it does is gone afterwards.

    Args:
        image: what the disk was made of.
        kept: the provisioned device.
        folder: for its disk, the backend's folder and logs; made anew.
        ready: whether to wait until it is ready.
        machine: as for `Machine`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    disk = overlay(kept.disk, folder / "disk.qcow2")
    with (
        office.running(folder / "backend", kept.port, kept.data) as backend,
        Machine(image, disk, **machine) as box,
    ):
        office.send_out(backend.data)
        box.boot()
        memory.watch(box)
        found = Device(box, backend)
        if ready:
            found.await_ready()
        yield found
