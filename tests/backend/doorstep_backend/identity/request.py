"""A request for a certificate (PKCS #10): whose it is and which key it brings; pure."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.record.certificates import UNREADABLE
from agent.record.signing import PublicKey
from doorstep_backend.identity.names import canonical, names_in


class BadRequestError(ValueError):
    """A request that cannot be met for anybody; the text says why and what to change."""


def read(body: bytes, device_id: str) -> PublicKey:
    """Read the public key of a request for `device_id`; nothing else of it is used or copied.

    `body` is DER in base64, wrapped in lines or not (RFC 8951 section 3.1).

    Raises:
        BadRequestError: malformed, not signed by its own key, another kind of key, another name.
    """
    with _readable("not a PKCS #10 request in base64"):
        asked = _parsed(body)
        key = asked.public_key()
        if not isinstance(key, PublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadRequestError("the key is not a P-256 key; make one of that kind")
        if not asked.is_signature_valid:
            raise BadRequestError("the request is not signed by the key in it; make it again")
        names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [name.value for name in names] != [device_id]:
            raise BadRequestError(f"the common name must be {device_id}, the device that asks")
        return key


def names(body: bytes) -> frozenset[str]:
    """Read the host names and addresses that a request asks for, as given; maybe none.

    Raises:
        BadRequestError: malformed, or something else than names and addresses.
    """
    with _readable("a name in the request"):
        return frozenset(canonical(name) for name in names_in(_parsed(body)))


def _parsed(body: bytes) -> x509.CertificateSigningRequest:
    der = base64.b64decode(b"".join(body.split()), validate=True)
    return x509.load_der_x509_csr(der)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turn all that the library raises, at once or at a later look, into BadRequestError."""
    try:
        yield
    except BadRequestError:
        raise
    except UNREADABLE as error:
        raise BadRequestError(f"{what}: {error}") from error
