"""A device to measure: its configuration, its real processes, and what the kernel says of them."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.config import Config, load
from agent.process import control
from tests.backend.process import REPOSITORY, Backend
from tests.support import device

READY_WITHIN_S: Final = 60.0
"""Longest start that is waited for. Source: 4 s with a scene to draw, with room for load."""

END_WITHIN_S: Final = 30.0
"""Longest end after SIGTERM that is waited for."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What /proc/PID/status says, in MB of 1,000,000 bytes as everywhere else."""

    resident_mb: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Device:
    """One device's folder; its processes run from the same sources as the product."""

    folder: Path

    @classmethod
    def new(cls, folder: Path, backend: Backend, doors: int = 1) -> "Device":
        """Make a device in the new folder `folder`; each press up to `doors` is at another door."""
        doors_at = (f"[[at]]\npress = {n}\ndoor = {n}\n" for n in range(1, doors + 1))
        device.Device(
            folder,
            "\n".join(doors_at),
            device={"id": f"bench-{folder.name}"},  # the backend pins a key for each
            backend=device.towards(backend),
            camera={"width_px": 2304, "height_px": 1296},
        )
        return cls(folder)

    @property
    def config(self) -> Config:
        return load(self.folder / "config.toml")

    def words(self, *words: str) -> list[str]:
        """Returns the command line of `doorstep WORDS` for this device."""
        config = str(self.folder / "config.toml")
        return [sys.executable, "-m", "agent", *words, "--config", config]

    @contextmanager
    def running(self, name: str) -> Iterator["Running"]:
        """Runs `doorstep capture` or `doorstep sync` until the block ends."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(self.words(name), cwd=REPOSITORY, stdout=log, stderr=log)
        try:
            running = Running(process, self.folder / "run" / f"{name}.sock")
            running.await_ready(self.folder / f"{name}.log")
            yield running
        finally:
            process.terminate()
            process.wait(END_WITHIN_S)


@dataclass(frozen=True, slots=True)
class Running:
    """One of the device's processes."""

    process: "subprocess.Popen[bytes]"
    socket: Path

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
        return control.ask(self.socket, request, timeout_s)

    def await_ready(self, log: Path) -> None:
        until_s = time.monotonic() + READY_WITHIN_S
        while self.ask({"status": True}, READY_WITHIN_S) is None:
            if time.monotonic() > until_s or self.process.poll() is not None:
                raise RuntimeError(f"it did not start; its log ends:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)

    def memory(self) -> Memory:
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        sizes = dict(line.split(":", 1) for line in status)
        resident, peak = (int(sizes[name].split()[0]) for name in ("VmRSS", "VmHWM"))
        return Memory(resident * 1024 / 1e6, peak * 1024 / 1e6)

    def mapped(self, names: Sequence[str]) -> list[str]:
        """Returns which of `names` occur in the path of a file that the process has mapped."""
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        return [name for name in names if name in maps]
