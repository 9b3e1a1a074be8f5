"""The certificate that a proxy passes on: what counts as one, and what does not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.shown import HEADER, is_issued, passed_on

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def of_a_van(authority: Authority, at: datetime = NOW) -> x509.Certificate:
    return authority.tls("van-7", signing.new_key().public_key(), at)


def escaped(certificate: x509.Certificate) -> bytes:
    """Return the certificate as nginx has it in `$ssl_client_escaped_cert`."""
    return quote(certificate.public_bytes(Encoding.PEM), safe="").encode()


def test_certificate_is_read_from_a_single_header(authority: Authority) -> None:
    shown = of_a_van(authority)

    found = passed_on([(b"host", b"x"), (HEADER, escaped(shown))])

    assert found == shown


def test_certificate_is_ignored_if_its_header_comes_twice(authority: Authority) -> None:
    """A proxy sets only one of the two headers, so the other one is forged."""
    first, second = of_a_van(authority), of_a_van(authority)

    assert passed_on([(HEADER, escaped(first)), (HEADER, escaped(second))]) is None
    assert passed_on([(HEADER, escaped(first))] * 2) is None


def test_another_spelling_is_another_header(authority: Authority) -> None:
    """Some servers take `_` for `-`; a proxy that sets one of them lets the other through."""
    assert passed_on([(HEADER.replace(b"-", b"_"), escaped(of_a_van(authority)))]) is None


@pytest.mark.parametrize("value", [b"", b"%", b"van-7", b"\xff", b"-----BEGIN CERTIFICATE-----"])
def test_header_without_a_valid_certificate_is_ignored(value: bytes) -> None:
    assert passed_on([(HEADER, value)]) is None


def test_the_fleets_is_issued_also_when_it_has_expired(authority: Authority) -> None:
    """Admission judges the dates, and can say what is wrong."""
    assert is_issued(of_a_van(authority), authority.certificate)
    assert is_issued(of_a_van(authority, NOW - timedelta(days=400)), authority.certificate)


def test_certificate_signed_by_another_key_is_not_believed(authority: Authority) -> None:
    """A forged certificate may have the name of the fleet's CA and a serial that is known here."""
    forger = Authority(authority.certificate, signing.new_key())

    for forged in (of_a_van(forger), of_a_van(forger, NOW - timedelta(days=400))):
        assert forged.issuer == authority.certificate.subject
        assert not is_issued(forged, authority.certificate)


def test_certificate_of_another_ca_is_not_believed(authority: Authority, tmp_path: Path) -> None:
    other = Authority.of(keys.certificates(tmp_path).folder)

    assert not is_issued(of_a_van(other), authority.certificate)
