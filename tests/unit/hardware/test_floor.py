"""The time floor never goes below the build date, and only network time moves it far."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.clock import BUILT, ClockSource, Moment
from hardware.clock_system import SystemClock
from hardware.floor import (
    AGREES_WITHIN,
    ALLOWANCE_S,
    FRESH_S,
    GNSS_RAISES_BY,
    LATEST,
    Floor,
    GnssAllowance,
    as_kept,
    by_clock,
    by_receipt,
)
from hardware.position import Fix

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


def fix(utc: datetime, received_ns: int = 0) -> Fix:
    return Fix(52.52, 13.405, None, None, None, None, 2, None, utc, received_ns)


def by_gnss(floor: Floor, utc: datetime, boottime_s: float = 0.0, boot_id: str = HERE) -> Floor:
    """After a fix that the clock uses."""
    return by_clock(floor, moment(utc, boot_id=boot_id), boottime_s, fix(utc))


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
        assert by_gnss(Floor(NOW), far) == Floor(NOW)
        assert by_clock(Floor(NOW), network(far), 0.0, fix(far)).utc <= LATEST
    assert by_receipt(Floor(NOW), LATEST).utc == LATEST
    assert by_receipt(Floor(NOW), LATEST + timedelta(seconds=1)).utc == NOW


def test_gnss_raises_the_floor_to_what_is_certain_of_it() -> None:
    told = moment(NOW + DAY, off_s=3.0)

    raised = by_clock(Floor(NOW), told, 0.0, fix(NOW + DAY))

    assert raised.utc == NOW + DAY - timedelta(seconds=3)


def test_gnss_raises_nothing_without_a_fix_of_now_that_says_the_same() -> None:
    """The clock carries on the time of a few seconds for as long as it runs."""
    told, late_ns = moment(NOW + DAY), -round(FRESH_S * 1e9) - 1

    for other in (None, fix(NOW + DAY, late_ns), fix(NOW + DAY - AGREES_WITHIN - DAY / 24)):
        assert by_clock(Floor(NOW), told, 0.0, other) == Floor(NOW)


def test_gnss_may_go_on_after_a_day_of_this_boot_and_not_before() -> None:
    ahead = NOW + 10 * YEAR
    floor = by_gnss(Floor(NOW), ahead, 100.0)

    too_soon = by_gnss(floor, ahead, 100.0 + ALLOWANCE_S - 1)
    after_a_day = by_gnss(too_soon, ahead, 100.0 + ALLOWANCE_S)

    assert too_soon == floor
    assert after_a_day.utc == NOW + 2 * GNSS_RAISES_BY


def test_gnss_may_go_on_after_a_boot() -> None:
    floor = by_gnss(Floor(NOW), NOW + 10 * YEAR, 100.0)

    after = by_gnss(floor, NOW + 10 * YEAR, 5.0, "the next")

    assert after.utc == NOW + 2 * GNSS_RAISES_BY
    assert after.firm("the next") == floor.utc


def test_two_seconds_at_the_end_of_a_day_are_not_two_days() -> None:
    """The second allowance counts from where the floor was when the first one began."""
    floor = by_gnss(Floor(NOW), NOW + DAY, 0.0)

    for boottime_s in (ALLOWANCE_S - 1, ALLOWANCE_S):
        floor = by_gnss(floor, NOW + 10 * YEAR, boottime_s)

    assert floor.utc == NOW + DAY + GNSS_RAISES_BY


def test_floor_that_gnss_alone_raised_in_this_boot_is_not_firm() -> None:
    """A receipt is, and so is what GNSS raised in the boot before."""
    raised = by_gnss(Floor(NOW), NOW + 10 * YEAR)
    later = by_gnss(raised, NOW + 10 * YEAR, ALLOWANCE_S)
    received = by_receipt(later, NOW + DAY)

    assert Floor(NOW).firm(HERE) == raised.firm(HERE) == later.firm(HERE) == NOW
    assert (received.utc, received.firm(HERE)) == (later.utc, NOW + DAY)
    assert received.firm("the next") == received.utc


def test_allowance_of_a_clock_that_started_again_does_not_count() -> None:
    """CLOCK_BOOTTIME never runs back within a boot."""
    assert not GnssAllowance(HERE, 100.0, NOW, NOW, NOW).holds(HERE, 99.0)


def test_an_earlier_gnss_time_lowers_nothing() -> None:
    assert by_gnss(Floor(NOW), NOW - YEAR) == Floor(NOW)


def test_network_time_heals_what_gnss_and_receipts_did() -> None:
    by_both = by_receipt(by_gnss(Floor(NOW), NOW + 10 * YEAR), NOW + 8 * YEAR)
    healed = by_clock(by_both, network(NOW + DAY), 1.0)

    assert healed.utc == healed.firm(HERE) == NOW + DAY


def test_network_time_raises_nothing_by_itself() -> None:
    """Network time is not authenticated."""
    assert by_clock(Floor(NOW), network(NOW + 8 * YEAR), 0.0) == Floor(NOW)


def test_network_time_that_agrees_lifts_the_limit_of_gnss() -> None:
    """A device that lay unused for three years."""
    later = NOW + 3 * YEAR

    assert by_clock(Floor(NOW), network(later), 0.0, fix(later - DAY)).utc == later - DAY
    assert by_clock(Floor(NOW), network(later), 0.0, fix(later + DAY)).utc == later
    assert by_clock(Floor(NOW), network(later), 0.0, fix(later - 1.1 * DAY)) == Floor(NOW)


def test_an_allowance_does_not_outlive_the_network_s_word() -> None:
    """Otherwise a healed time above the floor could be raised to again, and further."""
    floor = by_gnss(Floor(NOW), NOW + 10 * YEAR, 0.0)
    healed = by_clock(floor, network(NOW), 1.0)

    again = by_gnss(healed, NOW + 10 * YEAR, 2.0)

    assert again.utc == NOW + GNSS_RAISES_BY


def test_a_clock_that_nobody_vouches_for_moves_nothing() -> None:
    for source in (ClockSource.RTC, ClockSource.UNSYNCED):
        assert by_clock(Floor(NOW), moment(NOW + DAY, source), 0.0, fix(NOW + DAY)) == Floor(NOW)


def test_kept_floor_counts_if_it_is_possible() -> None:
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
def test_floor_is_between_the_build_and_fifteen_years_later(
    heard: list[tuple[ClockSource, datetime, datetime | None, datetime | None, float]],
) -> None:
    """And never after the network's time, while there is one."""
    floor = Floor()
    for source, utc, fix_utc, receipt, boottime_s in heard:
        told = moment(max(utc, BUILT), source)  # as a clock says it
        if receipt is not None:
            floor = by_receipt(floor, receipt)
        heard_fix = None if fix_utc is None else fix(fix_utc)
        floor = by_clock(floor, told, boottime_s, heard_fix)

        assert BUILT <= floor.utc <= LATEST
        if source is ClockSource.NTP:
            assert floor.utc <= told.utc
        assert floor.firm(HERE) <= floor.utc


