"""When a boot needs another `time` record because its dates contradict each other."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from agent.capture.dating import AGAIN_AFTER_S, TIMES_WITHOUT_WAIT, Date, Dates, of_boot
from agent.models import CaptureId
from agent.queue.labels import LabelSummary
from hardware.clock import ClockSource, Moment

BEGAN = datetime(2026, 12, 1, 9, tzinfo=UTC)
TEN_YEARS = timedelta(days=3650)


def said(
    at_s: float, source: ClockSource = ClockSource.GNSS, ahead: timedelta = timedelta()
) -> Date:
    return Date(BEGAN + timedelta(seconds=at_s) + ahead, round(at_s * 1e9), source)


def now(
    at_s: float, source: ClockSource = ClockSource.GNSS, ahead: timedelta = timedelta()
) -> Moment:
    date = said(at_s, source, ahead)
    return Moment(date.utc, date.monotonic_ns, "this boot", source, None)


def test_wrong_time_record_is_followed_by_one_that_contradicts_it() -> None:
    dates = Dates().after(said(1, ahead=TEN_YEARS), is_time=True)

    assert not dates.is_time_record_due(now(2, ahead=TEN_YEARS))
    assert dates.is_time_record_due(now(3))
    assert not dates.after(said(3), is_time=True).is_time_record_due(now(4))


def test_label_of_the_right_time_does_not_hide_the_wrong_record() -> None:
    """A press may come before the loop's turn after the jump back."""
    dates = Dates().after(said(1, ahead=TEN_YEARS), is_time=True).after(said(2), is_time=False)

    assert dates.is_time_record_due(now(3))


def test_wrong_label_between_right_ones_needs_a_record() -> None:
    """Also if the clock was right again before the loop's turn."""
    dates = Dates().after(said(1), is_time=False).after(said(2, ahead=TEN_YEARS), is_time=False)

    assert dates.is_time_record_due(now(3))


@pytest.mark.parametrize(
    ("source", "is_due"),
    [
        (ClockSource.NTP, True),
        (ClockSource.GNSS, True),
        (ClockSource.RTC, False),
        (ClockSource.UNSYNCED, False),
    ],
)
def test_worse_source_contradicts_nothing(source: ClockSource, *, is_due: bool) -> None:
    dates = Dates().after(said(1, ahead=TEN_YEARS), is_time=True)

    assert dates.is_time_record_due(now(2, source)) == is_due


def test_worse_label_is_no_word_against_a_better_one() -> None:
    dates = Dates().after(said(1, ClockSource.NTP), is_time=False)
    dates = dates.after(said(2, ClockSource.GNSS, TEN_YEARS), is_time=False)

    assert not dates.is_time_record_due(now(3, ClockSource.NTP))


def test_hours_of_difference_are_no_contradiction() -> None:
    """The monotonic clock may be 0.05 % wrong, and a card may be in use for a year."""
    dates = Dates().after(said(0), is_time=True)

    assert not dates.is_time_record_due(now(3, ahead=timedelta(hours=20)))
    assert not Dates().is_time_record_due(now(3))


def test_receiver_that_changes_its_mind_gets_one_record_an_hour() -> None:
    dates, at_s, ahead = Dates(), 0, timedelta()
    while at_s < 6 * AGAIN_AFTER_S:
        ahead = TEN_YEARS - ahead
        at_s += 10
        if dates.newest is None or dates.is_time_record_due(now(at_s, ahead=ahead)):
            dates = dates.after(said(at_s, ahead=ahead), is_time=True)

    assert TIMES_WITHOUT_WAIT + 4 <= dates.times <= TIMES_WITHOUT_WAIT + 6


def glance(at_ns: int, clock: object = "gnss") -> LabelSummary:
    """Return a label of this boot, as anyone may write it into a file."""
    utc = (BEGAN + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    texts = (CaptureId("an id"), "a key", "van-7", "a chain", 1, "this boot", utc)
    return LabelSummary(*texts, cast(str, clock), at_ns, is_plain_photo=False, is_time=False)


@pytest.mark.parametrize(
    "lie",
    [glance(10**26), glance(-(10**26)), glance(0, ["gnss"]), glance(0, {}), glance(0, None)],
)
def test_start_ignores_label_with_impossible_time(lie: LabelSummary) -> None:
    """Labels are not verified; an integer or a list from JSON ended each start."""
    true = glance(10**9)

    assert of_boot([lie, true], "this boot") == of_boot([true], "this boot")
    assert of_boot([true], "this boot").newest == said(1)
