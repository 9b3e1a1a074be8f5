"""The two certificates that capture takes: it alone decides which one counts for which key."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.config import load
from agent.errors import NotGenuine
from agent.identity.capture_certificates import Evidence, ServeCertificate
from agent.identity.device_key import device_key
from agent.process.offer_result import ACCEPTED
from agent.record import certificates, signing
from agent.record.certificates import Certificate
from agent.record.usages import Use
from agent.trust.store import TrustStore
from tests.support.authority import Authority, new_authority
from tests.support.device import Device
from tests.support.fleet_documents import fleet_document

FLEET_KEY = signing.new_key()
AUTHORITY = new_authority()
NAMES = ("van-7.vans.example", "10.8.0.7")


def pem(*found: Certificate) -> str:
    return certificates.pem(found).decode()


class Enrolled:
    """A device with identity, before it has the certificates for capture."""

    use: Use

    def __init__(self, folder: Path) -> None:
        (folder / "ca.pem").write_bytes(AUTHORITY.pem)
        (folder / "fleet-key.pem").write_bytes(signing.public_pem(FLEET_KEY.public_key()))
        device = Device(
            folder,
            identity={"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"},
            backend={"receipt_keys": []},
        )
        device.layout.make()
        self.ca_file = folder / "ca.pem"
        self.layout = device.layout
        self.config = load(device.config)
        self.trust = TrustStore(device.layout)

    def kept(self) -> bytes | None:
        return self.trust.certificate(self.use)

    def keep(self, pem: bytes) -> None:
        self.trust.keep_certificate(self.use, pem)


class ForEvidence(Enrolled):
    """The certificate of the key that signs records."""

    use = Use.EVIDENCE

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key, _ = device_key(self.layout)
        self.taker = Evidence(self.config, self.key)

    def issue(
        self,
        by: Authority = AUTHORITY,
        name: str = "van-7",
        days_ago: float | None = None,
        key: signing.PrivateKey | None = None,
    ) -> Certificate:
        """For ever; one that began some days ago has an end."""
        began = None if days_ago is None else datetime.now(UTC) - timedelta(days=days_ago)
        return by.issue((key or self.key).public_key(), name, evidence=True, starts=began)

    def restarted(self) -> Evidence:
        return Evidence(self.config, self.key)


class ForServe(Enrolled):
    """The certificate of serve's key, whose request is in `trust/`."""

    use = Use.SERVE

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key = signing.new_key()
        self.taker = ServeCertificate(self.config)
        self.taker.ask_with(self.request())

    def request(self, *names: str, key: signing.PrivateKey | None = None) -> str:
        asked = certificates.request(key or self.key, "van-7", names or NAMES)
        return certificates.request_pem(asked)

    def issue(
        self,
        by: Authority = AUTHORITY,
        name: str = "van-7",
        days_ago: float = 0.1,
        key: signing.PrivateKey | None = None,
        names: tuple[str, ...] = NAMES,
    ) -> Certificate:
        began = datetime.now(UTC) - timedelta(days=days_ago)
        return by.issue(
            (key or self.key).public_key(), name, server=True, names=names, starts=began
        )

    def restarted(self) -> ServeCertificate:
        return ServeCertificate(self.config)


Either = ForEvidence | ForServe


@pytest.fixture(params=[ForEvidence, ForServe])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Either:
    made: Either = request.param(tmp_path)
    return made


@pytest.fixture
def evidence(tmp_path: Path) -> ForEvidence:
    return ForEvidence(tmp_path)


@pytest.fixture
def serve(tmp_path: Path) -> ForServe:
    return ForServe(tmp_path)


def test_certificate_for_its_key_is_kept_and_its_end_is_known(either: Either) -> None:
    leaf, before = either.issue(), either.taker.ends

    assert either.taker.offer(pem(leaf)) == ACCEPTED

    assert either.kept() == pem(leaf).encode()
    ends = before, either.taker.ends, either.restarted().ends
    assert ends == (None, certificates.ends(leaf), certificates.ends(leaf))


def test_intermediates_are_kept_and_what_does_not_belong_is_not(either: Either) -> None:
    below = AUTHORITY.below("North")
    leaf = either.issue(below)

    either.taker.offer(pem(new_authority("stranger").certificate, below.certificate, leaf))

    assert either.kept() == pem(leaf, below.certificate).encode()


def test_next_authority_of_the_fleet_counts_too(either: Either) -> None:
    coming = new_authority("next")
    assert "not trusted here" in str(either.taker.offer(pem(either.issue(coming))).error)
    either.trust.keep_fleet((fleet_document(FLEET_KEY, next_ca=coming.pem.decode()),))

    assert either.taker.offer(pem(either.issue(coming))) == ACCEPTED


BAD: dict[str, Callable[[Either], str]] = {
    "another key": lambda one: pem(one.issue(key=signing.new_key())),
    "another device": lambda one: pem(one.issue(name="van-8")),
    "authority that is not trusted": lambda one: pem(one.issue(new_authority("other"))),
    "it has clientAuth|no serverAuth": lambda one: pem(
        AUTHORITY.issue(one.key.public_key(), "van-7")
    ),
    "it ended on": lambda one: pem(one.issue(days_ago=400)),
    "no certificates in it": lambda _: "nothing",
    "certificates": lambda one: pem(*[one.issue()] * 17),
    "and the one that is kept counts until": lambda one: pem(one.issue(days_ago=100)),
}


