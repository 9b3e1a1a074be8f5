"""What the machine itself can do, to stand beside every figure."""

import http.client
import os
import platform
import sqlite3  # noqa: TID251 - its version only
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import cv2  # noqa: TID251 - its version only

from tests.bench.figures import Figure
from tests.bench.rig import Rig

FILE_BYTES: Final = 430_000
"""A record of a simulated door at 2304x1296."""

TIMES: Final = 30
"""Repetitions of each: a second in all."""


def facts(folder: Path) -> dict[str, str]:
    """Says what this machine is, in words."""
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
    """Times flushes, TLS on loopback, and the start of Python."""
    handshakes, answers = _tls(rig)
    times = 10 if rig.is_quick else TIMES
    return [
        Figure("append 4 KB and fdatasync", "ms", list(_flushes(rig.folder, times)), digits=2),
        Figure(
            "write 430 KB, fsync, rename, fsync folder",
            "ms",
            list(_files(rig.folder, times)),
            digits=2,
            pi="a card flushes many times slower; `doorstep doctor` says how slow.",
        ),
        Figure("TCP and TLS handshake on loopback", "ms", handshakes, digits=2),
        Figure("a request on a kept connection", "ms", answers, digits=2),
        Figure("python3 -c pass", "ms", [run_ms("-c", "pass") for _ in range(times)]),
    ]


def run_ms(*words: str) -> float:
    """Runs this Python with `words` from start to end."""
    began_s = time.monotonic()
    subprocess.run([sys.executable, *words], check=True)
    return (time.monotonic() - began_s) * 1e3


def _model() -> str:
    board = Path("/proc/device-tree/model")
    if board.exists():
        return board.read_text().rstrip("\0")
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "?")


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000


def _file_system(folder: Path) -> str:
    """The type and the options of the file system that `folder` is on."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            kind, source, options = after.split()[:3]
            return f"{kind} on {source} ({options}), where the state folder is"
    return f"device {wanted}"


def _flushes(folder: Path, times: int) -> Iterator[float]:
    descriptor = os.open(folder / "flush", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for _ in range(times):
        began_s = time.monotonic()
        os.write(descriptor, bytes(4096))
        os.fdatasync(descriptor)
        yield (time.monotonic() - began_s) * 1e3
    os.close(descriptor)


def _files(folder: Path, times: int) -> Iterator[float]:
    content = os.urandom(FILE_BYTES)
    for number in range(times):
        began_s = time.monotonic()
        with (folder / "file.part").open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
        (folder / "file.part").rename(folder / f"file-{number}")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        yield (time.monotonic() - began_s) * 1e3


def _tls(rig: Rig) -> tuple[list[float], list[float]]:
    port = urlsplit(rig.backend.base_url).port
    context = ssl.create_default_context(cafile=rig.backend.ca_file)
    handshakes, answers = [], []
    for _ in range(10):
        line = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        began_s = time.monotonic()
        line.connect()
        handshakes.append((time.monotonic() - began_s) * 1e3)
        for _ in range(3):
            began_s = time.monotonic()
            line.request("GET", "/counts")
            line.getresponse().read()
            answers.append((time.monotonic() - began_s) * 1e3)
        line.close()
    return handshakes, answers
