"""Parsers of certificates, certificate requests and keys."""

import base64
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.exceptions import HTTPException

from agent.errors import NotGenuine
from agent.record import certificates, signing, usages
from agent.record.certificates import Certificate, CertificateChain, Expected
from agent.record.usages import Use, Wanted
from doorstep_backend.identity import basic, request, shown
from tests.faults.fuzz.parsers.asked import asked_with
from tests.faults.fuzz.parsers.keys import AUTHORITY, DEVICE, PUBLIC
from tests.faults.fuzz.parsers.parser import Parser
from tests.faults.fuzz.shapes import Shape


def _pem(content: bytes, kind: bytes) -> bytes:
    """Return DER as PEM; PEM stays as it is."""
    if content.startswith(b"-"):
        return content
    text = base64.encodebytes(content)
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (kind, text, kind)


def _looked_at(chain: CertificateChain) -> object:
    """Read everything that the product reads of a stranger's certificates."""
    looks: tuple[Callable[[Certificate], object], ...] = (
        certificates.is_authority,
        certificates.is_self_signed,
        certificates.names_of,
        certificates.key_sha256,
        usages.check_client,
        usages.check_evidence,
        usages.check_credentials,
        lambda one: certificates.check_named(one, DEVICE),
        lambda one: usages.check_server(one, ["127.0.0.1"]),
        lambda one: certificates.path(one, chain, AUTHORITY),
        lambda one: [certificates.starts(one), certificates.ends(one)],
        lambda one: shown.is_issued(one, AUTHORITY[0]),
    )
    seen: list[object] = []
    with suppress(NotGenuine):
        seen.append(certificates.issued(chain, PUBLIC, Expected(DEVICE, AUTHORITY)))
    for look in looks:
        for one in chain:
            try:
                seen.append(look(one))
            except NotGenuine as error:
                seen.append(error)
    return seen


def _certificates(content: bytes) -> object:
    return _looked_at(certificates.read_pem(_pem(content, b"CERTIFICATE")))


def _certificate(content: bytes) -> object:
    return _looked_at((certificates.read_der(content),))


def _cms(content: bytes) -> object:
    body = base64.encodebytes(content) if content[:1] == b"0" else content
    return _looked_at(certificates.read_answer(body))


def _csr(content: bytes) -> object:
    text = _pem(content, b"CERTIFICATE REQUEST").decode("latin-1")
    is_asked = Wanted(DEVICE, Use.TLS, AUTHORITY[0]).is_asked_by(text, PUBLIC)
    return is_asked, certificates.read_request(text)


def _est(content: bytes) -> object:
    """Read a certificate request as the backend does: the key, then the names."""
    body = base64.b64encode(content) if content[:1] == b"0" else content
    return request.read(body, DEVICE), request.names(body)


def _passed_on(content: bytes) -> object:
    """Read the certificate that a proxy passes on in a header."""
    pem = _pem(content, b"CERTIFICATE").replace(b"\n", b"%0A")
    found = shown.passed_on([(shown.HEADER, pem)])
    return found and (found.serial_number, shown.is_issued(found, AUTHORITY[0]))


def _basic(content: bytes) -> object:
    return basic.basic(asked_with({b"authorization": content}))


def _public_key(content: bytes) -> object:
    return signing.public_key(_pem(content, b"PUBLIC KEY"))


_OF_CERTIFICATE: Final = (NotGenuine,)

CERTIFICATE: Final = (
    Parser("certificates", _certificates, _OF_CERTIFICATE, Shape.DER, 65_536),
    Parser("certificate", _certificate, _OF_CERTIFICATE, Shape.DER, 65_536),
    Parser("cms", _cms, _OF_CERTIFICATE, Shape.DER, 65_536),
    Parser("csr", _csr, _OF_CERTIFICATE, Shape.DER, 65_536),
    Parser("est-request", _est, (request.BadRequestError,), Shape.DER, 16_384),
    Parser("passed-on", _passed_on, (), Shape.DER, 65_536),
    Parser("basic", _basic, (HTTPException,), most_bytes=65_536),
    Parser("public-key", _public_key, (NotGenuine, ValueError), Shape.DER, 65_536),
)
