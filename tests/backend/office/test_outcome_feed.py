"""The feed of outcomes: each change once, in order, and none is skipped."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.models import RecordKind
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR, RIGHT_DOOR, SIGNATURE
from doorstep_backend.office.model import Office
from doorstep_backend.office.outcome_feed import PAGE, OutcomeFeed
from tests.support.demo_office import NOON, PICTURE, WHO, DemoOffice

DAY = timedelta(days=1)


def numbers(office: Office, after: int = 0) -> list[str]:
    """Return the orders behind a place of the feed."""
    return [one.number for one in office.filing.outcomes.feed.page(after, NOON)]


def last(office: Office) -> int:
    """Return the place of the latest change."""
    return office.filing.outcomes.feed.page(0, NOON)[-1].change


def test_an_order_is_there_once_at_its_latest_change(demo_office: DemoOffice) -> None:
    office = demo_office.office
    capture_id, _ = demo_office.deliver(ALLOWED, RIGHT_DOOR)
    assert numbers(office) == [ALLOWED, RIGHT_DOOR]
    cursor = last(office)

    demo_office.receive(demo_office.void(capture_id))

    assert numbers(office, cursor) == [ALLOWED]
    assert numbers(office) == [RIGHT_DOOR, ALLOWED]
    assert office.filing.outcomes.of(ALLOWED) is None


def test_feed_lacks_events_that_change_no_outcome(demo_office: DemoOffice) -> None:
    office = demo_office.office
    (capture_id,) = demo_office.deliver(ALLOWED)
    cursor = last(office)

    demo_office.receive(demo_office.stray())
    demo_office.receive(demo_office.photo(ALLOWED, utc="2026-12-01T08:00:00.000Z"))
    office.filing.outcomes.settle([ALLOWED, SIGNATURE])
    office.filing.outcomes.take_word_back(SIGNATURE)

    assert numbers(office, cursor) == []
    office.opt_out_order(ALLOWED, True)
    assert demo_office.kept(capture_id) == (False, False)
    assert numbers(office, cursor) == []


def test_a_correction_and_a_dispatchers_word_are_in_it(demo_office: DemoOffice) -> None:
    office, outcomes = demo_office.office, demo_office.office.filing.outcomes
    stray = demo_office.receive(demo_office.stray())

    demo_office.bind(stray, ALLOWED)
    outcomes.mark_delivered(SIGNATURE, WHO, NOON)
    cursor = last(office)
    outcomes.mark_delivered(SIGNATURE, WHO, NOON + DAY)

    assert set(numbers(office)) == {ALLOWED, SIGNATURE}
    assert numbers(office, cursor) == [SIGNATURE]


def test_an_order_is_there_again_when_a_time_record_dates_its_press(
    demo_office: DemoOffice,
) -> None:
    office = demo_office.office
    stop = {"id": office.orders.find(LEFT_DOOR).stop_id, "bound_by": "place"}
    record = {"stop": stop, "simulated": False}
    label = {"clock": "unsynced", "monotonic_ns": 5 * 10**9, "utc": "2036-12-01T09:15:02.000Z"}
    demo_office.receive(demo_office.van.make(RecordKind.PHOTO, record, PICTURE, **label))
    demo_office.deliver(ALLOWED)
    cursor = last(office)

    told = {"utc": "2026-12-01T10:00:00.000Z", "monotonic_ns": 0}
    demo_office.receive(demo_office.van.make(RecordKind.TIME, {"time": told}))

    assert numbers(office, cursor) == [LEFT_DOOR]


def test_a_place_stays_behind_those_of_before_a_restore(demo_office: DemoOffice) -> None:
    """The counter of an older copy of the database is lower; the time of the change is not."""
    office = demo_office.office
    demo_office.deliver(ALLOWED)
    cursor = last(office)
    office.ledger.execute("DELETE FROM outcome_counter")
    office.ledger.execute("DELETE FROM outcome_changes")

    office.filing.outcomes.mark_delivered(SIGNATURE, WHO, NOON)

    feed = office.filing.outcomes.feed
    assert [one.number for one in feed.page(cursor, NOON + DAY)] == [SIGNATURE]


def test_a_clock_that_is_set_back_makes_no_place_twice(demo_office: DemoOffice) -> None:
    feed, outcomes = demo_office.office.filing.outcomes.feed, demo_office.office.filing.outcomes
    outcomes.mark_delivered(ALLOWED, WHO, NOON)
    cursor = feed.page(0, NOON)[-1].change
    outcomes.mark_delivered(ALLOWED, WHO, NOON + DAY)

    outcomes.mark_delivered(SIGNATURE, WHO, NOON)

    later = feed.page(cursor, NOON - DAY)
    assert sorted(one.number for one in later) == [ALLOWED, SIGNATURE]


def test_orders_of_more_than_one_page_come_page_by_page(demo_office: DemoOffice) -> None:
    office, seen, cursor = demo_office.office, list[str](), 0
    like = office.orders.find(SIGNATURE)
    feed = OutcomeFeed(office.ledger)
    for number in range(PAGE + 5):
        one = replace(like, number=f"9{number:03}", stop_id=f"x-{number}", codes=(), done=True)
        office.orders.add(one)

    while page := feed.page(cursor, NOON):
        assert len(page) <= PAGE
        seen += [one.number for one in page]
        cursor = page[-1].change

    assert len(seen) == len(set(seen)) == PAGE + 5


@pytest.mark.slow
@pytest.mark.usefixtures("on_postgresql")
def test_feed_on_postgresql_skips_no_change_that_is_committed_late(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    """The reader waits for nobody, and reads the late change with its next question."""
    office, outcomes = demo_office.office, demo_office.office.filing.outcomes
    outcomes.mark_delivered(ALLOWED, WHO, NOON)

    with office.ledger.transaction():
        outcomes.mark_delivered(ALLOWED, WHO, NOON + DAY)
        outcomes.mark_delivered(SIGNATURE, WHO, NOON)
        elsewhere.submit(other.filing.outcomes.mark_delivered, RIGHT_DOOR, WHO, NOON).result(1)
        seen = elsewhere.submit(other.filing.outcomes.feed.page, 0, NOON).result(1)

    assert [one.number for one in seen] == [RIGHT_DOOR]
    assert sorted(numbers(other, seen[-1].change)) == [ALLOWED, SIGNATURE]
