"""A device's side of enrolment, in the fewest steps: for tests that need a certificate."""

import base64
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

import requests  # noqa: TID251 - the test's own side of the wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from agent.config import Config
from agent.record import certificates, signing
from agent.wire import http, tls
from agent.wire.tls import IDENTITY_FILE
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.clients import ClientKind, Clients
from doorstep_backend.identity.register import Register
from tests.support.backend import Backend
from tests.support.factory import RecordMaker, new_id
from tests.support.sending import QUICK
from tests.support.wire import Wire, record, speaking_to

EST: Final = "/.well-known/est"
PKCS10: Final = {"Content-Type": "application/pkcs10"}


class Enrols(Protocol):
    """The address and files of a backend that a device gets before it enrols."""

    @property
    def base_url(self) -> str: ...

    @property
    def ca_file(self) -> Path: ...

    @property
    def fleet_key_file(self) -> Path: ...


def required(backend: Enrols, url: str | None = None) -> dict[str, Any]:
    """Return `[identity]` and `[backend]` of a device that enrols there, or over `url`."""
    identity = {
        "mode": "required",
        "ca": str(backend.ca_file),
        "fleet_key": str(backend.fleet_key_file),
    }
    return {"identity": identity, "backend": {"url": url or backend.base_url, "receipt_keys": []}}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The files of a device that is let in: PEM, and the certificate that is in one."""

    device_id: str
    certificate: x509.Certificate
    certificate_file: Path
    key_file: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.certificate_file, self.key_file

    def into(self, folder: Path) -> Path:
        """Write both into one file, as the device keeps them in `keys/sync/`; return it."""
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / IDENTITY_FILE
        own.write_bytes(self.key_file.read_bytes() + self.certificate_file.read_bytes())
        return own


def enrolled(
    backend: Backend, folder: Path, device_id: str, label_key: signing.PrivateKey | None = None
) -> Enrolled:
    """Let a device in, and enrols it; with a `label_key` also for what it signs."""
    token = Register(backend.data).let_in(device_id)
    return enrolled_by(backend, token, folder, device_id, label_key)


def enrolled_by(
    backend: Enrols,
    token: str,
    folder: Path,
    device_id: str,
    label_key: signing.PrivateKey | None = None,
) -> Enrolled:
    """Enrol a device that was let in."""
    key = signing.new_key()
    answer = ask(backend, "simpleenroll", asked(device_id, key), auth=(device_id, token))
    made = kept(folder, device_id, certificate_in(answer), key)
    if label_key is not None:
        request = asked(device_id, label_key)
        certificate_in(ask(backend, "evidence/simpleenroll", request, cert=made.files))
    return made


def kept(
    folder: Path, device_id: str, certificate: x509.Certificate, key: signing.PrivateKey
) -> Enrolled:
    """Write a certificate and its key."""
    name = f"{device_id}-{certificate.serial_number:x}"
    made = Enrolled(device_id, certificate, folder / f"{name}.pem", folder / f"{name}.key")
    made.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_file.write_bytes(signing.private_pem(key))
    return made


def certified(device_id: str, folder: Path) -> tuple[Path, Path]:
    """Make a TLS certificate by the authority in `folder`/ca, which no office keeps."""
    key = signing.new_key()
    made = Authority.of(folder / "ca").tls(device_id, key.public_key(), datetime.now(UTC))
    return kept(folder, device_id, made, key).files


def asked(name: str, key: Any, names: Sequence[str] = ()) -> bytes:
    """Make a request for a certificate, as the body of a POST; with `names` for a server."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        other = x509.SubjectAlternativeName(map(certificates.general_name, names))
        builder = builder.add_extension(other, critical=False)
    made = builder.sign(key, hashes.SHA256())
    return base64.encodebytes(made.public_bytes(serialization.Encoding.DER))


