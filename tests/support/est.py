"""A small EST server over HTTPS, which issues as a fleet's authority does, or misbehaves.

It also has what enrolment fetches from a backend: `GET /fleet`.
"""

import base64
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent.record import certificates, signing
from tests.support.authority import Authority, certs_only, new_authority
from tests.support.fleet_documents import fleet_document
from tests.support.waiting import until

PREFIX: Final = "/.well-known/est/"
SERVED: Final = "served.example"
"""A name that each device of `est_process` was given."""

NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: an expired certificate gets an answer in place of a broken line."""


@dataclass(frozen=True)
class Asked:
    """A request; `peer` is the certificate that was shown, `port` the client's."""

    method: str
    path: str
    login: str | None
    body: bytes
    peer: x509.Certificate | None
    headers: dict[str, str]
    port: int


@dataclass(frozen=True)
class Answered:
    """An answer; its body takes `byte_every_s` for each byte, 0 for none."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    byte_every_s: float = 0.0


@dataclass
class EstServer:
    """Attributes:
    script: what it does in place of its part; None from it goes on as usual.
    tokens: which device may enrol by which token.
    alone: whether an answer has the one certificate, without what leads to the root.
    revoked: serials that are let in no more.
    shown: serials by device, in the order of their first use: one whose successor was used
        is a copy's.
    fleet: the fleet document.
    given: names that a device's own server may have.
    """

    authority: Authority
    folder: Path
    url: str = ""
    script: Callable[[Asked], Answered | None] = lambda _: None
    tokens: dict[str, str] = field(default_factory=lambda: {"van-7": "blue-42"})
    revoked: set[int] = field(default_factory=set)
    alone: bool = False
    shown: dict[str, list[int]] = field(default_factory=dict)
    fleet: str | None = None
    given: set[str] = field(default_factory=set)
    life: timedelta = timedelta(days=365)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    issued: dict[tuple[str, str, str], x509.Certificate] = field(default_factory=dict)
    context: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    used: dict[str, str] = field(default_factory=dict)

    @property
    def ca_file(self) -> Path:
        return self.folder / "est-ca.pem"

    def turn_away(self, *revoked: x509.Certificate) -> None:
        """Refuse ended and revoked certificates in TLS from now on, as many authorities do."""
        crl = self.folder / "crl.pem"
        crl.write_bytes(self.authority.revoking(*revoked))
        self.context.load_verify_locations(crl)
        self.context.verify_flags &= ~ssl.VerifyFlags(NO_CHECK_TIME)
        self.context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF

    def answer(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        if (scripted := self.script(asked)) is not None:
            return scripted
        path = asked.path.removeprefix(PREFIX)
        if path == "cacerts":
            return Answered(200, certs_only([self.authority.certificate]))
        if path == "simpleenroll":
            return self._by_token(asked)
        if asked.peer is None:
            return Answered(403, b"no certificate")
        return self._as_device(path, asked, certificates.common_name(asked.peer), asked.peer)

    def _is_a_copy(self, device: str, serial: int) -> bool:
        """Return True for a superseded certificate; the one before lives until the next is used."""
        shown = self.shown.setdefault(device, [])
        if serial in shown[:-1]:
            return True
        if serial not in shown:
            shown.append(serial)
        return False

    def paths(self) -> list[str]:
        return [one.path.removeprefix(PREFIX) for one in self.asked]

    def _by_token(self, asked: Asked) -> Answered:
        device, _, token = (asked.login or "").partition(":")
        if not token or self.tokens.get(device) != token:
            return Answered(401, b"unknown token")
        key = signing.thumbprint(requested(asked).public_key())  # type: ignore[arg-type]
        if self.used.setdefault(token, key) != key:
            return Answered(403, b"token used")
        return self._issue(asked, device, "tls")

    def _as_device(self, path: str, asked: Asked, device: str, peer: x509.Certificate) -> Answered:
        if peer.serial_number in self.revoked:
            return Answered(403, b"certificate revoked")
        if self._is_a_copy(device, peer.serial_number):
            return Answered(403, b"certificate replaced")
        return self._issued(path, asked, device)

    def _issued(self, path: str, asked: Asked, device: str) -> Answered:
        if path == "evidence/simpleenroll":
            return self._issue(asked, device, "evidence")
        if path == "serve/simpleenroll":
            return self._serve(asked, device)
        if path == "simplereenroll":
            return self._issue(asked, device, "tls")
        if path == "/fleet":
            return Answered(404) if self.fleet is None else Answered(200, self.fleet.encode())
        return Answered(404, b"not found")

    def _serve(self, asked: Asked, device: str) -> Answered:
        names = certificates.read_request(_pem(asked)).names
        if not names or names - self.given:
            return Answered(403, b"not given that name")
        return self._issue(asked, device, f"serve {sorted(names)}", names)

    def _issue(
        self, asked: Asked, device: str, label: str, names: Collection[str] = ()
    ) -> Answered:
        found = requested(asked)
        called = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        if [name.value for name in called] != [device]:
            return Answered(403, b"another name")
        key: Any = found.public_key()
        place = device, label, signing.thumbprint(key)
        if place not in self.issued:
            evidence = label == "evidence"
            self.issued[place] = self.authority.issue(
                key, device, life=self.life, evidence=evidence, server=bool(names), names=names
            )
        above = () if self.alone else self.authority.above
        return Answered(200, certs_only([self.issued[place], *above]))


def _pem(asked: Asked) -> str:
    return requested(asked).public_bytes(serialization.Encoding.PEM).decode()


def requested(asked: Asked) -> x509.CertificateSigningRequest:
    return x509.load_der_x509_csr(base64.b64decode(asked.body))


@contextmanager
def est_server(
    folder: Path, authority: Authority | None = None, root: Authority | None = None
) -> Iterator[EstServer]:
    """Run a server whose authority may be below a `root`, which is the trusted one then."""
    folder.mkdir(parents=True, exist_ok=True)
    server = EstServer(authority or new_authority(), folder)
    server.ca_file.write_bytes((root or server.authority).pem)
    key = signing.new_key()
    made = server.authority.issue(key.public_key(), "127.0.0.1", server=True)
    own = folder / "est-tls.pem"
    chain = certificates.pem([made, *server.authority.above])
    own.write_bytes(signing.private_pem(key) + chain)
    context = server.context
    context.load_cert_chain(own)
    context.load_verify_locations(server.ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    listener = _Listener(("127.0.0.1", 0), _handler(server))
    listener.context = context
    listener.est = server
    server.url = f"https://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    context: ssl.SSLContext
    est: EstServer

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(10)
        with suppress(OSError), self.context.wrap_socket(request, server_side=True) as line:
            self.est.connections += 1
            super().finish_request(line, client_address)


def _handler(server: EstServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # see rawserver.py

        def do_GET(self) -> None:
            self._do(b"")

        def do_HEAD(self) -> None:
            self._do(b"")

        def do_POST(self) -> None:
            self._do(self.rfile.read(int(self.headers["Content-Length"])))

        def _do(self, body: bytes) -> None:
            line: Any = self.connection
            der = line.getpeercert(binary_form=True)
            peer = x509.load_der_x509_certificate(der) if der else None
            basic = self.headers.get("Authorization", "").removeprefix("Basic ")
            login = base64.b64decode(basic).decode() or None
            port = self.client_address[1]
            asked = Asked(self.command, self.path, login, body, peer, dict(self.headers), port)
            answer = server.answer(asked)
            self.send_response(answer.status)
            headers = {"Content-Length": str(len(answer.body))} | answer.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                _write(self.wfile, answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _write(line: BufferedIOBase, answer: Answered) -> None:
    if not answer.byte_every_s:
        line.write(answer.body)
        return
    for one in answer.body:
        time.sleep(answer.byte_every_s)
        line.write(bytes([one]))


@contextmanager
def est_process(folder: Path, authority: Authority) -> Iterator[str]:
    """Run it in a process of its own, for tests that fork; yield its address."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        files = signing.private_pem(authority.key), authority.pem
        stop = folder / "stop"
        serving = pool.submit(_serve, folder, files, stop)
        try:
            place = folder / "url"
            until(place.exists)
            yield place.read_text()
        finally:
            stop.touch()
            serving.result()


def _serve(folder: Path, files: tuple[bytes, bytes], stop: Path) -> None:
    key = serialization.load_pem_private_key(files[0], None)
    assert isinstance(key, signing.PrivateKey)
    fleet_key = signing.new_key()
    with est_server(folder, Authority(key, certificates.read_pem(files[1])[0])) as server:
        server.fleet = fleet_document(fleet_key)
        server.given = {SERVED}
        part = folder / "url.part"
        part.write_text(server.url)
        (folder / "fleet-key.pem").write_bytes(signing.public_pem(fleet_key.public_key()))
        part.rename(folder / "url")
        until(stop.exists, 600.0, every_s=0.05)


def required(server: EstServer, folder: Path, key: signing.PublicKey) -> dict[str, Any]:
    """Return the tables of a device that enrols there, and write the files that they name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.pem").write_bytes(server.ca_file.read_bytes())
    (folder / "fleet-key.pem").write_bytes(signing.public_pem(key))
    return {
        "identity": {"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"},
        "backend": {"url": server.url, "receipt_keys": []},
    }
