"""A device to measure: its processes, and what the kernel says of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.capture import jpeg
from doorstep_backend.identity.register import Register
from hardware.simulated.scenes import Scene, render
from tests.support.backend import Backend
from tests.support.device import Device
from tests.support.enrolment import required

JPEG_QUALITY_PCT: Final = 70
"""Makes about 300 KB of a simulated door, as of most doors by day."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Sizes in /proc/PID/status, in MB of 1,000,000 bytes as everywhere else."""

    resident_mb: float
    peak_mb: float


def door_jpeg(quality_pct: int = JPEG_QUALITY_PCT) -> bytes:
    """Return a photo of a door at 2304x1296."""
    return jpeg.encode(render(Scene(seed=1, width_px=2304, height_px=1296)), quality_pct)


def memory_of(pid: int) -> Memory:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in status)
    resident, peak = (int(sizes[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    return Memory(resident * 1024 / 1e6, peak * 1024 / 1e6)


def new_device(folder: Path, backend: Backend) -> Device:
    """Return an enrolled device in the new folder.

    Raises:
        RuntimeError: it did not enrol.
    """
    device_id = f"bench-{folder.name}"
    device = Device(
        folder,
        device={"id": device_id},
        camera={"width_px": 2304, "height_px": 1296},
        **required(backend),
    )
    token = Register(backend.data).let_in(device_id)
    ended = device.run("enrol", backend.base_url, input=token)
    if ended.returncode != 0:
        raise RuntimeError(f"it did not enrol:\n{ended.stdout}{ended.stderr}")
    return device


@contextmanager
def running(device: Device, name: str) -> Iterator[None]:
    """Run `doorstep capture` or `doorstep sync` until the block ends."""
    try:
        device.start(name)
        yield
    finally:
        device.stop_all()
