"""A TLS server that reads each request and then answers whatever bytes the test wants."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import trustme

from agent.record import signing


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Request], Iterable[bytes]]
"""From a request to what is written back; an empty answer closes the connection."""


@dataclass
class RawServer:
    """Has what a device must know of a backend, and the key that signs its receipts.

    Attributes:
        script: answers; replaced by the test at any time.
        requests: all that were read, in order.
        connections: TLS connections that were made.
        ended: connections that the client has closed, or the script.
    """

    base_url: str
    ca_file: Path
    receipt_key_file: Path
    key: signing.PrivateKey
    script: Script
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    ended: int = 0


@contextmanager
def raw_server(folder: Path) -> Iterator[RawServer]:
    ca, key = trustme.CA(), signing.new_key()
    ca_file, key_file = folder / "raw-ca.pem", folder / "raw-receipts.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    key_file.write_bytes(signing.public_pem(key.public_key()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        server = RawServer(url, ca_file, key_file, key, lambda _: [])
        accepting = threading.Thread(target=_accept, args=(listener, context, server))
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def head(status: int | str, **headers: object) -> bytes:
    """Make an answer's head; underscores in names become hyphens."""
    lines = [f"HTTP/1.1 {status} x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(status: int, body: bytes = b"", **headers: object) -> Iterable[bytes]:
    """Make a complete answer."""
    return [head(status, Content_Length=len(body), **headers) + body]


def _accept(listener: socket.socket, context: ssl.SSLContext, server: RawServer) -> None:
    threads: list[threading.Thread] = []
    lines: list[socket.socket] = []
    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            threads.append(threading.Thread(target=_serve, args=(plain, context, server, lines)))
            threads[-1].start()
    for line in lines:
        with suppress(OSError):
            socket.socket.shutdown(line, socket.SHUT_RDWR)  # whatever its thread waits for
    for thread in threads:
        thread.join()


def _serve(
    plain: socket.socket, context: ssl.SSLContext, server: RawServer, lines: list[socket.socket]
) -> None:
    plain.settimeout(10)
    # Else an answer waits 40 ms until the client acknowledges the tickets of the handshake.
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError, ssl.SSLError), context.wrap_socket(plain, server_side=True) as line:
        lines.append(line)
        server.connections += 1
        with line.makefile("rb") as reader:
            while (request := _read(reader)) is not None:
                server.requests.append(request)
                if not _write(line, server.script(request)):
                    break
    server.ended += 1


def _write(line: ssl.SSLSocket, pieces: Iterable[bytes]) -> bool:
    wrote = False
    for piece in pieces:
        line.sendall(piece)
        wrote = True
    return wrote


def _read(reader: BinaryIO) -> Request | None:
    first = reader.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := reader.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Request(first[0], first[1], headers, body)
