"""A device to measure: its processes, and what the kernel says of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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


def together_mb(pids: Iterable[int]) -> float:
    """Return what these processes take together, in MB; a file's page that they share counts once.

    The sum of their proportional set sizes is less, because other programs of this machine share
    the libraries too; on a device only they do. Of each file the process with most of it counts.
    """
    anonymous_kb, of_files_kb = 0, Counter[str]()
    for pid in pids:
        mine_kb = Counter[str]()
        with suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
            for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
                name, first, *words = line.split(maxsplit=5)
                if not name.endswith(":"):
                    file = words[2]  # its inode; 0 without a file
                elif name in {"Rss:", "Anonymous:"}:
                    mine_kb[file] += int(first) if name == "Rss:" else -int(first)
                    anonymous_kb += int(first) if name == "Anonymous:" else 0
        of_files_kb |= mine_kb
    return (anonymous_kb + of_files_kb.total()) * 1024 / 1e6


def new_device(folder: Path, backend: Backend, names: Sequence[str] = (), **changes: Any) -> Device:
    """Return an enrolled device in the new folder.

    Args:
        folder: its name becomes a part of the device's.
        backend: lets it in.
        names: of its own server.
        changes: tables of settings, in addition.

    Raises:
        RuntimeError: it did not enrol.
    """
    device_id = f"bench-{folder.name}"
    device = Device(
        folder,
        device={"id": device_id},
        camera={"width_px": 2304, "height_px": 1296},
        **required(backend),
        **changes,
    )
    token = Register(backend.data).let_in(device_id)
    if names:
        backend.command("devices", "names", device_id, *names)
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
