"""A bad network on loopback: a TCP relay that cuts, falls silent, drips, delays and throttles."""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

CHUNK_BYTES: Final = 16_384
"""Most bytes relayed at once. Source: the largest TLS record, RFC 8446 section 5.1."""

TICK_S: Final = 0.02
"""Interval at which a waiting relay looks whether it was cut; below every limit of the tests."""


@dataclass(frozen=True, slots=True)
class Line:
    """Behaviour of one direction. Bytes are TCP's: TLS with its handshake and headers.

    Attributes:
        cut_after_bytes: reset both sides after so many bytes of one connection.
        silent_after_bytes: relay nothing more after so many, and keep the connection open.
        rate_bytes_per_s: relay no faster than this; 1.0 drips byte by byte.
        delay_s: added before each chunk is relayed.
    """

    cut_after_bytes: int | None = None
    silent_after_bytes: int | None = None
    rate_bytes_per_s: float | None = None
    delay_s: float = 0.0

    def room(self, relayed: int) -> int:
        """Return how many bytes to relay next; 0 when the line takes no more."""
        limits = [one for one in (self.cut_after_bytes, self.silent_after_bytes) if one is not None]
        steps = [] if self.rate_bytes_per_s is None else [max(1, int(self.rate_bytes_per_s / 20))]
        return min([CHUNK_BYTES, *steps, *(limit - relayed for limit in limits)])


class FaultProxy:
    """Listens on a free port of `host` and relays every connection to `target`, a host and port.

    Attributes:
        port: where it listens.
        up: the line towards the target; replacing it concerns later connections.
        down: the line towards the client; replacing it concerns later connections.
        reachable: whether new connections get through; otherwise they are reset.
        heard: called with what a client says, before that is relayed.
        connections: accepted since the start.
        relayed_bytes: by direction, "up" and "down", all connections together.
    """

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.target = target
        self.up = self.down = Line()
        self.reachable = True
        self.heard: Callable[[bytes], object] = bytes
        self.connections = 0
        self.relayed_bytes: Counter[str] = Counter(up=0, down=0)
        self._relays: list[_Relay] = []
        self._counting = threading.Lock()
        self._listener = socket.create_server((host, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every open connection on both sides; return when that is done."""
        relays, self._relays = self._relays, []
        for relay in relays:
            relay.over.set()
            relay.join()

    def count(self, direction: str, relayed: int) -> None:
        with self._counting:
            self.relayed_bytes[direction] += relayed

    def _accept(self) -> None:
        with suppress(OSError):  # __exit__ shuts the listener down
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._relays.append(_Relay(self, client))


class _Relay(threading.Thread):
    """Relay of one connection; `over` resets it."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        super().__init__()
        self.over = threading.Event()
        self._proxy, self._client = proxy, client
        self._up, self._down = proxy.up, proxy.down
        self.start()

    def run(self) -> None:
        try:
            if not self._proxy.reachable:
                raise ConnectionRefusedError("the network is down")
            target = socket.create_connection(self._proxy.target)
        except OSError:
            self.over.set()
            self._close(self._client)
            return
        for side in (self._client, target):
            side.settimeout(TICK_S)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pump, args=(target, self._client, self._down, "down"))
        back.start()
        self._pump(self._client, target, self._up, "up")
        back.join()
        self._close(self._client, target)

    def _pump(self, source: socket.socket, sink: socket.socket, line: Line, name: str) -> None:
        relayed = 0
        while not self.over.is_set():
            if (room := line.room(relayed)) <= 0:
                self.over.wait(0 if line.cut_after_bytes is not None else None)
                break
            try:
                chunk = source.recv(room)
                if name == "up":
                    self._proxy.heard(chunk)
                self.over.wait(line.delay_s)
                self._send(sink, chunk)
            except TimeoutError:
                continue
            except OSError:
                break
            if not chunk:
                return
            relayed += len(chunk)
            self._proxy.count(name, len(chunk))
            self.over.wait(len(chunk) / (line.rate_bytes_per_s or float("inf")))
        self.over.set()

    def _send(self, sink: socket.socket, chunk: bytes) -> None:
        """Send all of it, or the end of the stream for no bytes; stop when `over`."""
        if not chunk:
            sink.shutdown(socket.SHUT_WR)
        while chunk and not self.over.is_set():
            with suppress(TimeoutError):
                chunk = chunk[sink.send(chunk) :]

    def _close(self, *sides: socket.socket) -> None:
        for side in sides:
            if self.over.is_set():
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.close()
