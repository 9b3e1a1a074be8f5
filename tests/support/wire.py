"""The device's side of the wire, request by request: what contract tests speak to a server."""

import hashlib
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests  # noqa: TID251 - the test's own side of the wire

from agent.models import CaptureId
from agent.record import signing
from tests.support.factory import RecordMaker

VERSION = {"Tus-Resumable": "1.0.0"}
BODY = {"Content-Type": "application/offset+octet-stream"}
PHOTO = b"\xff\xd8" + bytes(range(256)) * 1200 + b"\xff\xd9"


@dataclass(frozen=True)
class Wire:
    """Speaks tus to a backend, one method per request."""

    session: requests.Session
    base_url: str

    def get(self, path: str, **headers: str) -> Any:
        return self.session.get(self.base_url + path, headers=headers, timeout=10)

    def post(self, capture_id: str, content: bytes, sent: Any = None, **more: str) -> Any:
        headers = VERSION | announce(capture_id, content) | (BODY if sent is not None else {})
        url = f"{self.base_url}/files"
        return self.session.post(url, data=sent, headers=headers | more, timeout=10)

    def head(self, capture_id: str, **more: str) -> Any:
        url = f"{self.base_url}/files/{capture_id}"
        return self.session.head(url, headers=VERSION | more, timeout=10)

    def patch(self, capture_id: str, offset: int, sent: Any, **more: str) -> Any:
        headers = VERSION | BODY | {"Upload-Offset": str(offset)} | more
        url = f"{self.base_url}/files/{capture_id}"
        return self.session.patch(url, data=sent, headers=headers, timeout=10)

    def receipts(self, *capture_ids: str) -> Any:
        body = {"capture_ids": capture_ids}
        return self.session.post(f"{self.base_url}/receipts", json=body, timeout=10)


def named(device_id: str) -> dict[str, str]:
    """Name of a device without a certificate, for Basic. Source: RFC 7617 section 2."""
    return {"Authorization": "Basic " + b64encode(f"{device_id}:".encode()).decode()}


def announce(capture_id: str, content: bytes, **changed: str) -> dict[str, str]:
    said = {
        "capture_id": capture_id,
        "sha256": hashlib.sha256(content).hexdigest(),
        "filetype": "application/octet-stream",
    } | changed
    pairs = (f"{name} {b64encode(text.encode()).decode()}" for name, text in said.items())
    return {"Upload-Length": str(len(content)), "Upload-Metadata": ",".join(pairs)}


def stranger() -> RecordMaker:
    """Make a device that no backend has seen yet: a backend pins the key of each."""
    return RecordMaker(device_id=f"d-{uuid4()}")


def record(maker: RecordMaker, capture_id: str, photo: bytes = PHOTO) -> bytes:
    """Make the maker's next record, under an id that the test knows."""
    said = {"simulated": True, "new": "field"}
    return maker.make(record=said, photo=photo, capture_id=CaptureId(capture_id)).content


@contextmanager
def speaking_to(
    base_url: str, ca_file: Path, identity: tuple[Path, Path] | None = None
) -> Iterator[Wire]:
    """Open a session that trusts `ca_file`, and nothing from the environment.

    With an `identity`, its certificate and key, it shows them.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(ca_file)
        session.cert = None if identity is None else (str(identity[0]), str(identity[1]))
        yield Wire(session, base_url)


def proven(receipt_key_file: Path, jws: str) -> dict[str, Any]:
    """Return the payload of a receipt or refusal that the configured key signed."""
    key = signing.read_public_key(receipt_key_file)
    return signing.verify(jws, {signing.thumbprint(key): key})


def tls_line(
    port: int,
    ca_file: Path,
    identity: tuple[Path, Path] | None = None,
    source: str = "127.0.0.1",
    name: str = "127.0.0.1",
) -> ssl.SSLSocket:
    """Connect from `source` to a server of loopback, which shows that it is `name`."""
    context = ssl.create_default_context(cafile=str(ca_file))
    if identity is not None:
        context.load_cert_chain(*identity)
    plain = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
    return context.wrap_socket(plain, server_hostname=name)


def begun_post(
    port: int,
    ca_file: Path,
    announced: dict[str, str],
    sent: bytes,
    identity: tuple[Path, Path] | None = None,
) -> ssl.SSLSocket:
    """Send the head and only the first bytes of the body of a POST; leave the connection open."""
    headers = VERSION | BODY | announced
    headers |= {"Host": "127.0.0.1", "Content-Length": announced["Upload-Length"]}
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    line = tls_line(port, ca_file, identity)
    line.sendall(f"POST /files HTTP/1.1\r\n{lines}\r\n".encode() + sent)
    return line
