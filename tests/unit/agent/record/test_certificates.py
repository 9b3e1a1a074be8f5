"""X.509: what is asked for, and which answers count."""

import base64
import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import NotGenuine
from agent.record import certificates, signing
from agent.record.certificates import Expected
from tests.support.authority import Authority, certs_only, new_authority

KEY = signing.new_key()
PUBLIC = KEY.public_key()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


def expected(authority: Authority) -> Expected:
    return Expected("van-7", (authority.certificate,))


@pytest.mark.parametrize("pem", ["", "no request", "\N{SNOWMAN}", "-----BEGIN CERTIFICATE"])
def test_invalid_request_is_reported(pem: str) -> None:
    with pytest.raises(NotGenuine, match="not a certificate request"):
        certificates.read_request(pem)


@pytest.mark.parametrize("wrapped", [True, False])
def test_answer_is_read_in_lines_and_in_one(authority: Authority, wrapped: bool) -> None:
    leaf = authority.issue(PUBLIC, "van-7")

    found = certificates.read_answer(certs_only([leaf, authority.certificate], wrapped=wrapped))

    assert certificates.issued(found, PUBLIC, expected(authority)) == (leaf,)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in to the network</html>",
        b"\xff" * 50,
        base64.b64encode(b"\x30" * 1000),
        base64.b64encode(b"\x30\x03\x02\x01\x00"),
        base64.b64encode(b"\x30\x84\xff\xff\xff\xff"),
    ],
)
def test_garbage_is_no_answer(body: bytes) -> None:
    with pytest.raises(NotGenuine, match="no certificates in it"):
        certificates.read_answer(body)


def test_certificate_with_a_negative_serial_number_is_unreadable(authority: Authority) -> None:
    """RFC 5280 section 4.1.2.2 forbids it; the library only warns as yet."""
    leaf = authority.issue(PUBLIC, "van-7")
    der = bytearray(leaf.public_bytes(Encoding.DER))
    serial = leaf.serial_number.to_bytes((leaf.serial_number.bit_length() + 8) // 8)
    der[der.index(serial)] |= 0x80

    with pytest.raises(NotGenuine, match="no certificate, or damaged"):
        certificates.read_der(bytes(der))


def test_too_many_certificates_are_refused(authority: Authority) -> None:
    with pytest.raises(NotGenuine, match="17 certificates"):
        certificates.read_answer(certs_only([authority.certificate] * 17))


def test_intermediates_are_kept_in_their_order_and_the_root_is_not(authority: Authority) -> None:
    middle = authority.below("North")
    lower = middle.below("Depot 4")
    leaf = lower.issue(PUBLIC, "van-7")
    found = [authority.certificate, middle.certificate, leaf, lower.certificate]

    chain = certificates.issued(found, PUBLIC, expected(authority))

    assert chain == (leaf, lower.certificate, middle.certificate)
    assert certificates.read_pem(certificates.pem(chain)) == chain


def test_a_device_cannot_issue_for_another(authority: Authority) -> None:
    """A certificate that is no authority's makes nobody."""
    device = Authority(KEY, authority.issue(PUBLIC, "van-8"))
    other = signing.new_key().public_key()
    found = [device.issue(other, "van-7"), device.certificate]

    with pytest.raises(NotGenuine, match="authority that is not trusted"):
        certificates.issued(found, other, expected(authority))


def test_certificate_counts_for_its_device_key_and_authority_only(authority: Authority) -> None:
    other_key = signing.new_key().public_key()
    for found, words in (
        (authority.issue(PUBLIC, "van-8"), "for another device: 'van-8', and this one is van-7"),
        (authority.issue(other_key, "van-7"), "for another key"),
        (new_authority().issue(PUBLIC, "van-7"), "authority that is not trusted"),
    ):
        with pytest.raises(NotGenuine, match=words):
            certificates.issued([found], PUBLIC, expected(authority))


def test_evidence_may_be_valid_from_1970_to_9999(authority: Authority) -> None:
    found = authority.issue(PUBLIC, "van-7", evidence=True)

    assert certificates.starts(found) == datetime(1970, 1, 1, tzinfo=UTC)
    assert certificates.ends(found) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


NAMES = frozenset({"van-7.vans.example", "10.8.0.7", "2001:db8::7"})


def test_request_for_a_server_is_read_with_its_names() -> None:
    key = signing.new_key()

    made = certificates.request(key, "van-7", ["VAN-7.vans.example", "10.8.0.7", "2001:DB8:0::7"])
    plain = certificates.request(key, "van-7")

    for one in (made, plain):
        assert certificates.read_request(certificates.request_pem(one)) == one
    assert (made.names, made.device_id) == (NAMES, "van-7")
    assert plain.names == frozenset()


def test_request_says_to_openssl_what_it_asks_for(tmp_path: Path) -> None:
    made = certificates.request(signing.new_key(), "van-7", NAMES)
    (tmp_path / "serve.csr").write_text(certificates.request_pem(made))
    words = ["openssl", "req", "-in", "serve.csr", "-noout", "-verify", "-text"]

    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert "verify OK" in told.stdout + told.stderr
    assert "Subject: CN=van-7\n" in told.stdout.replace(" = ", "=")
    assert "DNS:van-7.vans.example" in told.stdout
    assert "IP Address:10.8.0.7" in told.stdout
    assert "IP Address:2001:DB8:0:0:0:0:0:7" in told.stdout


def test_pin_is_what_openssl_says_of_the_key(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    words = "openssl x509 -in ca.pem -noout -pubkey | openssl pkey -pubin -outform DER"
    der = subprocess.run(words, shell=True, cwd=tmp_path, capture_output=True, check=True).stdout

    assert certificates.key_sha256(authority.certificate) == hashlib.sha256(der).hexdigest()


def test_a_path_is_refused_when_it_is_longer_than_the_limit() -> None:
    """Planted authorities that issue each other would be tried in quadratic time."""
    chain = [new_authority("root")]
    for _ in range(certificates.CERTIFICATES_LIMIT):
        chain.append(chain[-1].below("region"))
    root, *pool = [one.certificate for one in chain]
    longest, too_long = (one.issue(PUBLIC, "van-7", evidence=True) for one in chain[-2:])

    assert len(certificates.path(longest, pool, [root])) == certificates.CERTIFICATES_LIMIT
    with pytest.raises(certificates.NotTrusted):
        certificates.path(too_long, pool, [root])
