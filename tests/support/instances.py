"""Instances of the backend behind nginx, and requests to both as they are spelled."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.backend import Backend
from tests.support.enrolment import Enrolled
from tests.support.wire import tls_line


@contextmanager
def instance(data: Path, *, behind_proxy: bool = True) -> Iterator[Backend]:
    """Start a backend that trusts the proxy at 127.0.0.1."""
    data.mkdir(mode=0o700, exist_ok=True)
    (data / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    backend = Backend(data, switches=True, identity=True, behind_proxy=behind_proxy).start()
    try:
        yield backend
    finally:
        backend.kill()


def address(backend: Backend) -> str:
    return f"127.0.0.1:{backend.port}"


def port_of(backend: Backend) -> int:
    """Return the port at which devices ask: nginx's, if the backend is behind one."""
    return int(backend.base_url.rpartition(":")[2])


def raw(backend: Backend, what: str, said: list[str], identity: Enrolled | None = None) -> int:
    """Return an answer's status through nginx; the headers are sent as they are spelled."""
    files = None if identity is None else identity.files
    with tls_line(port_of(backend), backend.ca_file, files) as line:
        return told(line, what, said)


def told(line: socket.socket, what: str, said: list[str]) -> int:
    """Return the status of the answer on this connection, and close it."""
    lines = [f"{what} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", "Tus-Resumable: 1.0.0"]
    line.sendall("\r\n".join([*lines, *said, "", ""]).encode())
    return int(line.recv(65_536).split(b" ")[1])