@dataclass
class Road:
    """A device without network whose receiver hears the truth, or somebody's who stands near.

    Attributes:
        clock: as the device has it.
        floor: as the device has it.
        true: what time it is.
        boottime_s: of this boot.
        last: the newest fix.
    """

    clock: SystemClock
    floor: Floor
    true: datetime
    boottime_s: float = 0.0
    last: Fix | None = None

    def passes(self, seconds: float) -> None:
        """Without a fix; the device looks at its clock all the same."""
        self.boottime_s += seconds
        self.true += timedelta(seconds=seconds)
        self._settle()

    def hears(self, seconds: int, ahead: timedelta = timedelta(0)) -> None:
        for _ in range(seconds):
            self.passes(1.0)
            self.last = fix(self.true + ahead, self._now_ns)
            self.clock.learn(self.true + ahead, self._now_ns)
            self._settle()

    def now(self) -> Moment:
        return self.clock.at(self._now_ns)

    @property
    def _now_ns(self) -> int:
        return round(self.boottime_s * 1e9)

    def _settle(self) -> None:
        moment = self.now()
        self.floor = by_clock(self.floor, moment, self.boottime_s, self.last)
        self.clock.move_floor(self.floor.utc, self.floor.firm(moment.boot_id))


def road(stale: timedelta = timedelta(0)) -> Road:
    """The floor is so far behind; the clock of the machine says nothing."""
    clock = SystemClock(NOW, lambda: ClockSource.UNSYNCED)
    return Road(clock, Floor(NOW), NOW + stale)


def test_a_week_rollover_displaces_no_time_that_was_forged() -> None:
    one = road()
    one.hears(5, 10 * YEAR)

    one.hears(60, -timedelta(weeks=1024))

    assert one.now().utc > NOW


def test_a_device_that_lay_unused_for_a_year_has_its_floor_after_two_days() -> None:
    one = road(YEAR)

    for _ in range(3):
        one.hears(10)
        one.passes(ALLOWANCE_S)

    assert one.true - one.floor.utc < 2 * DAY


GAPS = st.sampled_from([0.0, 3_600.0, ALLOWANCE_S - 6, ALLOWANCE_S - 4, ALLOWANCE_S])
STEPS = st.lists(st.tuples(st.integers(0, 3), GAPS), max_size=6)
"""Take so many true fixes, a second apart, and then so long without one."""


@settings(max_examples=300)
@given(
    stale=st.sampled_from([0, 100, 400]),
    before=STEPS,
    after=STEPS,
    seconds=st.lists(st.sampled_from([True, True, True, False]), min_size=2, max_size=6),
    ahead=st.sampled_from([-700, -300, 1, 100, 200, 3_650, 5_000]).map(timedelta),
)
def test_whenever_some_seconds_are_forged_they_cost_half_a_year_and_what_is_true_displaces_them(
    stale: int,
    before: list[tuple[int, float]],
    after: list[tuple[int, float]],
    seconds: list[bool],
    ahead: timedelta,
) -> None:
    """Some seconds, with true ones in between; before and after, days with fixes and without."""
    one = road(timedelta(days=stale))

    for fixes, gap_s in before:
        one.hears(fixes)
        one.passes(gap_s)
    for forged in seconds:
        one.hears(1, ahead if forged else timedelta(0))
        assert one.floor.utc <= one.true + GNSS_RAISES_BY
    for fixes, gap_s in [*after, (2, 0.0)]:
        one.hears(fixes)
        one.passes(gap_s)
        assert one.floor.utc <= one.true + GNSS_RAISES_BY

    assert one.now().source is ClockSource.GNSS
    assert abs(one.now().utc - one.true) < timedelta(seconds=2)
    healed = by_clock(one.floor, network(one.true), one.boottime_s)
    assert NOW <= healed.utc <= one.true
