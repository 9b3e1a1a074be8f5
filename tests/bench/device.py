"""A device to measure: its processes, and what the kernel says of them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.process import control
from doorstep_backend.identity.register import Register
from tests.support.backend import Backend
from tests.support.device import Device
from tests.support.enrolment import required


@dataclass(frozen=True, slots=True)
class Memory:
    """Sizes in /proc/PID/status, in MB of 1,000,000 bytes as everywhere else."""

    resident_mb: float
    peak_mb: float


def memory_of(pid: int) -> Memory:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in status)
    resident, peak = (int(sizes[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    return Memory(resident * 1024 / 1e6, peak * 1024 / 1e6)


def cpu_ms(pid: int) -> float:
    """Return the processor time of all threads of a process.

    Source: Linux's Documentation/scheduler/sched-stats.rst, schedstat.
    """
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in tasks) / 1e6


def new_device(folder: Path, backend: Backend, doors: int = 1) -> Device:
    """Return an enrolled device in the new folder; each press up to `doors` is at another door.

    Raises:
        RuntimeError: it did not enrol.
    """
    doors_at = (f"[[at]]\npress = {n}\ndoor = {n}\n" for n in range(1, doors + 1))
    device_id = f"bench-{folder.name}"
    device = Device(
        folder,
        "\n".join(doors_at),
        device={"id": device_id},
        camera={"width_px": 2304, "height_px": 1296},
        **required(backend),
    )
    token = Register(backend.data).let_in(device_id)
    ended = device.run("enrol", backend.base_url, input=token)
    if ended.returncode != 0:
        raise RuntimeError(f"it did not enrol:\n{ended.stdout}{ended.stderr}")
    return device


@dataclass(frozen=True, slots=True)
class Running:
    """One of the device's processes."""

    process: "subprocess.Popen[bytes]"
    socket: Path

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
        return control.ask(self.socket, request, timeout_s)

    def memory(self) -> Memory:
        return memory_of(self.process.pid)


@contextmanager
def running(device: Device, name: str) -> Iterator[Running]:
    """Run `doorstep capture` or `doorstep sync` until the block ends."""
    try:
        yield Running(device.start(name), device.layout.socket(name))
    finally:
        device.stop(name)
