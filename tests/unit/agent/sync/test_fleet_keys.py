"""Sync's own copy of the fleet document: who may sign receipts, also while capture is down."""

import hashlib

import pytest

from agent.errors import NotNow
from agent.queue.paths import Layout
from agent.record import signing
from agent.sync.fleet_keys import FleetKeys
from agent.trust.store import TrustStore
from tests.support.fleet_documents import FleetOffice, entry, kid


@pytest.fixture
def office() -> FleetOffice:
    return FleetOffice()


@pytest.fixture
def trust(layout: Layout) -> TrustStore:
    return TrustStore(layout)


def test_keys_are_absent_until_a_document_has_come(trust: TrustStore, office: FleetOffice) -> None:
    keys = FleetKeys(office.key.public_key(), trust)

    with pytest.raises(NotNow, match=r"^not enrolled: no fleet document yet$"):
        keys.keys()


def test_document_in_trust_is_found_also_when_it_comes_later(
    trust: TrustStore, office: FleetOffice
) -> None:
    """`doorstep enrol` brings it to capture."""
    keys = FleetKeys(office.key.public_key(), trust)
    with pytest.raises(NotNow):
        keys.keys()
    trust.keep_fleet((office.document(3),))

    assert set(keys.keys()) == {kid(key) for key in office.keys}


def test_document_counts_before_capture_has_kept_it(trust: TrustStore, office: FleetOffice) -> None:
    other = signing.new_key()
    keys = FleetKeys(office.key.public_key(), trust)
    trust.keep_fleet((office.document(3),))
    keys.offer_update(office.document(4, receipt_keys=[entry(other)]))
    keys.offer_update(office.document(4, receipt_keys=[entry(other)]))

    assert set(keys.keys()) == {kid(other)}
    assert trust.fleet() != ()


@pytest.mark.parametrize("version", [2, 3])
def test_an_older_one_does_not_count(
    trust: TrustStore, office: FleetOffice, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    keys = FleetKeys(office.key.public_key(), trust)
    trust.keep_fleet((office.document(3),))
    for _ in range(2):
        keys.offer_update(office.document(version, receipt_keys=[entry(signing.new_key())]))

    assert set(keys.keys()) == {kid(key) for key in office.keys}
    assert caplog.text.count("event=fleet_doubted") <= 2
    assert "is not newer than 3" in caplog.text


def test_unverified_document_in_trust_does_not_count(
    trust: TrustStore, office: FleetOffice
) -> None:
    trust.keep_fleet((FleetOffice().document(9),))
    keys = FleetKeys(office.key.public_key(), trust)
    with pytest.raises(NotNow):
        keys.keys()
    keys.offer_update(office.document(1))

    assert set(keys.keys()) == {kid(key) for key in office.keys}


def test_document_in_trust_names_itself_if_it_follows_from_the_given_key(
    trust: TrustStore, office: FleetOffice
) -> None:
    """Otherwise a backend would answer with a chain from a key that counts no more."""
    document = office.document(3)
    held, given_another = (
        FleetKeys(one.key.public_key(), trust) for one in (office, FleetOffice())
    )
    nothing = held.tag()
    trust.keep_fleet((document,))

    assert nothing is None
    assert held.tag() == f'"{hashlib.sha256(document.encode()).hexdigest()}"'
    assert given_another.tag() is None
