"""Requests in files: what an authority reads in them, and until when they stay the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type as Text
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.config import Config, load
from agent.identity import capture_part
from agent.identity.authorities import expected
from agent.identity.capture_certificates import Evidence, ServeCertificate
from agent.identity.device_key import device_key
from agent.identity.requested import wanted
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.process.offer_result import ACCEPTED
from agent.queue.paths import Layout
from agent.record import certificates, signing
from agent.record.usages import Use
from tests.support.authority import YEAR, Authority, new_authority
from tests.support.device import Device

NAMES: Final = ("Van-7.vans.example", "10.8.0.7")


def authority(organization: str = "Parcels") -> Authority:
    """An authority whose name has each kind of text that OpenSSL writes."""
    given = [
        (NameOID.COUNTRY_NAME, "DE", Text.PrintableString),
        (NameOID.STATE_OR_PROVINCE_NAME, "Hessen", Text.T61String),
        (NameOID.LOCALITY_NAME, "Kassel", Text.UTF8String),
        (NameOID.ORGANIZATION_NAME, organization, Text.PrintableString),
    ]
    named = [x509.NameAttribute(oid, text, _type=kind) for oid, text, kind in given]
    return new_authority(subject=named)


class Van:
    """A device whose certificates come as files."""

    def __init__(self, folder: Path, **tables: Any) -> None:
        self.ca_file, self.authority = folder / "ca.pem", authority()
        self.ca_file.write_bytes(self.authority.pem)
        (folder / "fleet-key.pem").write_bytes(signing.public_pem(signing.new_key().public_key()))
        files = {"ca": "ca.pem", "fleet_key": "fleet-key.pem", "certificates": "files"}
        device = Device(
            folder,
            identity={"mode": "required", **files},
            backend={"receipt_keys": []},
            serve={"names": list(NAMES)},
            **tables,
        )
        device.layout.make()
        self.config: Config = load(device.config)
        self.layout: Layout = device.layout

    def tls(self) -> str:
        store = IdentityStore(self.layout)
        return store.next_request(self.config, store.read(expected(self.config)))

    def asked_key(self) -> signing.PrivateKey | None:
        store = IdentityStore(self.layout)
        return store.asked_key(store.read(expected(self.config)))

    def evidence(self) -> str:
        return Evidence(self.config, device_key(self.layout)[0]).request()

    def serve(self) -> str:
        return ServeCertificate(self.config).ask_with(capture_part.request_as_serve(self.config))

    def all(self) -> dict[Use, str]:
        return {Use.TLS: self.tls(), Use.EVIDENCE: self.evidence(), Use.SERVE: self.serve()}


@pytest.fixture
def van(tmp_path: Path) -> Van:
    return Van(tmp_path)


def csr(text: str) -> x509.CertificateSigningRequest:
    return x509.load_pem_x509_csr(text.encode())


def encoded(parts: list[x509.NameAttribute[Any]]) -> bytes:
    """Return a name's DER, which differs for each kind of text."""
    return x509.Name(parts).public_bytes()


def test_request_has_the_authoritys_fields_in_its_kinds_of_text(van: Van) -> None:
    """`openssl ca` compares both with its own name, and takes no other."""
    its_own = list(van.authority.certificate.subject)
    units = set()
    for use, text in van.all().items():
        subject = list(csr(text).subject)
        units |= {one.value for one in subject if one.oid == NameOID.ORGANIZATIONAL_UNIT_NAME}
        assert encoded(subject[:3]) == encoded([its_own[0], its_own[1], its_own[3]])
        assert [one.oid for one in subject[3:]] == [
            NameOID.ORGANIZATIONAL_UNIT_NAME,
            NameOID.COMMON_NAME,
        ]
        assert str(subject[3].value).startswith(f"{use} ")
        assert subject[4].value == "van-7"
    assert len(units) == 3


def test_request_asks_for_its_usage_and_names(van: Van) -> None:
    wanted_purposes = {
        Use.TLS: ExtendedKeyUsageOID.CLIENT_AUTH,
        Use.EVIDENCE: ExtendedKeyUsageOID.EMAIL_PROTECTION,
        Use.SERVE: ExtendedKeyUsageOID.SERVER_AUTH,
    }
    for use, text in van.all().items():
        extensions = csr(text).extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert usage.critical
        assert usage.value.digital_signature
        assert list(purposes) == [wanted_purposes[use]]
        names = {"van-7.vans.example", "10.8.0.7"} if use is Use.SERVE else set()
        assert certificates.read_request(text).names == names


