"""What was measured, when and on what; and what the machine itself can do."""

import os
import platform
import sqlite3  # noqa: TID251 - its version only
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - its version only

from agent import __version__
from tests.bench.frame import Figure, Rig, by_turns, run_ms
from tests.support.backend import REPOSITORY

OTHERS: Final = ("persist-queue", "litequeue", "tuspy")
"""Packages that are measured beside the product; curl and tus-js-client come with no metadata."""

FILE_BYTES: Final = 430_000
"""A record of a simulated door at 2304x1296."""


def run_facts() -> dict[str, str]:
    """Return date, version and commit, and the versions of the others."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": __version__,
        "commit": _commit(),
        "others": ", ".join(f"{name} {version(name)}" for name in OTHERS),
    }


def facts(folder: Path) -> dict[str, str]:
    """Return what this machine is, in words; `folder` is on the disk that is measured."""
    load = " ".join(f"{one:.2f}" for one in os.getloadavg())
    return {
        "machine": f"{_model()}, {os.cpu_count()} cores, {_memory_mb():,} MB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_version()}, OpenCV {cv2.__version__}, "
        f"SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}",
        "disk": _file_system(folder),
        "load": f"{load} at the start (1, 5, 15 min); medians count, other work widens the spread",
    }


def measure(rig: Rig) -> list[Figure]:
    """Time flushes and the start of Python."""
    log = os.open(rig.folder / "flush", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    content, numbers = os.urandom(FILE_BYTES), count()

    def append() -> None:
        os.write(log, bytes(4096))
        os.fdatasync(log)

    jobs = {
        "append 4 KB and fdatasync": append,
        "write 430 KB, fsync, rename, fsync folder": lambda: _write(
            rig.folder / f"file-{next(numbers)}", content
        ),
        "python3 -c pass": lambda: python("-c", "pass"),
    }
    taken = by_turns(rig.times(30, 10), {name: partial(run_ms, job) for name, job in jobs.items()})
    os.close(log)
    return [Figure(name, "ms", samples, digits=2) for name, samples in taken.items()]


def python(*words: str) -> None:
    """Run this Python with `words` from start to end."""
    subprocess.run([sys.executable, *words], check=True)


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    part.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _commit() -> str:
    words = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty= with changes"]
    return _said(*words) or "unknown"


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


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000


def _file_system(folder: Path) -> str:
    """Return type, source and options of the file system that `folder` is on."""
    told = _said("findmnt", "-no", "FSTYPE,SOURCE,OPTIONS", "-T", str(folder)) or "unknown ? ?"
    kind, source, options = told.split(maxsplit=2)
    return f"{kind} on {source} ({options}), where the state folder is"
