"""What moves the time floor: nobody beats the build date, and nobody but the network by much."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hardware.clock import BUILT, ClockSource, Moment
from hardware.floor import (
    ALLOWANCE_S,
    GNSS_RAISES_BY,
    LATEST,
    Allowance,
    Floor,
    as_kept,
    by_clock,
    by_receipt,
)

DAY = timedelta(days=1)
YEAR = 365 * DAY
NOW = BUILT + YEAR
HERE = "this boot"


def moment(
    utc: datetime, source: ClockSource = ClockSource.GNSS, boot_id: str = HERE, off_s: float = 0.0
) -> Moment:
    return Moment(utc, 0, boot_id, source, off_s)


def network(utc: datetime) -> Moment:
    return moment(utc, ClockSource.NTP)


TIMES = st.datetimes(
    min_value=(BUILT - 30 * YEAR).replace(tzinfo=None),
    max_value=datetime(9999, 12, 31),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)


def test_a_receipt_raises_the_floor_and_never_lowers_it() -> None:
    floor = by_receipt(Floor(), NOW)

    assert floor.utc == NOW
    assert by_receipt(floor, NOW - DAY) == floor


def test_nothing_of_a_far_year_raises_the_floor() -> None:
    """2090 and 9999: else one wrong year would end the device for good."""
    for year in (2090, 9999):
        far = BUILT.replace(year=year)
        assert by_receipt(Floor(NOW), far) == Floor(NOW)
        assert by_clock(Floor(NOW), moment(far), 0.0) == Floor(NOW)
        assert by_clock(Floor(NOW), network(far), 0.0, far).utc <= LATEST


def test_fifteen_years_after_the_build_are_the_last_that_count() -> None:
    assert by_receipt(Floor(NOW), LATEST).utc == LATEST
    assert by_receipt(Floor(NOW), LATEST + timedelta(seconds=1)).utc == NOW


def test_gnss_raises_the_floor_to_what_is_certain_of_it() -> None:
    told = moment(NOW + DAY, off_s=3.0)

    assert by_clock(Floor(NOW), told, 0.0).utc == NOW + DAY - timedelta(seconds=3)


def test_a_few_seconds_of_gnss_ten_years_ahead_cost_half_a_year() -> None:
    floor = Floor(NOW)
    for second in range(10):
        floor = by_clock(floor, moment(NOW + 10 * YEAR), float(second))

    assert floor.utc == NOW + GNSS_RAISES_BY


def test_gnss_may_go_on_after_a_day_of_this_boot_and_not_before() -> None:
    ahead = moment(NOW + 10 * YEAR)
    floor = by_clock(Floor(NOW), ahead, 100.0)

    too_soon = by_clock(floor, ahead, 100.0 + ALLOWANCE_S - 1)
    after_a_day = by_clock(too_soon, ahead, 100.0 + ALLOWANCE_S)

    assert too_soon == floor
    assert after_a_day.utc == NOW + 2 * GNSS_RAISES_BY


def test_gnss_may_go_on_after_a_boot() -> None:
    floor = by_clock(Floor(NOW), moment(NOW + 10 * YEAR), 100.0)

    after = by_clock(floor, moment(NOW + 10 * YEAR, boot_id="the next"), 5.0)

    assert after.utc == NOW + 2 * GNSS_RAISES_BY


def test_an_allowance_of_a_clock_that_began_anew_does_not_count() -> None:
    """CLOCK_BOOTTIME never runs back within a boot."""
    assert not Allowance(HERE, 100.0, NOW).holds(HERE, 99.0)


def test_an_earlier_gnss_time_lowers_nothing() -> None:
    assert by_clock(Floor(NOW), moment(NOW - YEAR), 0.0) == Floor(NOW)


def test_network_time_heals_what_gnss_and_receipts_did() -> None:
    by_gnss = by_clock(Floor(NOW), moment(NOW + 10 * YEAR), 0.0)
    by_both = by_receipt(by_gnss, NOW + 8 * YEAR)

    assert by_clock(by_both, network(NOW + DAY), 1.0).utc == NOW + DAY


def test_network_time_raises_nothing_by_itself() -> None:
    """It is not authenticated."""
    assert by_clock(Floor(NOW), network(NOW + 8 * YEAR), 0.0) == Floor(NOW)


def test_network_time_that_agrees_lifts_the_limit_of_gnss() -> None:
    """A device that lay unused for three years."""
    later = NOW + 3 * YEAR

    assert by_clock(Floor(NOW), network(later), 0.0, later - DAY).utc == later - DAY
    assert by_clock(Floor(NOW), network(later), 0.0, later + DAY).utc == later
    assert by_clock(Floor(NOW), network(later), 0.0, later - 1.1 * DAY) == Floor(NOW)


def test_an_allowance_does_not_outlive_the_network_s_word() -> None:
    """Else what was above the floor that was healed could be raised to again, and further."""
    floor = by_clock(Floor(NOW), moment(NOW + 10 * YEAR), 0.0)
    healed = by_clock(floor, network(NOW), 1.0)

    again = by_clock(healed, moment(NOW + 10 * YEAR), 2.0)

    assert again.utc == NOW + GNSS_RAISES_BY


def test_a_clock_that_nobody_vouches_for_moves_nothing() -> None:
    for source in (ClockSource.RTC, ClockSource.UNSYNCED):
        assert by_clock(Floor(NOW), moment(NOW + DAY, source), 0.0, NOW + DAY) == Floor(NOW)


def test_what_was_kept_counts_where_it_is_possible() -> None:
    """An earlier version kept the date of any receipt."""
    assert as_kept(NOW) == NOW
    assert [as_kept(utc) for utc in (None, BUILT - DAY, LATEST + DAY)] == [BUILT] * 3


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ClockSource),
            TIMES,
            st.none() | TIMES,
            st.none() | TIMES,
            st.floats(0, 3 * ALLOWANCE_S),
        ),
        max_size=12,
    )
)
def test_whatever_is_heard_the_floor_is_between_the_build_and_fifteen_years_later(
    heard: list[tuple[ClockSource, datetime, datetime | None, datetime | None, float]],
) -> None:
    """And never after the network's time, while there is one."""
    floor = Floor()
    for source, utc, fix_utc, receipt, boottime_s in heard:
        told = moment(max(utc, BUILT), source)  # as a clock says it
        if receipt is not None:
            floor = by_receipt(floor, receipt)
        floor = by_clock(floor, told, boottime_s, fix_utc)

        assert BUILT <= floor.utc <= LATEST
        if source is ClockSource.NTP:
            assert floor.utc <= told.utc
