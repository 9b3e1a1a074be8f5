"""The usages of certificates: which one counts for mutual TLS, for evidence and for a server."""

from collections.abc import Collection
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.errors import NotGenuine
from agent.record.certificates import Certificate, names_of, readable

_TLS: Final = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
}


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
        extensions = certificate.extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        if not usage.critical:
            raise NotGenuine("not a certificate for Content Credentials: keyUsage is not critical")
        if ExtendedKeyUsageOID.EMAIL_PROTECTION not in _purposes(certificate):
            raise NotGenuine("not a certificate for Content Credentials: no emailProtection")


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
