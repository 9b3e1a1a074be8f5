"""A relay of whole requests: what a script does between a device and a real backend."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.network.inner import Inner, inner_backend
from tests.support.rawserver import RawServer, Request, raw_server
from tests.support.sending import DeviceQueue, Sender, device_queue, sender


@dataclass(frozen=True, slots=True)
class Relayed:
    """A device, the server whose script stands between, and the backend.

    Attributes:
        server: its script answers each request, with `ask` or otherwise.
    """

    device: DeviceQueue
    sender: Sender
    server: RawServer
    inner: Inner

    def ask(self, request: Request) -> bytes:
        """The backend's own answer, whole."""
        lines = [f"{request.method} {request.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        with socket.create_connection(("127.0.0.1", self.inner.port)) as line:
            asked = "\r\n".join([*_without_connection(lines), "connection: close", "", ""])
            line.sendall(asked.encode("latin-1") + request.body)
            with line.makefile("rb") as reader:
                told, _, body = reader.read().partition(b"\r\n\r\n")
        kept = _without_connection(told.decode("latin-1").split("\r\n"))
        return "\r\n".join([*kept, "", ""]).encode("latin-1") + body


def _without_connection(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.lower().startswith("connection:")]


@dataclass(frozen=True, slots=True)
class _Reachable:
    base_url: str
    ca_file: Path
    receipt_key_file: Path


@contextmanager
def relayed(folder: Path) -> Iterator[Relayed]:
    """Relays honestly until the script is another."""
    with (
        inner_backend(folder / "backend") as inner,
        raw_server(folder) as server,
        device_queue(folder / "device") as made,
        sender(made, _Reachable(server.base_url, server.ca_file, inner.receipt_key_file)) as sends,
    ):
        one = Relayed(made, sends, server, inner)
        server.script = lambda request: [one.ask(request)]
        yield one