@pytest.mark.parametrize("words", BAD)
def test_invalid_answer_is_refused_in_words_and_changes_nothing(either: Either, words: str) -> None:
    """A process that offers a certificate with an earlier end may have kept an old one."""
    either.taker.offer(pem(either.issue()))
    before, ends = either.kept(), either.taker.ends

    verdict = either.taker.offer(BAD[words](either))

    assert re.search(words, verdict.error or "")
    assert not verdict.retry
    assert (either.kept(), either.taker.ends) == (before, ends)


def test_earlier_end_replaces_a_chain_to_no_trusted_authority(either: Either) -> None:
    """The fleet has moved to another authority, which gives less."""
    either.taker.offer(pem(either.issue()))
    other = new_authority("new")
    either.ca_file.write_bytes(other.pem)

    assert either.taker.offer(pem(either.issue(other, days_ago=1))) == ACCEPTED


def test_earlier_end_replaces_one_for_another_key_or_a_corrupt_one(
    either: Either,
) -> None:
    for kept in (pem(either.issue(key=signing.new_key())), "nothing"):
        either.keep(kept.encode())

        assert either.taker.offer(pem(either.issue(days_ago=1))) == ACCEPTED


def test_certificate_of_tomorrow_is_refused_by_a_right_clock(
    either: Either, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.identity.authorities.is_synchronised", lambda: True)

    verdict = either.taker.offer(pem(either.issue(days_ago=-1)))

    assert "not valid before" in str(verdict.error)


def test_authority_that_cannot_be_read_is_worth_another_try(either: Either) -> None:
    leaf = pem(either.issue())
    either.ca_file.unlink()

    verdict = either.taker.offer(leaf)

    assert verdict.retry
    assert "identity.ca" in str(verdict.error)


# For evidence


def test_request_is_for_the_signing_key(evidence: ForEvidence) -> None:
    found = certificates.read_request(evidence.taker.request())

    assert found.key == evidence.key.public_key()


def test_a_certificate_for_another_key_counts_until_never(evidence: ForEvidence) -> None:
    evidence.taker.offer(pem(evidence.issue()))

    assert Evidence(evidence.config, signing.new_key()).ends is None


def test_certificate_without_photos_does_not_replace_one_that_serves_both(
    evidence: ForEvidence,
) -> None:
    evidence.taker.offer(pem(evidence.issue(days_ago=1)))
    plain = AUTHORITY.issue(evidence.key.public_key(), "van-7", evidence=True, purposes=())

    assert "no emailProtection" in str(evidence.taker.offer(pem(plain)).error)

    evidence.keep(pem(evidence.issue(days_ago=366)).encode())
    assert evidence.taker.offer(pem(plain)) == ACCEPTED


def test_kept_one_that_is_for_tls_too_counts_as_missing(evidence: ForEvidence) -> None:
    """A right one replaces it, even if it ends earlier."""
    for_both = (ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH)
    key = evidence.key.public_key()
    wrong = AUTHORITY.issue(key, "van-7", evidence=True, purposes=for_both)
    evidence.keep(pem(wrong).encode())
    assert evidence.restarted().ends is None

    assert evidence.taker.offer(pem(evidence.issue(days_ago=1))) == ACCEPTED


# For serve


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (("2001:DB8:0::7", "VAN-7.Vans.Example"), ("van-7.vans.example", "2001:db8::7")),
        (NAMES, (*NAMES, "van-7")),
    ],
    ids=["capitals, another order", "one more, as of an authority that adds the common name"],
)
def test_certificate_for_all_names_that_were_asked_for_counts(
    serve: ForServe, asked: tuple[str, ...], given: tuple[str, ...]
) -> None:
    serve.taker.ask_with(serve.request(*asked))

    assert serve.taker.offer(pem(serve.issue(names=given))) == ACCEPTED


def test_certificate_that_lacks_a_name_does_not_count(serve: ForServe) -> None:
    assert "not for 10.8.0.7" in str(serve.taker.offer(pem(serve.issue(names=NAMES[:1]))).error)
    assert serve.kept() is None


def test_certificate_is_not_taken_without_a_request(serve: ForServe) -> None:
    (serve.layout.trust / "serve.csr").unlink()

    verdict = serve.taker.offer(pem(serve.issue()))

    assert "none was asked for" in str(verdict.error)
    assert serve.kept() is None


def test_same_question_keeps_the_request_as_it_is(serve: ForServe) -> None:
    before = serve.trust.request("serve")

    assert serve.taker.ask_with(serve.request()) == before
    assert serve.trust.request("serve") == before


@pytest.mark.parametrize("what", ["key", "names", "device", "spoilt"])
def test_another_question_replaces_the_request(serve: ForServe, what: str) -> None:
    asked = {
        "key": serve.request(key=signing.new_key()),
        "names": serve.request("van-7"),
        "device": certificates.request_pem(certificates.request(serve.key, "van-8", NAMES)),
        "spoilt": serve.request(),
    }[what]
    if what == "spoilt":
        serve.trust.keep_request("serve", "garbage")

    assert serve.taker.ask_with(asked) == asked

    assert serve.trust.request("serve") == asked


def test_shorter_certificate_counts_after_another_question(serve: ForServe) -> None:
    """The kept one answers an old request: it is not in the way."""
    serve.taker.offer(pem(serve.issue()))
    serve.taker.ask_with(serve.request("van-7"))

    assert serve.taker.offer(pem(serve.issue(names=("van-7",), days_ago=100))) == ACCEPTED


def test_invalid_request_is_not_kept(serve: ForServe) -> None:
    before = serve.trust.request("serve")

    with pytest.raises(NotGenuine, match="not a certificate request"):
        serve.taker.ask_with("nothing")

    assert serve.trust.request("serve") == before
