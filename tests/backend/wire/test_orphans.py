"""A database restored to an earlier time loses no record that has got its receipt since."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR
from doorstep_backend.office.worker import Worker
from doorstep_backend.wire.store import IntakeVerdict
from tests.support.sealed_fleet import SealedFleet


def taking_in(fleet: SealedFleet) -> Iterator[str]:
    return fleet.demo_office.objects_said("stray", "--adopt")


def set_back(fleet: SealedFleet, capture_id: str, **before: Any) -> None:
    """Set the rows back to those of the upload's beginning, or to the given ones."""
    store = fleet.demo_office.office.store
    with store.db.exclusive_transaction():
        upload = store.find(capture_id)
        assert upload is not None
        store.db.execute("DELETE FROM uploads WHERE capture_id = ?", (capture_id,))
        store.create(replace(upload, **before), "device van-7")
    fleet.demo_office.office.ledger.execute(
        "DELETE FROM captures WHERE capture_id = ?", (capture_id,)
    )


def accepted(fleet: SealedFleet, capture_id: str) -> bool:
    verdict = fleet.demo_office.office.store.verdict(capture_id)
    return verdict is not None and verdict.accepted


def refuse(fleet: SealedFleet, capture_id: str) -> None:
    """Refuse the upload, as before a repair."""
    fleet.demo_office.office.store.settle(
        IntakeVerdict(capture_id, "2026-12-01T09:00:00.000Z", "damaged", "jws")
    )


@pytest.mark.parametrize("was_refused", [False, True])
def test_upload_with_a_receipt_after_the_restored_time_is_adopted(
    fleet: SealedFleet, was_refused: bool
) -> None:
    """The device has deleted the record, and the upload would be dropped after 7 or 30 days."""
    made, office = fleet.take(fleet.sealed()), fleet.demo_office.office
    one = made.label.capture_id
    set_back(fleet, one)
    if was_refused:
        refuse(fleet, one)

    assert list(taking_in(fleet)) == [f"{one} taken in", "taken in: 1; left as they are: 0"]

    assert accepted(fleet, one)
    Worker(office).step()
    assert fleet.demo_office.shown(ALLOWED) == [one]
    office.erasure.expire(datetime.now(UTC) + timedelta(days=29))
    assert office.store.received(one) == made.content
    assert list(taking_in(fleet)) == ["taken in: 0; left as they are: 0"]


def test_unfinished_or_refused_upload_is_not_adopted(fleet: SealedFleet) -> None:
    """No object of such an upload was accepted, and the device still has the record."""
    fleet.begin(fleet.sealed(), cut=10)
    fleet.take(fleet.sealed(LEFT_DOOR), refuse="damaged")

    assert list(taking_in(fleet)) == ["taken in: 0; left as they are: 0"]


def test_an_upload_of_other_bytes_stays_and_so_does_the_object(fleet: SealedFleet) -> None:
    made, store = fleet.take(fleet.sealed()), fleet.demo_office.office.store
    one, sha256 = made.label.capture_id, hashlib.sha256(made.content).hexdigest()
    set_back(fleet, one, length=7)

    told = list(taking_in(fleet))

    assert told[0].startswith(f"{one} left as it is: its upload is of 7 other bytes")
    assert told[1] == "taken in: 0; left as they are: 1"
    assert store.objects.get(one, sha256) == made.content
    upload = store.find(one)
    assert upload is not None
    assert (upload.length, accepted(fleet, one)) == (7, False)


@pytest.mark.parametrize(
    ("is_vouched", "why"), [(True, "signed, but the body"), (False, "no evidence certificate")]
)
def test_take_in_opens_no_body_when_nobody_vouches_for_its_key(
    fleet: SealedFleet, why: str, *, is_vouched: bool
) -> None:
    """A body that cannot be opened tells which came first; the object stays in both cases."""
    made, store = fleet.sealed(packed=b"no files"), fleet.demo_office.office.store
    one, sha256 = made.label.capture_id, hashlib.sha256(made.content).hexdigest()
    store.objects.put(one, sha256, made.content)
    if not is_vouched:
        store.db.execute("DELETE FROM certificates")

    told = next(taking_in(fleet))

    assert told.startswith(f"{one} left as it is: {why}"), told
    assert store.objects.get(one, sha256) == made.content
    assert store.find(one) is None


def test_object_brought_by_a_technician_stays_without_a_certificate(
    fleet: SealedFleet,
) -> None:
    """The intake drops such an upload since the card has the record; the card may be gone."""
    made, store = fleet.take(fleet.sealed()), fleet.demo_office.office.store
    one, sha256 = made.label.capture_id, hashlib.sha256(made.content).hexdigest()
    set_back(fleet, one, device_id=None)
    store.db.execute("DELETE FROM certificates")

    assert "no evidence certificate" in next(taking_in(fleet))

    assert store.objects.get(one, sha256) == made.content
    upload = store.find(one)
    assert upload is not None
    assert upload.device_id is None


def test_receipt_issued_during_the_adoption_is_kept(fleet: SealedFleet) -> None:
    """A live intake may put the object while the adoption runs."""
    store = fleet.demo_office.office.store
    ids = [fleet.take(fleet.sealed()).label.capture_id for _ in range(2)]
    for one in ids:
        set_back(fleet, one)
    first, second = sorted(ids)
    goes_on = taking_in(fleet)

    assert next(goes_on) == f"{first} taken in"
    upload = store.find(second)
    assert upload is not None
    verdict = fleet.intake.judge(upload, store.received(second))

    assert list(goes_on)[-1] == "taken in: 1; left as they are: 0"
    assert store.verdict(second) == verdict
