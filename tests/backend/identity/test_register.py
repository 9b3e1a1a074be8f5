"""The register: tokens, certificates that follow each other, and what a clone looks like."""

from datetime import timedelta
from pathlib import Path

import pytest

from agent.record import signing
from doorstep_backend.identity.admission import EXPIRED, RENEWAL, REVOKED, SUPERSEDED
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import (
    MOST_IN_A_DAY,
    OtherKeyError,
    ShutOutError,
    TokenUsedError,
    TooManyError,
)
from tests.backend.issuing import VAN, Issuer
from tests.support.demo_office import NOON


@pytest.fixture
def issuer(issuer: Issuer) -> Issuer:
    """Let one device in."""
    issuer.register.let_in(VAN)
    return issuer


def test_a_token_is_the_devices_and_nobody_elses(issuer: Issuer) -> None:
    token = issuer.register.let_in(VAN)
    issuer.register.let_in("van-8")

    assert issuer.register.is_token(VAN, token)
    assert not issuer.register.is_token("van-8", token)
    assert not issuer.register.is_token(VAN, token[:-1])
    assert not issuer.register.is_token("van-9", "")


def test_a_token_is_not_in_the_database(issuer: Issuer, tmp_path: Path) -> None:
    token = issuer.register.let_in(VAN)

    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_new_token_ends_the_one_before(issuer: Issuer) -> None:
    before = issuer.register.let_in(VAN)
    after = issuer.register.let_in(VAN)

    assert not issuer.register.is_token(VAN, before)
    assert issuer.register.is_token(VAN, after)


def test_a_used_token_brings_no_superseded_key_back(issuer: Issuer) -> None:
    """A thief with an old copy of the card and its token gets no certificate for them."""
    key = signing.new_key()
    issuer.enrol(key)
    issuer.register.note_first_use(issuer.renew(), NOON)

    with pytest.raises(TokenUsedError):
        issuer.enrol(key)


def test_a_renewal_whose_answer_was_lost_is_superseded_by_the_next(issuer: Issuer) -> None:
    """The use of the certificate in between ends only older certificates."""
    old, lost, last = issuer.enrol(), issuer.renew(), issuer.renew()

    issuer.register.note_first_use(lost, NOON)

    assert [issuer.said(one) for one in (old, lost, last)] == [SUPERSEDED, None, None]


def test_the_same_renewal_gets_the_same_certificate_until_it_ends(issuer: Issuer) -> None:
    issuer.enrol()
    key = signing.new_key()
    first = issuer.renew(key)

    assert issuer.renew(key) == first
    assert issuer.renew(key, NOON + timedelta(days=366)).serial != first.serial


def test_an_expired_certificate_renews_and_does_nothing_else(issuer: Issuer) -> None:
    known = issuer.enrol()
    later = NOON + timedelta(days=366)

    assert issuer.said(known, later) == EXPIRED.format("2027-12-01")
    assert issuer.said(known, later, RENEWAL) is None
    assert issuer.said(known, later, "/.well-known/est/evidence/simpleenroll") is not None
    issuer.renew(now=later)  # and its answer is lost
    assert issuer.said(known, later, RENEWAL) is None


def test_readmitted_device_keeps_its_signing_key(issuer: Issuer) -> None:
    """The certificate with which the device was revoked stays out."""
    key, label = signing.new_key(), signing.new_key()
    revoked, vouched = issuer.enrol(key), issuer.vouch(label)
    issuer.register.shut_out(VAN, DeviceState.REVOKED)

    issuer.register.let_in(VAN)
    again = issuer.enrol(key)

    assert (issuer.said(revoked), issuer.said(again)) == (REVOKED, None)
    assert issuer.vouch(label) == vouched


def test_a_second_signing_key_needs_the_office(issuer: Issuer) -> None:
    """An attacker who controls the process with the TLS key must not sign as the device.

    Also not once the office lets the device in again, for a new TLS certificate.
    """
    issuer.vouch()
    other = signing.new_key()

    with pytest.raises(OtherKeyError):
        issuer.vouch(other)
    issuer.register.let_in(VAN)
    with pytest.raises(OtherKeyError):
        issuer.vouch(other)
    issuer.register.let_in(VAN, new_signing_key=True)

    assert issuer.vouch(other).kid == signing.thumbprint(other.public_key())
    with pytest.raises(OtherKeyError):
        issuer.vouch()


def test_a_signing_key_vouches_for_its_own_device_alone(issuer: Issuer) -> None:
    """A device of the fleet must not sign in the name of another one."""
    kid = issuer.vouch().kid

    assert issuer.register.is_vouched(VAN, kid)
    assert not issuer.register.is_vouched("van-8", kid)


def test_an_evidence_certificate_is_nobodys_tls_certificate(issuer: Issuer) -> None:
    assert issuer.said(issuer.vouch()) is not None


def test_the_first_use_of_a_superseded_one_is_what_is_kept(issuer: Issuer) -> None:
    old = issuer.enrol()
    issuer.register.note_first_use(issuer.renew(), NOON)

    for minutes in (1, 2):
        issuer.register.note_clone(issuer.again(old), NOON + timedelta(minutes=minutes))

    used = [one.cloned_at for one in issuer.register.certificates(VAN)]
    assert used == [NOON + timedelta(minutes=1), None]


def test_a_device_gets_no_more_than_twenty_certificates_in_a_day(issuer: Issuer) -> None:
    """Certificates stay for good, and the fleet's pages read them: a device could fill the disk."""
    for _ in range(MOST_IN_A_DAY):
        issuer.renew()

    with pytest.raises(TooManyError):
        issuer.renew()
    assert issuer.renew(now=NOON + timedelta(days=1, seconds=1))


def test_revoked_device_gets_no_certificate_for_an_earlier_request(issuer: Issuer) -> None:
    signs = signing.new_key()
    issuer.vouch(signs)
    issuer.register.shut_out(VAN, DeviceState.REVOKED)

    with pytest.raises(ShutOutError, match="shut out meanwhile"):
        issuer.renew()
    with pytest.raises(ShutOutError):
        issuer.vouch(signs)