def test_request_stays_the_same_until_it_is_answered(van: Van) -> None:
    before = van.all()
    assert van.all() == before

    key = van.asked_key()
    assert key is not None
    leaf = van.authority.issue(key.public_key(), "van-7")
    IdentityStore(van.layout).install(TlsIdentity(key, (leaf,)))
    signs = device_key(van.layout)[0]
    evidence = van.authority.issue(signs.public_key(), "van-7", evidence=True)
    text = certificates.pem([evidence]).decode()
    assert Evidence(van.config, signs).offer(text).error is None

    after = van.all()
    assert after == van.all()
    assert certificates.read_request(after[Use.TLS]).key != key.public_key()
    assert certificates.read_request(after[Use.EVIDENCE]).key == signs.public_key()
    for use in (Use.TLS, Use.EVIDENCE):
        assert csr(after[use]).subject != csr(before[use]).subject


def test_request_is_another_one_for_another_authority(van: Van) -> None:
    before = van.all()
    van.ca_file.write_bytes(authority("Letters").pem)

    after = van.all()

    assert not set(before.values()) & set(after.values())
    for use, text in after.items():
        assert certificates.read_request(text).key == certificates.read_request(before[use]).key


def test_request_for_serve_is_another_one_for_other_names(van: Van) -> None:
    before = van.serve()
    van.config = replace(van.config, serve=replace(van.config.serve, names=("van-7.example",)))

    assert certificates.read_request(van.serve()).names == {"van-7.example"}
    assert van.serve() != before


def test_request_that_a_cut_left_behind_its_answer_is_answered(van: Van) -> None:
    """The power fails after the certificate is in use, and before the request is deleted."""
    before = van.tls()
    left = {path: path.read_bytes() for path in van.layout.sync_keys.iterdir()}
    key = van.asked_key()
    assert key is not None
    leaf = van.authority.issue(key.public_key(), "van-7")
    IdentityStore(van.layout).install(TlsIdentity(key, (leaf,)))
    for path, content in left.items():
        path.write_bytes(content)

    assert van.asked_key() is None
    assert certificates.read_request(van.tls()).key != key.public_key()
    assert van.tls() != before


def test_request_for_evidence_never_stays_beside_its_answer(van: Van) -> None:
    """An answer can be given again: `openssl ca` signs no request twice."""
    key = device_key(van.layout)[0]
    leaf = van.authority.issue(key.public_key(), "van-7", evidence=True)
    answer = certificates.pem([leaf]).decode()
    undeletable = van.layout.trust / "evidence.csr"
    undeletable.mkdir(parents=True)

    assert Evidence(van.config, key).offer(answer).retry

    assert not Evidence(van.config, key).chain
    undeletable.rmdir()
    assert Evidence(van.config, key).offer(answer) == ACCEPTED


def test_request_waits_while_another_key_gets_a_certificate(van: Van) -> None:
    """An authority that signs the request of the key in use once more answers that one only."""
    van.tls()
    used = van.asked_key()
    assert used is not None
    store, issue = IdentityStore(van.layout), van.authority.issue
    store.install(TlsIdentity(used, (issue(used.public_key(), "van-7"),)))
    before = van.tls()

    longer = issue(used.public_key(), "van-7", life=YEAR * 2)
    store.install(TlsIdentity(used, (longer,)))

    assert van.tls() == before


@pytest.mark.parametrize("use", [Use.EVIDENCE, Use.SERVE])
def test_request_for_another_use_is_not_handed_out_in_its_place(van: Van, use: Use) -> None:
    """A process that took over sync could plant it, and an authority may copy its usage."""
    van.tls()
    key = van.asked_key()
    assert key is not None
    planted = replace(wanted(van.config, Use.TLS), use=use).request(key)
    (van.layout.sync_keys / "next.csr").write_text(planted)

    assert van.tls() != planted


@pytest.mark.parametrize("lost", ["next.csr", "next-key.pem"])
def test_request_that_is_lost_or_unreadable_is_made_again(van: Van, lost: str) -> None:
    before = van.tls()
    (van.layout.sync_keys / lost).write_bytes(b"\xff half")

    after = van.tls()

    assert after != before
    key = van.asked_key()
    assert key is not None
    assert certificates.read_request(after).key == key.public_key()
