"""X.509: requests for certificates, certificates and their chains.

All input is untrusted: an unreadable one raises NotGenuine with the reason.
"""

import base64
import hashlib
import textwrap
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final, TypeGuard

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from agent.errors import NotGenuine, not_read
from agent.record.signing import PrivateKey, PublicKey
from hardware.foreign import SMALL_BYTES, read_file

Certificate = x509.Certificate

CertificateChain = tuple[Certificate, ...]
"""A certificate, then each one's issuer; the authority that is trusted itself is not in it."""

CERTIFICATES_LIMIT: Final = 16
"""Most certificates in one answer or file: three would do, and each costs a signature to check."""

UNREADABLE: Final = (
    ValueError,  # binascii's too
    TypeError,
    RecursionError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)
"""Errors of the library for wrong certificates, some raised only at a later use.

The last is for what its next releases will refuse, such as a negative serial number; it is an error
where warnings are, as in tests.
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """The certificates that count: this device's, by a trusted authority."""

    device_id: str
    trusted: CertificateChain


class NotTrusted(NotGenuine):
    """A certificate by an authority that is not trusted here, or without one on the way to it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A PKCS#10 request.

    Attributes:
        der: the whole request.
        device_id: its CN; empty without one, or with several.
        names: host names and addresses of a server.
    """

    der: bytes
    key: PublicKey
    device_id: str
    names: frozenset[str] = frozenset()


def request(key: PrivateKey, device_id: str, names: Collection[str] = ()) -> Request:
    """Ask for a certificate for `key`, with the device's id as CN (RFC 2986).

    With `names` for a server: host names and addresses, as subjectAltName.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    if asked := server_names(names):
        others = x509.SubjectAlternativeName([general_name(one) for one in sorted(asked)])
        builder = builder.add_extension(others, critical=False)
    made = builder.sign(key, hashes.SHA256())
    return Request(
        made.public_bytes(serialization.Encoding.DER), key.public_key(), device_id, asked
    )


def server_names(names: Collection[str]) -> frozenset[str]:
    """Write names as certificates do: hosts in lower case, addresses in their short form."""
    return frozenset(str(_address(one) or one.lower()) for one in names)


def request_pem(asked: Request) -> str:
    """Write the request as PEM, in lines of 64 characters (RFC 7468 section 2)."""
    text = "\n".join(textwrap.wrap(base64.b64encode(asked.der).decode(), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"


def read_request(pem: str) -> Request:
    """Read a request that another process made.

    Raises:
        NotGenuine: not a request, or not for a P-256 key that signed it.
    """
    with readable("not a certificate request"):
        found = x509.load_pem_x509_csr(pem.encode())
        key = found.public_key()
        if not _is_p256(key) or not found.is_signature_valid:
            raise NotGenuine("not a certificate request by a P-256 key")
        der = found.public_bytes(serialization.Encoding.DER)
        return Request(der, key, common_name(found), _names(found.extensions))


def read_pem(pem: bytes) -> CertificateChain:
    """Read the certificates in PEM, in their order.

    Raises:
        NotGenuine: there are none, too many, or one cannot be read.
    """
    with readable("no certificates in it"):
        return _few(x509.load_pem_x509_certificates(pem))


def read_authorities(path: Path) -> CertificateChain:
    """Read the certificates of the fleet's authority in a file that a person names.

    Raises:
        ConfigError: there are none, or it cannot be read; NotReadNow if that may pass.
    """
    try:
        return read_pem(read_file(path, SMALL_BYTES))
    except (OSError, ValueError) as error:
        raise not_read(path, "the fleet's certificate authority", error) from error


def read_der(der: bytes) -> Certificate:
    """Read a certificate in DER.

    Raises:
        NotGenuine: it cannot be read.
    """
    with readable("no certificate"):
        return x509.load_der_x509_certificate(der)


def read_answer(body: bytes) -> CertificateChain:
    """Read an EST answer: certs-only PKCS#7 in base64, in lines or not (RFC 8951).

    Raises:
        NotGenuine: it is anything else.
    """
    with readable("no certificates in it"):
        der = base64.b64decode(b"".join(body.split()), validate=True)
        return _few(pkcs7.load_der_pkcs7_certificates(der))


def pem(chain: Sequence[Certificate]) -> bytes:
    """Write the certificates as PEM, one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)


