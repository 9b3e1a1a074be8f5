"""The measurements, their dates and machine; and the limits of the machine itself."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from agent import __version__
from tests.bench.frame import Figure, Rig, run_ms
from tests.support.backend import REPOSITORY


def facts(folder: Path) -> dict[str, str]:
    """Return what is measured, and on which machine; `folder` is on the disk that is measured."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000
    commit = _said("git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty= changed")
    disk = _said("findmnt", "-no", "FSTYPE,SOURCE,OPTIONS", "-T", str(folder)) or "unknown ? ?"
    kind, source, options = disk.split(maxsplit=2)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": __version__,
        "commit": commit or "unknown",
        "machine": f"{_model()}, {os.cpu_count()} cores, {memory_mb:,} MB",
        "system": f"{platform.platform()}, Python {platform.python_version()}",
        "disk": f"{kind} on {source} ({options}), where the state folder is",
        "load": f"{load()} at the start; medians count, other work widens the spread",
    }


def load() -> str:
    """Return the load of the last 1, 5 and 15 minutes."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


def origin(told: Mapping[str, str], *, is_quick: bool) -> str:
    """Return the footer of the chart, from `facts`."""
    run = f"scripts/bench of doorstep {told['version']}, {told['date'][:10]}, {told['machine']}"
    return f"{run}, {told['disk'].split()[0]}{', quick run' if is_quick else ''}"


def measure(rig: Rig) -> list[Figure]:
    """Time flushes of the disk."""
    log = os.open(rig.folder / "flush", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def append() -> None:
        os.write(log, bytes(4096))
        os.fdatasync(log)

    taken_ms = [run_ms(append) for _ in range(rig.times(30, 10))]
    os.close(log)
    return [Figure("append 4 KB and fdatasync", "ms", taken_ms, digits=2)]


def _said(*words: str) -> str:
    """Return what a command prints; nothing if it fails or is not there."""
    try:
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _model() -> str:
    board = Path("/proc/device-tree/model")
    if board.exists():
        return board.read_text().rstrip("\0")
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "?")
