"""The lines that records are uploaded over: 100 ms long, or a bottleneck with cuts."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.longline import LongLine
from tests.bench.upload_server import Server, running_server
from tests.support.network import FaultProxy, Line

BUFFER_BYTES: Final = 32_768
"""Data that the bottleneck takes in ahead of its transport. That is 33 ms of 8 Mbit/s."""

REAL_TIME_PRIORITY: Final = 1
"""The lowest: before all usual work, after whatever asks for more. Source: sched(7)."""

LOOK_S: Final = 0.02
"""Time between the looks of the cutter for the first connection."""


class Bottleneck(FaultProxy):
    """A relay at a fixed rate towards the server, with a small buffer before it."""

    def __init__(self, server: Server, bytes_per_s: float) -> None:
        super().__init__((server.host, server.port))
        self.up = Line(rate_bytes_per_s=bytes_per_s)
        # What it accepts inherits this; the kernel doubles it (socket(7)).
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES // 2)

    @property
    def carried_bytes(self) -> int:
        return self.relayed_bytes["up"]


@dataclass(frozen=True, slots=True)
class Open:
    """A line that is open, with its server at the far end.

    Attributes:
        port: the one for clients.
        counter: counts the bytes towards the server so far, at the bottleneck.
    """

    server: Server
    port: int
    counter: LongLine | Bottleneck

    @property
    def url(self) -> str:
        return f"https://{self.server.name}:{self.port}"


@contextmanager
def cut_line(data: Path, bytes_per_s: float, every_s: float) -> Iterator[Open]:
    """Open a slow line that is cut again and again, from its first connection on."""
    with (
        running_server(data) as server,
        Bottleneck(server, bytes_per_s) as relay,
        _cut(relay, every_s),
    ):
        yield Open(server, relay.port, relay)


@contextmanager
def over(line: LongLine, data: Path) -> Iterator[Open]:
    with running_server(data, line.here, line.there) as server:
        yield Open(server, server.port, line)


@contextmanager
def undisturbed() -> Iterator[str]:
    """Put this thread, and what it starts, before all other work of the machine.

    Yields which priority they have, in words. A difference of 5 ms is measured here, and a busy
    machine makes the contender that does more wait longer for a core; all get the same.
    """
    usual = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REAL_TIME_PRIORITY))
    except PermissionError:
        yield "at usual priority"
        return
    try:
        yield "all processes of the line at real-time priority"
    finally:
        os.sched_setscheduler(0, *usual)


@contextmanager
def _cut(relay: FaultProxy, every_s: float) -> Iterator[None]:
    ended = threading.Event()

    def cut() -> None:
        while not relay.connections:
            if ended.wait(LOOK_S):
                return
        while not ended.wait(every_s):
            relay.cut()

    cutting = threading.Thread(target=cut)
    cutting.start()
    try:
        yield
    finally:
        ended.set()
        cutting.join()
