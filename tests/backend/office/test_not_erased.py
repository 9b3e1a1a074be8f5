"""A record that cannot be erased stops no other, is logged, and is due again."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from agent.models import rfc3339
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office import due, erasure
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.wire.failure_budget import MOST_FAILURES
from tests.backend.office.interrupted import Interrupted
from tests.support.demo_office import DemoOffice

CAME = datetime(2026, 12, 1, 11, tzinfo=UTC)
DAY = timedelta(days=1)


def test_command_counts_the_erased_records_and_the_failed_ones(
    on_interrupted: DemoOffice, interrupted: Interrupted, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost disk and a bug stop no other record; each is logged, and is due again."""
    demo_office, now = on_interrupted, CAME + 40 * DAY
    ids = [demo_office.receive(demo_office.photo(ALLOWED), _at(minute)) for minute in range(4)]
    interrupted.lost, interrupted.bad = [ids[0]], [ids[2]]

    with pytest.raises(NotDone, match=r"^erased 2 records; 2 could not be .*; more is due"):
        demo_office.said("expire", now=now)
    assert [demo_office.kept(one)[0] for one in ids] == [True, False] * 2
    for one in ids[::2]:
        assert f"record=not_erased capture_id={one}" in caplog.text
    interrupted.lost, interrupted.bad = (), []
    assert demo_office.said("expire", now=now) == "erased 2 records"


def _at(minute: int) -> str:
    return rfc3339(CAME + timedelta(minutes=minute))


def test_the_command_says_that_more_is_due_also_of_an_order_that_takes_no_photo(
    on_interrupted: DemoOffice, interrupted: Interrupted
) -> None:
    """Such a record is not overdue by its age, so no search by age finds it."""
    demo_office = on_interrupted
    interrupted.lost = [demo_office.receive(demo_office.photo(ALLOWED))]
    demo_office.office.ledger.execute("UPDATE orders SET gift = TRUE WHERE number = ?", (ALLOWED,))

    with pytest.raises(NotDone, match="; more is due"):
        demo_office.said("expire", now=CAME + DAY)


@pytest.mark.usefixtures("in_order")
def test_the_command_says_what_it_erased_before_the_rest_could_not_be_reached(
    on_interrupted: DemoOffice, interrupted: Interrupted
) -> None:
    demo_office = on_interrupted
    ids = [
        demo_office.receive(demo_office.photo(ALLOWED), _at(minute))
        for minute in range(MOST_FAILURES + 4)
    ]
    interrupted.lost = ids[3:]

    with pytest.raises(
        Unavailable, match=f"erased 3 records; {MOST_FAILURES} could not be erased.* again later"
    ):
        demo_office.said("expire", now=CAME + 40 * DAY)


def test_however_many_cannot_be_reached_side_by_side_the_others_go_in_the_next_rounds(
    on_interrupted: DemoOffice, interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "BATCH", 2)
    monkeypatch.setattr(erasure, "MOST_FAILURES", 3)
    demo_office = on_interrupted
    ids = [demo_office.receive(demo_office.photo(ALLOWED), _at(minute)) for minute in range(12)]
    interrupted.lost = ids[:8]

    for _ in range(100):  # two in three begin before the last of these
        with suppress(Unavailable):
            demo_office.office.erasure.expire(CAME + 40 * DAY)

    assert [demo_office.kept(one)[0] for one in ids] == [True] * 8 + [False] * 4


def test_erasure_gives_up_after_some_failures_and_still_deletes_rows(
    on_interrupted: DemoOffice, interrupted: Interrupted
) -> None:
    demo_office = on_interrupted
    interrupted.lost = [
        demo_office.receive(demo_office.photo(ALLOWED), _at(minute)) for minute in range(12)
    ]
    demo_office.office.routes.plan("old", [ALLOWED], CAME, CAME + timedelta(hours=1))

    with pytest.raises(Unavailable):
        demo_office.office.erasure.expire(CAME + 40 * DAY)

    assert len(interrupted.tried) == MOST_FAILURES
    assert demo_office.office.ledger.execute("SELECT 1 FROM routes").fetchone() is None
