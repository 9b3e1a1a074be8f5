"""A device to measure: its processes, and what the kernel says of them."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.process import control
from tests.backend.identity.register import Register
from tests.support.backend import Backend
from tests.support.device import Device
from tests.support.enrolment import required


@dataclass(frozen=True, slots=True)
class Memory:
    """What /proc/PID/status says, in MB of 1,000,000 bytes as everywhere else."""

    resident_mb: float
    peak_mb: float


def memory_of(pid: int) -> Memory:
    """Of a process that runs."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in status)
    resident, peak = (int(sizes[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    return Memory(resident * 1024 / 1e6, peak * 1024 / 1e6)


def cpu_s(pid: int) -> float:
    """User and system, of all its threads. Source: proc(5), /proc/pid/stat, fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def new_device(
    folder: Path, backend: Backend, doors: int = 1, policy: Mapping[str, str] | None = None
) -> Device:
    """An enrolled device in the new folder `folder`; each press up to `doors` is at another door.

    Its photos are signed and sealed, unless `policy` says something else.

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
        policy=policy or {},
        **required(backend),
    )
    enrol(device, backend, Register(backend.data).let_in(device_id))
    return device


def enrol(device: Device, backend: Backend, token: str) -> None:
    """`doorstep enrol`, the whole process. Raises RuntimeError where it does not end well."""
    ended = device.run("enrol", backend.base_url, input=token)
    if ended.returncode != 0:
        raise RuntimeError(f"it did not enrol:\n{ended.stdout}{ended.stderr}")


@contextmanager
def running(device: Device, name: str) -> Iterator["Running"]:
    """Runs `doorstep capture` or `doorstep sync` until the block ends."""
    try:
        yield Running(device.start(name), device.layout.socket(name))
    finally:
        device.stop(name)


@dataclass(frozen=True, slots=True)
class Running:
    """One of the device's processes."""

    process: "subprocess.Popen[bytes]"
    socket: Path

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
        return control.ask(self.socket, request, timeout_s)

    def memory(self) -> Memory:
        return memory_of(self.process.pid)

    def mapped(self, names: Sequence[str]) -> list[str]:
        """Returns which of `names` occur in the path of a file that the process has mapped."""
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        return [name for name in names if name in maps]
