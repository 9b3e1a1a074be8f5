"""Usages of certificates: what may be shown in TLS, sign records or photos, and serve names."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.errors import NotGenuine
from agent.record import certificates, signing, usages
from agent.record.certificates import Certificate
from tests.support.authority import YEAR, new_authority

PUBLIC: Final = signing.new_key().public_key()
AUTHORITY: Final = new_authority()
NAMES: Final = frozenset({"van-7.vans.example", "10.8.0.7", "2001:db8::7"})
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
EMAIL, ANY = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


def issued(*purposes: ObjectIdentifier, signs: bool = True) -> Certificate:
    return AUTHORITY.issue(PUBLIC, "van-7", evidence=True, purposes=purposes, signs=signs)


def bare() -> Certificate:
    """Make a certificate without any extension, as `openssl x509` 1.1 does."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "van-7")])
    begins = datetime(2026, 11, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).public_key(PUBLIC).serial_number(7)
    made = made.issuer_name(AUTHORITY.certificate.subject).not_valid_before(begins)
    return made.not_valid_after(begins + YEAR).sign(AUTHORITY.key, hashes.SHA256())


@pytest.mark.parametrize(
    ("purposes", "is_client", "is_evidence"),
    [
        ((CLIENT,), True, False),
        ((CLIENT, SERVER), True, False),
        ((CLIENT, EMAIL), True, False),
        ((SERVER,), False, False),
        ((SERVER, EMAIL), False, False),
        ((EMAIL,), False, True),
        ((ANY,), False, True),
        ((), False, True),
    ],
    ids=str,
)
def test_no_certificate_is_both_for_tls_and_for_evidence(
    purposes: tuple[ObjectIdentifier, ...], is_client: bool, is_evidence: bool
) -> None:
    """A stolen TLS key could sign evidence."""
    found = issued(*purposes)

    assert is_right(usages.check_client, found) is is_client
    assert is_right(usages.check_evidence, found) is is_evidence


def is_right(check: Callable[[Certificate], None], found: Certificate) -> bool:
    try:
        check(found)
    except NotGenuine:
        return False
    return True


def test_key_usage_that_forbids_signatures_is_refused() -> None:
    for check, purpose in (
        (usages.check_client, CLIENT),
        (usages.check_evidence, EMAIL),
        (lambda one: usages.check_server(one, []), SERVER),
    ):
        check(issued(purpose))
        with pytest.raises(NotGenuine, match="no digitalSignature in its keyUsage"):
            check(issued(purpose, signs=False))


def test_key_usage_may_be_missing() -> None:
    usages.check_evidence(bare())


def test_authority_is_no_evidence() -> None:
    with pytest.raises(NotGenuine, match="not a certificate for evidence"):
        usages.check_evidence(AUTHORITY.certificate)


def test_content_credentials_need_a_profile_that_evidence_does_not() -> None:
    """A reader may ignore a key usage that is not critical."""
    lax = AUTHORITY.issue(PUBLIC, "van-7", evidence=True, critical=False)
    for found, words in (
        (lax, "its keyUsage is not critical"),
        (issued(), "no emailProtection"),
        (bare(), "no keyUsage, no emailProtection, no authorityKeyIdentifier"),
    ):
        usages.check_evidence(found)
        with pytest.raises(NotGenuine, match=words):
            usages.check_credentials(found)
    usages.check_credentials(issued(EMAIL))


def test_server_needs_its_purpose_and_each_of_its_names() -> None:
    found = AUTHORITY.issue(PUBLIC, "van-7", server=True, names=NAMES)
    usages.check_server(found, NAMES)
    usages.check_server(found, ["10.8.0.7"])
    assert certificates.names_of(found) == NAMES

    with pytest.raises(NotGenuine, match=r"not for 10\.8\.0\.8, which was asked for"):
        usages.check_server(found, ["10.8.0.8"])
    with pytest.raises(NotGenuine, match="no serverAuth"):
        usages.check_server(AUTHORITY.issue(PUBLIC, "van-7"), [])
    with pytest.raises(NotGenuine, match="not a certificate for a server"):
        usages.check_server(AUTHORITY.certificate, [])
