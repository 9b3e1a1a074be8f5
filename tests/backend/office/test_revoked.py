"""A signing key that is not believed any more: what came before stays good, the rest is unseen."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from agent.record import signing
from doorstep_backend.office import revoked
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.model import open_office
from tests.support.demo_office import DemoOffice
from tests.support.engines import only_sqlite, take_column
from tests.support.factory import RecordMaker

SINCE = datetime(2026, 12, 1, 11, 0, 0, tzinfo=UTC)
BEFORE, FROM_THEN = "2026-12-01T10:59:59.999Z", "2026-12-01T11:00:00.000Z"


def revoke(town: DemoOffice, since: datetime = SINCE) -> str:
    kid = signing.thumbprint(town.van.key.public_key())
    town.office.revoked_keys.add(kid, town.van.device_id, since)
    return kid


def test_a_photo_from_before_stays_and_one_from_then_is_shown_to_nobody(town: DemoOffice) -> None:
    good = town.receive(town.photo(RIGHT_DOOR), BEFORE)
    forged = town.receive(town.photo(ALLOWED), FROM_THEN)

    revoke(town)

    assert town.shown(RIGHT_DOOR) == [good]
    assert town.shown(ALLOWED) == []
    assert (town.is_done(RIGHT_DOOR), town.is_done(ALLOWED)) == (True, False)
    filing = town.office.filing
    assert filing.photo(forged) is None
    assert [photo.capture_id for photo in filing.revoked()] == [forged]


def test_a_photo_that_comes_later_is_kept_and_shown_to_nobody(town: DemoOffice) -> None:
    revoke(town)

    forged = town.receive(town.photo(ALLOWED), FROM_THEN)
    stray = town.receive(town.stray(), FROM_THEN)

    assert town.kept(forged) == (True, True)
    assert town.shown(ALLOWED) == []
    assert town.office.filing.waiting() == []
    assert not town.is_done(ALLOWED)
    assert {photo.capture_id for photo in town.office.filing.revoked()} == {forged, stray}


def test_a_forged_void_takes_nothing_back(town: DemoOffice) -> None:
    """Neither one that came before the office knew, nor one that comes after."""
    photos = [town.receive(town.photo(number), BEFORE) for number in (RIGHT_DOOR, LEFT_DOOR)]
    town.receive(town.void(photos[0]), FROM_THEN)
    assert town.shown(RIGHT_DOOR) == []

    revoke(town)
    town.receive(town.void(photos[1]), FROM_THEN)

    assert town.shown(RIGHT_DOOR) + town.shown(LEFT_DOOR) == photos
    assert town.is_done(RIGHT_DOOR)
    assert town.office.filing.voids() == []


def test_a_device_of_a_year_is_reckoned_anew_in_steps_between_which_others_file(
    town: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its driver took back rightly is never seen in between."""
    monkeypatch.setattr(revoked, "BATCH", 1)
    photos = [town.receive(town.photo(RIGHT_DOOR), BEFORE) for _ in range(3)]
    town.van, van = RecordMaker(town.van.device_id), town.van
    for one, by in zip(photos, (van, town.van, van), strict=True):
        town.receive(town.void(one, by), FROM_THEN)
    town.van = van
    seen: list[list[str]] = []
    together, ledger = town.office.ledger.together, town.office.ledger

    def steps(name: str | None = None) -> AbstractContextManager[None]:
        seen.append(town.shown(RIGHT_DOOR))
        return together(name)

    monkeypatch.setattr(ledger, "together", steps)
    revoke(town)

    assert [photos[1] in shown for shown in seen] == [False] * len(seen)
    assert len(seen) >= 6
    assert set(town.shown(RIGHT_DOOR)) == {photos[0], photos[2]}


def test_what_the_driver_took_back_before_stays_so(town: DemoOffice) -> None:
    photo = town.receive(town.photo(RIGHT_DOOR), BEFORE)
    town.receive(town.void(photo), BEFORE)

    revoke(town)

    assert town.shown(RIGHT_DOOR) == []


def test_another_key_of_the_same_device_is_believed(town: DemoOffice) -> None:
    """The device that was given a new signing key, and its name kept."""
    revoke(town)
    town.van = RecordMaker(town.van.device_id)

    good = town.receive(town.photo(ALLOWED), FROM_THEN)

    assert town.shown(ALLOWED) == [good]


def test_an_earlier_date_moves_it_back_and_a_later_one_does_nothing(town: DemoOffice) -> None:
    kid = revoke(town)
    listed = town.office.revoked_keys.payload
    first = listed()

    revoke(town, SINCE + timedelta(days=1))
    assert listed() == first
    revoke(town, SINCE - timedelta(days=1))

    assert listed() == {
        "v": 1,
        "version": 2,
        "revoked": [
            {"kid": kid, "device_id": town.van.device_id, "since": "2026-11-30T11:00:00.000Z"}
        ],
    }


@only_sqlite
def test_records_of_before_the_key_was_kept_are_the_devices(town: DemoOffice) -> None:
    """A device had one key then; `orders.db` of 2026.11.1 has no such column."""
    town.receive(town.photo(ALLOWED), FROM_THEN)
    take_column(town.office.ledger, "captures", "kid")

    town.office = open_office(town.office.store)
    revoke(town)

    assert town.shown(ALLOWED) == []