def ask(backend: Enrols, what: str, body: bytes | None = None, **how: Any) -> Any:
    """Send an EST request on a connection of its own; POST with a body."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(backend.ca_file)
        if "cert" in how:
            how["cert"] = tuple(str(path) for path in how["cert"])
        how = {"headers": PKCS10, "timeout": 10, **how}
        method = "GET" if body is None else "POST"
        return session.request(method, f"{backend.base_url}{EST}/{what}", data=body, **how)


def certificate_in(answer: Any) -> x509.Certificate:
    """Return the one certificate in an answer. Raises AssertionError for a refusal."""
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    return certificate_of(answer.content)


def certificate_of(body: bytes) -> x509.Certificate:
    """Return the one certificate in the body of an answer."""
    (found,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
    return found


@dataclass
class EnrolledDevice:
    """A device that is let in, with its chain, and its own connection."""

    backend: Backend
    folder: Path
    identity: Enrolled
    maker: RecordMaker
    opened: ExitStack = field(default_factory=ExitStack)

    @property
    def device_id(self) -> str:
        return self.identity.device_id

    def wire(self) -> Wire:
        """Open a new connection each time."""
        wire = speaking_to(self.backend.base_url, self.backend.ca_file, self.identity.files)
        return self.opened.enter_context(wire)

    def get(self, path: str = "/fleet", identity: Enrolled | None = None, **headers: str) -> Any:
        files = (identity or self.identity).files
        with speaking_to(self.backend.base_url, self.backend.ca_file, files) as wire:
            return wire.get(path, **headers)

    def renewed(self) -> Enrolled:
        key = signing.new_key()
        body = asked(self.device_id, key)
        answer = ask(self.backend, "simplereenroll", body, cert=self.identity.files)
        return kept(self.folder, self.device_id, certificate_in(answer), key)

    def send(self, wire: Wire, maker: RecordMaker | None = None) -> Any:
        capture_id = new_id()
        content = record(maker or self.maker, capture_id)
        return wire.post(capture_id, content, content)


def expired(backend: Backend, folder: Path) -> Enrolled:
    """Enrol a device that slept: its only certificate ended a month ago."""
    return enrolled_beside(backend.data, folder, f"van-{uuid4()}", ago=timedelta(days=395))


def enrolled_beside(
    data: Path,
    folder: Path,
    device_id: str,
    label_key: signing.PrivateKey | None = None,
    ago: timedelta = timedelta(),
) -> Enrolled:
    """Enrol in the backend's database and not over the wire: it may be long ago."""
    key, then = signing.new_key(), datetime.now(UTC) - ago
    public = key.public_key()
    authority, register = Authority.of(data / "ca"), Register(data)
    register.let_in(device_id)
    known = register.enrol(device_id, public, then, lambda: authority.tls(device_id, public, then))
    if label_key is not None:
        signs = label_key.public_key()
        register.vouch(device_id, signs, then, lambda: authority.evidence(device_id, signs))
    return kept(folder, device_id, known.x509, key)


def technician(
    backend: Backend, folder: Path, name: str = "ada", kind: ClientKind = ClientKind.TECHNICIAN
) -> Path:
    """Make a technician's key and certificate in one file, as `technicians add` does."""
    key = signing.new_key()
    made = Authority.of(backend.data / "ca").client(name, key.public_key(), datetime.now(UTC))
    Clients(backend.data).add(name, made, kind)
    out = folder / f"{name}.pem"
    out.write_bytes(signing.private_pem(key) + made.public_bytes(serialization.Encoding.PEM))
    return out


def let_in(backend: Backend) -> tuple[str, str]:
    """Let a new device in; return its id and token, as `devices add` does."""
    device_id = f"van-{uuid4()}"
    return device_id, Register(backend.data).let_in(device_id)


def is_let_in(config: Config) -> bool:
    """Return whether the backend answers the device that has this configuration."""
    backend = http.Backend(config.backend, QUICK, tls=tls.for_backend(config))
    try:
        with closing(backend), backend.attempt():
            return backend.fleet(None).status == 200
    except http.NoAnswer:
        return False
