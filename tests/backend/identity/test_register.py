"""The register: tokens, certificates that follow each other, and what a clone looks like."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.admission import EXPIRED, RENEWAL, REVOKED, SUPERSEDED, objection
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.known import DeviceState, Known
from doorstep_backend.identity.register import (
    MOST_IN_A_DAY,
    OtherKeyError,
    Register,
    ShutOutError,
    TokenUsedError,
    TooManyError,
)

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
VAN = "van-7"


class Office:
    """A register and the CA behind it, without a wire."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.register, self.authority = Register(folder), authority

    def issue(self, key: signing.PublicKey, now: datetime) -> Callable[[], x509.Certificate]:
        return lambda: self.authority.tls(VAN, key, now)

    def enrol(self, key: signing.PrivateKey, now: datetime = NOON) -> Known:
        public = key.public_key()
        return self.register.enrol(VAN, public, now, self.issue(public, now))

    def renew(self, key: signing.PrivateKey, now: datetime = NOON) -> Known:
        public = key.public_key()
        return self.register.renew(VAN, public, now, self.issue(public, now))

    def vouch(self, key: signing.PrivateKey) -> Known:
        public = key.public_key()
        return self.register.vouch(VAN, public, NOON, lambda: self.authority.evidence(VAN, public))

    def again(self, known: Known) -> Known:
        found = self.register.find(int(known.serial, 16))
        assert found is not None
        return found

    def said(self, known: Known, now: datetime = NOON, path: str = "/files") -> str | None:
        return objection(self.again(known), now, path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.of(keys.certificates(tmp_path_factory.mktemp("ca")).folder)


@pytest.fixture
def office(tmp_path: Path, authority: Authority) -> Office:
    return Office(tmp_path, authority)


def test_a_token_is_the_devices_and_nobody_elses(office: Office) -> None:
    token = office.register.let_in(VAN)
    office.register.let_in("van-8")

    assert office.register.is_token(VAN, token)
    assert not office.register.is_token("van-8", token)
    assert not office.register.is_token(VAN, token[:-1])
    assert not office.register.is_token("van-9", "")


def test_a_token_is_not_in_the_database(office: Office, tmp_path: Path) -> None:
    token = office.register.let_in(VAN)

    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_new_token_ends_the_one_before(office: Office) -> None:
    before = office.register.let_in(VAN)
    after = office.register.let_in(VAN)

    assert not office.register.is_token(VAN, before)
    assert office.register.is_token(VAN, after)


def test_a_lost_answer_burns_no_token(office: Office) -> None:
    office.register.let_in(VAN)
    key = signing.new_key()

    assert office.enrol(key) == office.enrol(key)


def test_another_key_on_a_used_token_is_refused(office: Office) -> None:
    office.register.let_in(VAN)
    office.enrol(signing.new_key())

    with pytest.raises(TokenUsedError):
        office.enrol(signing.new_key())


def test_a_used_token_brings_no_superseded_key_back(office: Office) -> None:
    """Who has copied the card and the token of long ago gets no certificate for them."""
    office.register.let_in(VAN)
    key = signing.new_key()
    office.enrol(key)
    office.register.note_first_use(office.renew(signing.new_key()), NOON)

    with pytest.raises(TokenUsedError):
        office.enrol(key)


def test_the_old_certificate_lives_until_the_new_one_is_used(office: Office) -> None:
    office.register.let_in(VAN)
    old = office.enrol(signing.new_key())
    new = office.renew(signing.new_key())

    assert (office.said(old), office.said(new)) == (None, None)

    office.register.note_first_use(office.again(new), NOON)

    assert (office.said(old), office.said(new)) == (SUPERSEDED, None)


def test_a_renewal_whose_answer_was_lost_is_superseded_by_the_next(office: Office) -> None:
    """And using the one in the middle ends only what is older."""
    office.register.let_in(VAN)
    old, lost, last = (
        office.enrol(signing.new_key()),
        office.renew(signing.new_key()),
        office.renew(signing.new_key()),
    )

    office.register.note_first_use(lost, NOON)

    assert [office.said(one) for one in (old, lost, last)] == [SUPERSEDED, None, None]


def test_the_same_renewal_gets_the_same_certificate_until_it_ends(office: Office) -> None:
    office.register.let_in(VAN)
    office.enrol(signing.new_key())
    key = signing.new_key()
    first = office.renew(key)

    assert office.renew(key) == first
    assert office.renew(key, NOON + timedelta(days=366)).serial != first.serial


def test_an_expired_certificate_renews_and_does_nothing_else(office: Office) -> None:
    office.register.let_in(VAN)
    known = office.enrol(signing.new_key())
    later = NOON + timedelta(days=366)

    assert office.said(known, later) == EXPIRED.format("2027-12-01")
    assert office.said(known, later, RENEWAL) is None
    assert office.said(known, later, "/.well-known/est/evidence/simpleenroll") is not None


def test_an_expired_one_renews_once_more_where_the_answer_was_lost(office: Office) -> None:
    office.register.let_in(VAN)
    known, later = office.enrol(signing.new_key()), NOON + timedelta(days=366)
    office.renew(signing.new_key(), later)

    assert office.said(known, later, RENEWAL) is None


def test_an_expired_one_that_is_not_the_newest_does_not_renew(office: Office) -> None:
    office.register.let_in(VAN)
    old, later = office.enrol(signing.new_key()), NOON + timedelta(days=366)
    office.register.note_first_use(office.renew(signing.new_key(), later), later)

    assert office.said(old, later, RENEWAL) == SUPERSEDED


def test_who_is_shut_out_renews_nothing_and_has_no_token(office: Office) -> None:
    token = office.register.let_in(VAN)
    known = office.enrol(signing.new_key())

    office.register.shut_out(VAN, DeviceState.REVOKED)

    assert office.said(known) == office.said(known, path=RENEWAL) == REVOKED
    assert not office.register.is_token(VAN, token)
    with pytest.raises(LookupError, match="no device van-9"):
        office.register.shut_out("van-9", DeviceState.REVOKED)


def test_who_is_let_in_again_keeps_its_signing_key(office: Office) -> None:
    office.register.let_in(VAN)
    revoked, label = office.enrol(key := signing.new_key()), signing.new_key()
    vouched = office.vouch(label)
    office.register.shut_out(VAN, DeviceState.REVOKED)

    office.register.let_in(VAN)
    again = office.enrol(key)

    assert (office.said(revoked), office.said(again)) == (REVOKED, None)
    assert office.register.is_vouched(VAN, vouched.kid)
    assert office.vouch(label) == vouched


def test_a_second_signing_key_needs_the_office(office: Office) -> None:
    """Whoever has taken over the process with the TLS key must not sign as the device.

    Also not once the office lets the device in again, for a new TLS certificate.
    """
    office.register.let_in(VAN)
    office.vouch(signing.new_key())
    other = signing.new_key()

    with pytest.raises(OtherKeyError):
        office.vouch(other)
    office.register.let_in(VAN)
    with pytest.raises(OtherKeyError):
        office.vouch(other)
    office.register.let_in(VAN, new_signing_key=True)

    assert office.vouch(other).kid == signing.thumbprint(other.public_key())
    with pytest.raises(OtherKeyError):
        office.vouch(signing.new_key())


def test_an_evidence_certificate_is_nobodys_tls_certificate(office: Office) -> None:
    office.register.let_in(VAN)

    assert office.said(office.vouch(signing.new_key())) is not None


def test_the_first_use_of_a_superseded_one_is_what_is_kept(office: Office) -> None:
    office.register.let_in(VAN)
    old = office.enrol(signing.new_key())
    office.register.note_first_use(office.renew(signing.new_key()), NOON)

    for minutes in (1, 2):
        office.register.note_clone(office.again(old), NOON + timedelta(minutes=minutes))

    used = [one.cloned_at for one in office.register.certificates(VAN)]
    assert used == [NOON + timedelta(minutes=1), None]


def test_a_device_gets_no_more_than_twenty_certificates_in_a_day(office: Office) -> None:
    """Each stays for good, and the fleet's pages read them: one device could fill the disk."""
    office.register.let_in(VAN)
    for _ in range(MOST_IN_A_DAY):
        office.renew(signing.new_key())

    with pytest.raises(TooManyError):
        office.renew(signing.new_key())
    assert office.renew(signing.new_key(), NOON + timedelta(days=1, seconds=1))


def test_who_is_shut_out_gets_no_certificate_for_what_was_asked_before(office: Office) -> None:
    office.register.let_in(VAN)
    office.enrol(signing.new_key())
    signs = signing.new_key()
    office.vouch(signs)
    office.register.shut_out(VAN, DeviceState.REVOKED)

    with pytest.raises(ShutOutError, match="shut out meanwhile"):
        office.renew(signing.new_key())
    with pytest.raises(ShutOutError):
        office.vouch(signs)