def issued(found: Sequence[Certificate], key: PublicKey, expected: Expected) -> CertificateChain:
    """Return the chain from the certificate for `key` among those `found` to a trusted authority.

    Raises:
        NotTrusted: it leads to no trusted authority.
        NotGenuine: none is for this key, or it names another device.
    """
    with readable("not certificates as they should be"):
        leaf = next((one for one in found if is_for(one, key)), None)
        if leaf is None:
            raise NotGenuine("for another key than the one that was asked for")
        check_named(leaf, expected.device_id)
        return path(leaf, found, expected.trusted)


def path(
    leaf: Certificate, pool: Sequence[Certificate], trusted: Sequence[Certificate]
) -> CertificateChain:
    """Return the chain from `leaf` by issuers in `pool` to a trusted authority, whatever its dates.

    Raises:
        NotTrusted: the chain leads to none, or is longer than CERTIFICATES_LIMIT: anybody can
            plant hundreds of authorities that issue each other.
    """
    chain = [leaf]
    while not any(_is_by(chain[-1], authority) for authority in trusted):
        issuers = (one for one in pool if one not in chain and is_authority(one))
        issuer = next((one for one in issuers if _is_by(chain[-1], one)), None)
        if issuer is None or len(chain) == CERTIFICATES_LIMIT:
            raise NotTrusted("by an authority that is not trusted here")
        chain.append(issuer)
    return tuple(chain)


def is_for(certificate: Certificate, key: PublicKey) -> bool:
    """Return True if the certificate is for this key."""
    found = certificate.public_key()
    return _is_p256(found) and found == key


def has_p256_key(certificate: Certificate) -> bool:
    """Return True if the certificate is for a P-256 key."""
    with readable("not a certificate with a usable key"):
        return _is_p256(certificate.public_key())


def is_authority(certificate: Certificate) -> bool:
    """Return True if the certificate may issue others."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except UNREADABLE:
        return False
    return found.value.ca


def is_self_signed(certificate: Certificate) -> bool:
    """Return True if the certificate's own key signed it: then the key's owner made it."""
    return _is_by(certificate, certificate)


def common_name(one: Certificate | x509.CertificateSigningRequest) -> str:
    """Return the CN; empty if it is missing, or there are several."""
    names = one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def starts(certificate: Certificate) -> datetime:
    """Return the time from which a certificate is valid."""
    return certificate.not_valid_before_utc


def ends(certificate: Certificate) -> datetime:
    """Return the time until which a certificate is valid."""
    return certificate.not_valid_after_utc


def check_named(certificate: Certificate, device_id: str) -> None:
    """Raise NotGenuine if the certificate is for another device."""
    with readable("not a certificate with a name"):
        if (name := common_name(certificate)) != device_id:
            words = f"for another device: {name!r:.80}, and this one is {device_id}"
            raise NotGenuine(words)


def names_of(certificate: Certificate) -> frozenset[str]:
    """Return the hosts and addresses that a certificate is for, written as by `server_names`."""
    with readable("not a certificate for a server"):
        return _names(certificate.extensions)


def key_sha256(certificate: Certificate) -> str:
    """Return the SHA-256 of the SubjectPublicKeyInfo, hex: it pins an authority (RFC 7469)."""
    with readable("not a certificate with a usable key"):
        info = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    return hashlib.sha256(info).hexdigest()


def _is_by(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _names(extensions: x509.Extensions) -> frozenset[str]:
    """Return the hosts and addresses in the subjectAltName; empty without one."""
    kind = x509.SubjectAlternativeName
    found = next((one.value for one in extensions if isinstance(one.value, kind)), None)
    hosts = found.get_values_for_type(x509.DNSName) if found else []
    addresses = found.get_values_for_type(x509.IPAddress) if found else []
    return frozenset([*(one.lower() for one in hosts), *map(str, addresses)])


def general_name(name: str) -> x509.GeneralName:
    """Return an address or a host name as a subjectAltName has it."""
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _is_p256(key: object) -> TypeGuard[PublicKey]:
    return isinstance(key, PublicKey) and isinstance(key.curve, ec.SECP256R1)


def _few(found: Sequence[Certificate]) -> CertificateChain:
    if not 1 <= len(found) <= CERTIFICATES_LIMIT:
        raise NotGenuine(f"{len(found)} certificates, where 1 to {CERTIFICATES_LIMIT} are right")
    return tuple(found)


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn each error of the library into NotGenuine, which says `what` is wrong."""
    try:
        yield
    except NotGenuine:
        raise
    except x509.ExtensionNotFound as error:
        raise NotGenuine(f"{what}: {str(error)[:120]}") from error
    except UNREADABLE as error:
        raise NotGenuine(f"{what}, or damaged") from error
