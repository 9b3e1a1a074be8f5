"""The contents of a certificate, and the requests that get one."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.record import certificates, credentials, signing
from agent.record.credentials import PhotoSigner, Source
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.request import BadRequestError, names, read
from tests.support.credentialed import CAPTURE, photo
from tests.support.demo_office import NOON
from tests.support.enrolment import asked


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> Any:
    return certificate.extensions.get_extension_for_class(kind)


def test_a_tls_certificate_is_for_a_year_and_for_clients(authority: Authority) -> None:
    key = signing.new_key().public_key()

    made = authority.tls("van-7", key, NOON)

    made.verify_directly_issued_by(authority.certificate)
    assert made.subject.rfc4514_string() == "CN=van-7"
    assert made.public_key() == key
    assert made.not_valid_after_utc == NOON + timedelta(days=365)
    assert made.not_valid_before_utc < NOON
    assert list(extension(made, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_an_evidence_certificate_has_what_a_signer_of_photos_needs(authority: Authority) -> None:
    made = authority.evidence("van-7", signing.new_key().public_key())

    made.verify_directly_issued_by(authority.certificate)
    usage = extension(made, x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.key_agreement
    wanted = [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    assert list(extension(made, x509.ExtendedKeyUsage).value) == wanted
    identifier = extension(authority.certificate, x509.SubjectKeyIdentifier).value.digest
    assert extension(made, x509.AuthorityKeyIdentifier).value.key_identifier == identifier
    assert not extension(made, x509.BasicConstraints).value.ca


def test_a_photo_that_is_signed_with_it_is_trusted(authority: Authority) -> None:
    key = signing.new_key()
    signer = PhotoSigner(key, (authority.evidence("van-7", key.public_key()),))
    anchor = certificates.pem([authority.certificate]).decode()

    found = credentials.read(signer.sign(photo(), Source.CAPTURE, CAPTURE), anchor)

    assert found is not None
    assert found.state is credentials.CredentialsState.TRUSTED


def test_an_evidence_certificate_has_no_end(authority: Authority) -> None:
    """The date has the text of RFC 5280, section 4.1.2.5, since a reader may compare it."""
    made = authority.evidence("van-7", signing.new_key().public_key())

    assert made.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)
    assert b"\x18\x0f99991231235959Z" in made.public_bytes(serialization.Encoding.DER)


def test_nothing_but_the_key_is_taken_from_a_request(authority: Authority) -> None:
    key = signing.new_key()
    subject = [(NameOID.COMMON_NAME, "van-7"), (NameOID.ORGANIZATION_NAME, "Bank")]
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(kind, text) for kind, text in subject])
    ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    made = authority.tls("van-7", read(base64.b64encode(der), "van-7"), NOON)

    assert made.subject.rfc4514_string() == "CN=van-7"
    assert not extension(made, x509.BasicConstraints).value.ca


def _altered(der: bytes, old: bytes, new: bytes) -> bytes:
    assert der.count(old) == 1
    return base64.b64encode(der.replace(old, new))


ASKED = base64.b64decode(asked("van-7", signing.new_key()))

NO_REQUEST, NOT_SIGNED = "not a PKCS #10 request", "not signed by the key"

WRONG = {
    "RSA": (asked("van-7", rsa.generate_private_key(65537, 2048)), "not a P-256 key"),
    "P-384": (asked("van-7", ec.generate_private_key(ec.SECP384R1())), "not a P-256 key"),
    "another device": (asked("van-8", signing.new_key()), "common name must be van-7"),
    "blank": (asked("van-7 ", signing.new_key()), "common name must be van-7"),
    "capitals": (asked("VAN-7", signing.new_key()), "common name must be van-7"),
    "another's key": (base64.b64encode(ASKED[:-1] + bytes([ASKED[-1] ^ 1])), NOT_SIGNED),
    "nothing": (b"", NO_REQUEST),
    "no base64": (b"%%%", NO_REQUEST),
    "text": (b"bm90IGEgcmVxdWVzdA==", NO_REQUEST),
    "bytes": (b"\xff" * 40, NO_REQUEST),
    "long": (b"A" * 16384, NO_REQUEST),
    "version": (_altered(ASKED, b"\x02\x01\x00\x30", b"\x02\x01\x08\x30"), NO_REQUEST),
    "not UTF-8": (_altered(ASKED, b"\x0c\x05van-7", b"\x0c\x05\xffan-7"), NOT_SIGNED),
    "no text": (_altered(ASKED, b"\x0c\x05van-7", b"\x03\x05van-7"), NOT_SIGNED),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_refused_with_words(case: str) -> None:
    body, words = WRONG[case]

    with pytest.raises(BadRequestError, match=words):
        read(body, "van-7")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\x82\x04x.de", b"\x82\x04x\xff.d"), (b"\x82\x04x.de", b"\x83\x04x.de")],
    ids=["no ASCII", "kind of name"],
)
def test_names_that_the_library_cannot_read_are_refused_with_words(old: bytes, new: bytes) -> None:
    der = certificates.request(signing.new_key(), "van-7", ["x.de"]).der

    with pytest.raises(BadRequestError, match="a name in the request"):
        names(_altered(der, old, new))


def test_line_breaks_in_a_request_do_not_matter() -> None:
    body = asked("van-7", signing.new_key())

    assert b"\n" in body.strip()
    assert read(body, "van-7") == read(b"".join(body.split()), "van-7")
