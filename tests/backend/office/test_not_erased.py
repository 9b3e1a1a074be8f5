"""What cannot be erased stops no other, is told, and is due again."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.models import rfc3339
from doorstep_backend.engines.away import Away
from doorstep_backend.office import due, keeping
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.office.keeping import NotDone
from doorstep_backend.wire.tries import IN_VAIN
from tests.backend.office.interrupted import Interrupted
from tests.support.demo_office import DemoOffice

CAME = datetime(2026, 12, 1, 11, tzinfo=UTC)
DAY = timedelta(days=1)


def test_one_that_cannot_be_erased_stops_no_other(
    tmp_path: Path,
    interrupted: Interrupted,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(due, "BATCH", 1)
    town = DemoOffice(tmp_path, objects=interrupted)
    bad, good = (town.receive(town.photo(ALLOWED)) for _ in range(2))
    first = min(bad, good)
    interrupted.bad = [first]

    assert town.office.keeping.expire(CAME + 40 * DAY) == 1

    assert f"record=not_erased capture_id={first}" in caplog.text
    assert {town.kept(bad)[0], town.kept(good)[0]} == {True, False}
    interrupted.bad.clear()
    assert town.office.keeping.expire(CAME + 40 * DAY) == 1


def _at(minute: int) -> str:
    return rfc3339(CAME + timedelta(minutes=minute))


def test_what_cannot_be_reached_stops_no_other(
    tmp_path: Path, interrupted: Interrupted, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a lost disk among many: it is tried again, and the others are gone."""
    town = DemoOffice(tmp_path, objects=interrupted)
    ids = [town.receive(town.photo(ALLOWED), _at(minute)) for minute in range(6)]
    interrupted.lost = ids[::2]

    assert town.office.keeping.expire(CAME + 40 * DAY) == 3

    assert [town.kept(one)[0] for one in ids] == [True, False] * 3
    assert f"record=not_erased capture_id={ids[0]}" in caplog.text
    interrupted.lost = ()
    assert town.office.keeping.expire(CAME + 40 * DAY) == 3


def test_the_command_says_what_it_erased_and_how_much_it_could_not(
    tmp_path: Path, interrupted: Interrupted
) -> None:
    town, now = DemoOffice(tmp_path, objects=interrupted), CAME + 40 * DAY
    lost, bad, _ = (town.receive(town.photo(ALLOWED)) for _ in range(3))
    interrupted.lost, interrupted.bad = [lost], [bad]

    with pytest.raises(NotDone, match=r"^erased 1 records; 2 could not be .*; more is due"):
        town.said("expire", now=now)
    interrupted.lost, interrupted.bad = (), []
    assert town.said("expire", now=now) == "erased 2 records"


def test_the_command_says_that_more_is_due_also_of_an_order_that_takes_no_photo(
    tmp_path: Path, interrupted: Interrupted
) -> None:
    """Its time is not over, and nothing finds it among what is overdue."""
    town = DemoOffice(tmp_path, objects=interrupted)
    interrupted.lost = [town.receive(town.photo(ALLOWED))]
    town.office.ledger.execute("UPDATE orders SET gift = TRUE WHERE number = ?", (ALLOWED,))

    with pytest.raises(NotDone, match="; more is due"):
        town.said("expire", now=CAME + DAY)


@pytest.mark.usefixtures("in_order")
def test_the_command_says_what_it_erased_before_the_rest_could_not_be_reached(
    tmp_path: Path, interrupted: Interrupted
) -> None:
    town = DemoOffice(tmp_path, objects=interrupted)
    ids = [town.receive(town.photo(ALLOWED), _at(minute)) for minute in range(IN_VAIN + 4)]
    interrupted.lost = ids[3:]

    with pytest.raises(
        Away, match=f"erased 3 records; {IN_VAIN} could not be erased.* again later"
    ):
        town.said("expire", now=CAME + 40 * DAY)


def test_however_many_cannot_be_reached_side_by_side_the_others_go_in_the_next_rounds(
    tmp_path: Path, interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "BATCH", 2)
    monkeypatch.setattr(keeping, "IN_VAIN", 3)
    town = DemoOffice(tmp_path, objects=interrupted)
    ids = [town.receive(town.photo(ALLOWED), _at(minute)) for minute in range(12)]
    interrupted.lost = ids[:8]

    for _ in range(100):  # two in three begin before the last of these
        with suppress(Away):
            town.office.keeping.expire(CAME + 40 * DAY)

    assert [town.kept(one)[0] for one in ids] == [True] * 8 + [False] * 4


def test_where_nothing_can_be_reached_few_are_tried_and_rows_go_all_the_same(
    tmp_path: Path, interrupted: Interrupted
) -> None:
    town = DemoOffice(tmp_path, objects=interrupted)
    interrupted.lost = [town.receive(town.photo(ALLOWED), _at(minute)) for minute in range(12)]
    town.office.routes.plan("old", [ALLOWED], CAME, CAME + timedelta(hours=1))

    with pytest.raises(Away):
        town.office.keeping.expire(CAME + 40 * DAY)

    assert len(interrupted.tried) == IN_VAIN
    assert town.office.ledger.execute("SELECT 1 FROM routes").fetchone() is None
