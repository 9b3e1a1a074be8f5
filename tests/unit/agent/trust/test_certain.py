"""The certain time: neither a clock nor a receipt alone is enough."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trust.certain import Agreement, agreed, certain_now
from hardware.clock import BUILT, ClockSource, Moment
from hardware.floor import AGREES_WITHIN, LATEST

NOON = BUILT + timedelta(days=10)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRUSTED = (ClockSource.NTP, ClockSource.GNSS)
UNTRUSTED = (ClockSource.RTC, ClockSource.UNSYNCED)


def moment(
    utc: datetime, source: ClockSource = ClockSource.NTP, boot_id: str = "this boot"
) -> Moment:
    return Moment(utc, 0, boot_id, source, None)


@pytest.mark.parametrize("source", TRUSTED)
def test_a_receipt_and_a_clock_that_agree_are_as_late_as_the_earlier(source: ClockSource) -> None:
    assert agreed(NOON - HOUR, moment(NOON, source), 5.0) == Agreement(
        "this boot", NOON - HOUR, 5.0
    )
    assert agreed(NOON + HOUR, moment(NOON, source), 5.0) == Agreement("this boot", NOON, 5.0)


@pytest.mark.parametrize(
    ("apart", "agrees"),
    [(AGREES_WITHIN, True), (-AGREES_WITHIN, True), (DAY + HOUR, False), (-DAY - HOUR, False)],
)
def test_times_more_than_a_day_apart_do_not_agree(apart: timedelta, agrees: bool) -> None:
    """Network time that somebody forged, a backend whose clock is wrong, a receipt of last week."""
    assert (agreed(NOON + apart, moment(NOON), 5.0) is not None) is agrees


def test_a_far_year_is_believed_of_nobody() -> None:
    far = LATEST + DAY

    assert agreed(far, moment(far), 5.0) is None
    assert agreed(LATEST, moment(LATEST), 5.0) is not None


def test_time_passes_by_boottime_and_by_nothing_else() -> None:
    """The network's time may be a year ahead by now."""
    known = Agreement("this boot", NOON, 100.0)

    for source in ClockSource:
        later = moment(NOON + 365 * DAY, source)
        assert certain_now(known, later, 100.0 + 7200.0) == NOON + 2 * HOUR


def test_network_counts_if_it_is_behind() -> None:
    known = Agreement("this boot", NOON, 100.0)

    assert certain_now(known, moment(NOON - DAY), 200.0) == NOON - DAY


@pytest.mark.parametrize("source", UNTRUSTED)
def test_a_guess_that_is_behind_counts_nothing(source: ClockSource) -> None:
    """1970 at a boot without network."""
    known = Agreement("this boot", NOON, 100.0)

    assert certain_now(known, moment(NOON - 9000 * DAY, source), 100.0) == NOON


def test_nothing_is_certain_in_another_boot_nor_without_agreement() -> None:
    known = Agreement("the boot before", NOON, 100.0)

    assert certain_now(known, moment(NOON), 1e6) is None
    assert certain_now(None, moment(NOON), 1e6) is None


def test_nothing_is_certain_before_it_was_agreed_on() -> None:
    """CLOCK_BOOTTIME never runs back; who says so is wrong about the boot."""
    assert certain_now(Agreement("this boot", NOON, 100.0), moment(NOON), 99.0) is None


@given(
    received=st.timedeltas(-3 * DAY, 3 * DAY),
    then=st.timedeltas(-3 * DAY, 3 * DAY),
    source=st.sampled_from(ClockSource),
    passed_s=st.floats(0, 1e7),
    now=st.timedeltas(-400 * DAY, 400 * DAY),
    vouches=st.sampled_from(ClockSource),
)
def test_bound_is_never_later_than_both_witnesses_and_the_time_since(
    *,
    received: timedelta,
    then: timedelta,
    source: ClockSource,
    passed_s: float,
    now: timedelta,
    vouches: ClockSource,
) -> None:
    """An attacker who forges one of them makes the device delete nothing early."""
    known = agreed(NOON + received, moment(NOON + then, source), 50.0)

    certain = certain_now(known, moment(NOON + now, vouches), 50.0 + passed_s)

    if certain is not None:
        assert source in TRUSTED
        passed = timedelta(seconds=passed_s) + timedelta(microseconds=1)
        assert certain <= NOON + received + passed
        assert certain <= NOON + then + passed
