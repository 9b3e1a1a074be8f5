"""The usages of certificates: requests for each, and checks of the certificates."""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.errors import NotGenuine
from agent.record.certificates import (
    Certificate,
    general_name,
    names_of,
    read_request,
    readable,
)
from agent.record.signing import PrivateKey, PublicKey


class Use(StrEnum):
    """The uses of this device's certificates."""

    TLS = "tls"
    EVIDENCE = "evidence"
    SERVE = "serve"


_PURPOSE: Final = {
    Use.TLS: ExtendedKeyUsageOID.CLIENT_AUTH,
    Use.EVIDENCE: ExtendedKeyUsageOID.EMAIL_PROTECTION,
    Use.SERVE: ExtendedKeyUsageOID.SERVER_AUTH,
}

_AS_THE_AUTHORITY: Final = (
    NameOID.COUNTRY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.ORGANIZATION_NAME,
)
"""Fields of the name that `openssl ca` takes only if they are the authority's own.

Source: OpenSSL 3.5, apps/openssl.cnf, policy_match.
"""

_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate that a person takes to an authority as a request in a file.

    Attributes:
        authority: the certificate of that authority.
        names: host names and addresses of a server, as `certificates.server_names` writes them.
    """

    device_id: str
    use: Use
    authority: Certificate
    names: frozenset[str] = frozenset()

    def request(self, key: PrivateKey) -> str:
        """Return a new request, PEM, for `key`.

        Its name has fields of the authority's name, and the device's id as CN. The OU differs each
        time, because `openssl ca` gives no two valid certificates to one name. It also asks for
        the usages, for authorities that copy them.
        """
        builder = x509.CertificateSigningRequestBuilder()
        builder = builder.subject_name(self._subject(f"{self.use} {secrets.token_hex(4)}"))
        for value, critical in self._extensions():
            builder = builder.add_extension(value, critical)
        made = builder.sign(key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def is_asked_by(self, text: str, key: PublicKey) -> bool:
        """Return True if this request, PEM, still asks for this certificate, for `key`.

        It asks for nothing else: an authority may copy whatever usage a request asks for.
        """
        try:
            asked = read_request(text)
            with readable("not a certificate request"):
                found = x509.load_pem_x509_csr(text.encode())
                units = found.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
                unit = str(units[0].value) if units else ""
                is_named = found.subject.public_bytes() == self._subject(unit).public_bytes()
                asks = [(one.value, one.critical) for one in found.extensions]
        except NotGenuine:
            return False
        is_own = re.fullmatch(rf"{self.use} [0-9a-f]{{8}}", unit) is not None
        return asked.key == key and is_own and is_named and asks == self._extensions()

    def _subject(self, unit: str) -> x509.Name:
        others = (NameOID.ORGANIZATIONAL_UNIT_NAME, unit), (NameOID.COMMON_NAME, self.device_id)
        return x509.Name(
            [*self._shared(), *(x509.NameAttribute(kind, text) for kind, text in others)]
        )

    def _extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        """Return what the request asks for, and whether each of it is critical."""
        asked: list[tuple[x509.ExtensionType, bool]] = [
            (_USAGE, True),
            (x509.ExtendedKeyUsage([_PURPOSE[self.use]]), False),
        ]
        if self.names:
            names = x509.SubjectAlternativeName(map(general_name, sorted(self.names)))
            asked.append((names, False))
        return asked

    def _shared(self) -> list[x509.NameAttribute[str | bytes]]:
        """Return the authority's fields: `openssl ca` also compares their kinds of text."""
        subject = self.authority.subject
        found = (subject.get_attributes_for_oid(kind) for kind in _AS_THE_AUTHORITY)
        return [one for fields in found for one in fields[:1]]


_TLS: Final = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
}


def check(use: Use, certificate: Certificate, names: Collection[str]) -> None:
    """Raise NotGenuine if the certificate does not count for this use; `names` are a server's."""
    match use:
        case Use.TLS:
            check_client(certificate)
        case Use.EVIDENCE:
            check_evidence(certificate)
        case Use.SERVE:
            check_server(certificate, names)
        case _:
            assert_never(use)


def check_client(certificate: Certificate) -> None:
    """Raise NotGenuine unless a device may show the certificate in mutual TLS.

    RFC 5280 lets a certificate without purposes serve every purpose. Here it must name clientAuth,
    so that no certificate of a TLS key can be a certificate for evidence.
    """
    with readable("not a certificate for TLS"):
        if ExtendedKeyUsageOID.CLIENT_AUTH not in _purposes(certificate):
            raise NotGenuine("not a certificate for TLS: no clientAuth in its extendedKeyUsage")
        _check_signs(certificate, "TLS")


def check_evidence(certificate: Certificate) -> None:
    """Raise NotGenuine if records signed by the key would not count as evidence."""
    with readable("not a certificate for evidence"):
        for purpose, name in _TLS.items():
            if purpose in _purposes(certificate):
                words = f"it has {name}, and a stolen TLS key must not sign records"
                raise NotGenuine(f"not a certificate for evidence: {words}")
        _check_signs(certificate, "evidence")


def check_credentials(certificate: Certificate) -> None:
    """Raise NotGenuine if a photo's Content Credentials signed by the key would not count.

    Source: C2PA Technical Specification 2.2 section 14.5.1, certificate profile.
    """
    with readable("not a certificate for Content Credentials"):
        usages = [one for one in certificate.extensions if isinstance(one.value, x509.KeyUsage)]
        kind = x509.AuthorityKeyIdentifier
        has_issuer = any(isinstance(one.value, kind) for one in certificate.extensions)
        purposes = _purposes(certificate)
    flaws = {
        "no keyUsage": not usages,
        "its keyUsage is not critical": not all(one.critical for one in usages),
        "no emailProtection": ExtendedKeyUsageOID.EMAIL_PROTECTION not in purposes,
        "no authorityKeyIdentifier": not has_issuer,
    }
    if found := [words for words, is_so in flaws.items() if is_so]:
        raise NotGenuine(f"not a certificate for Content Credentials: {', '.join(found)}")


def check_server(certificate: Certificate, names: Collection[str]) -> None:
    """Raise NotGenuine unless a server may show the certificate under each of these names.

    Source: RFC 5280 section 4.2.1.12, RFC 9110 section 4.3.4.
    """
    with readable("not a certificate for a server"):
        if ExtendedKeyUsageOID.SERVER_AUTH not in _purposes(certificate):
            raise NotGenuine("not a certificate for a server: no serverAuth")
        _check_signs(certificate, "a server")
        if missing := sorted(set(names) - names_of(certificate)):
            raise NotGenuine(f"not for {missing[0]}, which was asked for")


def _purposes(certificate: Certificate) -> frozenset[x509.ObjectIdentifier]:
    """Return the purposes in extendedKeyUsage; empty without one."""
    found = (one.value for one in certificate.extensions)
    return frozenset(
        purpose for one in found if isinstance(one, x509.ExtendedKeyUsage) for purpose in one
    )


def _check_signs(certificate: Certificate, what: str) -> None:
    """Raise NotGenuine if a keyUsage is there, and forbids signatures (RFC 5280, 4.2.1.3)."""
    for one in certificate.extensions:
        if isinstance(one.value, x509.KeyUsage) and not one.value.digital_signature:
            raise NotGenuine(f"not a certificate for {what}: no digitalSignature in its keyUsage")
