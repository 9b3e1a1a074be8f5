"""What the machine itself can do, to stand beside every figure."""

import http.client
import os
import platform
import socket
import sqlite3  # noqa: TID251 - its version only
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - its version only

from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.support.enrolment import enrolled_beside

FILE_BYTES: Final = 430_000
"""A record of a simulated door at 2304x1296."""

HANDSHAKES: Final = 20
"""New connections of each kind: half a second in all."""

SHOWN_ONES: Final = ("a client certificate", "the same, resumed")
"""Kinds of new connections that show this device's certificate."""

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
    firsts, answers = _tls(rig)
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
        *_new_connections(firsts),
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


def _new_connections(firsts: dict[str, list[float]]) -> Iterator[Figure]:
    note = (
        "to its first answer: TCP, TLS and one request; each in turn. A device keeps one "
        "connection, and a new one is not resumed"
    )
    for name, samples in firsts.items():
        yield Figure(f"new connection, {name}", "ms", samples, digits=2, note=note)
        note = ""


def _tls(rig: Rig) -> tuple[dict[str, list[float]], list[float]]:
    """New connections by who shows what, to the first answer; and answers on kept ones."""
    context = ssl.create_default_context(cafile=rig.backend.ca_file)
    showing = ssl.create_default_context(cafile=rig.backend.ca_file)
    device = enrolled_beside(rig.backend.data, rig.folder, "bench-handshakes")
    showing.load_cert_chain(*device.files)
    shown, resumed = SHOWN_ONES
    firsts: dict[str, list[float]] = {"no certificate": [], shown: [], resumed: []}
    answers: list[float] = []
    for _ in range(HANDSHAKES):
        for name, one in (("no certificate", context), (shown, showing)):
            with closing(_Line(rig.backend.port, one)) as line:
                firsts[name].append(line.first_ms)
                answers += [line.ask_ms() for _ in range(2)]
                session = line.session
        with closing(_Line(rig.backend.port, showing, session)) as line:
            firsts[resumed].append(line.first_ms)
            if not line.is_resumed:
                raise RuntimeError("the session was not resumed")
    return firsts, answers


class _Line:
    """One connection, open; `first_ms` is from nothing to its first answer."""

    def __init__(
        self, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        began_s = time.monotonic()
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line = context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)
        self._ask()
        self.first_ms = (time.monotonic() - began_s) * 1e3

    @property
    def session(self) -> ssl.SSLSession | None:
        """What another connection can resume; TLS 1.3 tells it with the first answer."""
        return self._line.session

    @property
    def is_resumed(self) -> bool:
        return bool(self._line.session_reused)

    def ask_ms(self) -> float:
        began_s = time.monotonic()
        self._ask()
        return (time.monotonic() - began_s) * 1e3

    def close(self) -> None:
        self._line.close()

    def _ask(self) -> None:
        self._line.sendall(b"GET /counts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = http.client.HTTPResponse(self._line)
        answer.begin()
        answer.read()
