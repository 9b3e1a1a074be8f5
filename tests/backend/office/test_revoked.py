"""A signing key that is not believed any more: what came before stays good, the rest is unseen."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from agent.record import signing
from doorstep_backend.office import revoked
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR, RIGHT_DOOR
from tests.support.demo_office import DemoOffice
from tests.support.factory import RecordMaker

SINCE = datetime(2026, 12, 1, 11, 0, 0, tzinfo=UTC)
BEFORE, FROM_THEN = "2026-12-01T10:59:59.999Z", "2026-12-01T11:00:00.000Z"


def revoke(demo_office: DemoOffice, since: datetime = SINCE) -> str:
    kid = signing.thumbprint(demo_office.van.key.public_key())
    demo_office.office.revoked_keys.add(kid, demo_office.van.device_id, since)
    return kid


def test_a_photo_from_before_stays_and_one_from_then_is_shown_to_nobody(
    demo_office: DemoOffice,
) -> None:
    good = demo_office.receive(demo_office.photo(RIGHT_DOOR), BEFORE)
    forged = demo_office.receive(demo_office.photo(ALLOWED), FROM_THEN)

    revoke(demo_office)

    assert demo_office.shown(RIGHT_DOOR) == [good]
    assert demo_office.shown(ALLOWED) == []
    assert (demo_office.is_done(RIGHT_DOOR), demo_office.is_done(ALLOWED)) == (True, False)
    filing = demo_office.office.filing
    assert filing.photo(forged) is None
    assert [photo.capture_id for photo in filing.revoked()] == [forged]


def test_a_photo_that_comes_later_is_kept_and_shown_to_nobody(demo_office: DemoOffice) -> None:
    revoke(demo_office)

    forged = demo_office.receive(demo_office.photo(ALLOWED), FROM_THEN)
    stray = demo_office.receive(demo_office.stray(), FROM_THEN)

    assert demo_office.kept(forged) == (True, True)
    assert demo_office.shown(ALLOWED) == []
    assert demo_office.office.filing.waiting() == []
    assert not demo_office.is_done(ALLOWED)
    assert {photo.capture_id for photo in demo_office.office.filing.revoked()} == {forged, stray}


def test_a_forged_void_takes_nothing_back(demo_office: DemoOffice) -> None:
    """A forged void has no effect, whether it came before or after the office revoked the key."""
    photos = [
        demo_office.receive(demo_office.photo(number), BEFORE) for number in (RIGHT_DOOR, LEFT_DOOR)
    ]
    demo_office.receive(demo_office.void(photos[0]), FROM_THEN)
    assert demo_office.shown(RIGHT_DOOR) == []

    revoke(demo_office)
    demo_office.receive(demo_office.void(photos[1]), FROM_THEN)

    assert demo_office.shown(RIGHT_DOOR) + demo_office.shown(LEFT_DOOR) == photos
    assert demo_office.is_done(RIGHT_DOOR)
    assert demo_office.office.filing.voids() == []


def test_revocation_recalculates_a_device_in_short_transactions(
    demo_office: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo that its driver took back rightly is never shown in between."""
    monkeypatch.setattr(revoked, "BATCH", 1)
    photos = [demo_office.receive(demo_office.photo(RIGHT_DOOR), BEFORE) for _ in range(3)]
    demo_office.van, van = RecordMaker(demo_office.van.device_id), demo_office.van
    for one, by in zip(photos, (van, demo_office.van, van), strict=True):
        demo_office.receive(demo_office.void(one, by), FROM_THEN)
    demo_office.van = van
    seen: list[list[str]] = []
    locked, ledger = demo_office.office.ledger.exclusive_transaction, demo_office.office.ledger

    def steps(name: str | None = None) -> AbstractContextManager[None]:
        seen.append(demo_office.shown(RIGHT_DOOR))
        return locked(name)

    monkeypatch.setattr(ledger, "exclusive_transaction", steps)
    revoke(demo_office)

    assert [photos[1] in shown for shown in seen] == [False] * len(seen)
    assert len(seen) >= 6
    assert set(demo_office.shown(RIGHT_DOOR)) == {photos[0], photos[2]}


def test_photo_taken_back_before_the_revocation_stays_taken_back(demo_office: DemoOffice) -> None:
    photo = demo_office.receive(demo_office.photo(RIGHT_DOOR), BEFORE)
    demo_office.receive(demo_office.void(photo), BEFORE)

    revoke(demo_office)

    assert demo_office.shown(RIGHT_DOOR) == []


def test_another_key_of_the_same_device_is_believed(demo_office: DemoOffice) -> None:
    """The device that was given a new signing key, and its name kept."""
    revoke(demo_office)
    demo_office.van = RecordMaker(demo_office.van.device_id)

    good = demo_office.receive(demo_office.photo(ALLOWED), FROM_THEN)

    assert demo_office.shown(ALLOWED) == [good]


def test_an_earlier_date_moves_it_back_and_a_later_one_does_nothing(
    demo_office: DemoOffice,
) -> None:
    kid = revoke(demo_office)
    listed = demo_office.office.revoked_keys.payload
    first = listed()

    revoke(demo_office, SINCE + timedelta(days=1))
    assert listed() == first
    revoke(demo_office, SINCE - timedelta(days=1))

    assert listed() == {
        "v": 1,
        "version": 2,
        "revoked": [
            {
                "kid": kid,
                "device_id": demo_office.van.device_id,
                "since": "2026-11-30T11:00:00.000Z",
            }
        ],
    }
