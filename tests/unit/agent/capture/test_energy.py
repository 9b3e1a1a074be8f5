"""The energy of a shift by readings of the supply, one a second, and what a status shows of it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from agent.capture.energy import (
    SILENT_AFTER_S,
    STEP_WH,
    Energy,
    PublicFigures,
    Shift,
    troubles,
)
from hardware.power import PowerReading
from hardware.settings import PowerSettings

HOUR_S = 3_600
BUILT_IN = PowerSettings(gauge=True, current_sensor="ina226", battery_wh=20.0)
WAITING_W, STREAMING_W = 1.0, 1.8


def reading(
    pct: int | None = 80, watts: float | None = 1.0, *, external: bool | None = False
) -> PowerReading:
    return PowerReading(pct, external, None, watts)


class Clock:
    """The readings of a device that is on since `now_s`, one a second."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s
        self.energy = Energy()

    def read(self, power: PowerReading, seconds: float = 1, every_s: float = 1.0) -> "Clock":
        for _ in range(round(seconds / every_s)):
            self.now_s += every_s
            self.energy = self.energy.after(power, round(self.now_s * 1e9))
        return self

    def drain(self, hours: float, wh_of_pct: float = 0.2, watts: float = 1.0) -> "Clock":
        """Run on the battery, whose gauge begins at 100, or at its last level."""
        used_wh = self.energy.shift.used_j / 3_600
        for _ in range(round(hours * HOUR_S / 10)):
            used_wh += watts / 360
            self.read(reading(100 - int(used_wh / wh_of_pct), watts), 10, every_s=10)
        return self


def test_energy_is_the_sum_of_the_watts_on_the_battery() -> None:
    found = Clock().read(reading(watts=1.0), 1_800).read(reading(watts=3.0), 1_800)

    assert found.energy.shift.used_wh == pytest.approx(2.0, rel=0.01)


def test_external_power_interrupts_a_shift_and_an_hour_of_it_ends_the_shift() -> None:
    van = Clock().read(reading(), HOUR_S).read(reading(external=True, watts=9.0), HOUR_S - 60)
    goes_on = van.read(reading(), HOUR_S).energy
    van.read(reading(external=True), HOUR_S + 2).read(reading(external=False), 59)
    van.read(reading(external=True), 60).read(reading(external=False), 59)
    still = van.energy
    van.read(reading(external=False), 60)

    assert goes_on.shift.used_wh == pytest.approx(2.0, rel=0.01)
    assert still.shift.is_over
    assert not van.energy.shift.is_over
    assert van.energy.shift.battery_s < 60


@pytest.mark.parametrize("wrong", [reading(external=True), reading(None, None), reading(0, 29.0)])
def test_wrong_reading_alone_changes_no_shift(wrong: PowerReading) -> None:
    good = Clock().drain(3.1)
    bad = Clock().drain(1.5).read(wrong).drain(1.6)

    assert good.energy.hours_left is not None
    assert bad.energy.hours_left == pytest.approx(good.energy.hours_left, rel=0.02)
    assert bad.energy.shift.used_wh == pytest.approx(good.energy.shift.used_wh, rel=0.01)
    assert not bad.energy.shift.is_over


def test_a_gap_between_two_readings_counts_neither_as_time_nor_as_energy() -> None:
    """Another process served meanwhile, or none."""
    found = Clock().read(reading(), HOUR_S)
    found.now_s += 7_200
    found.read(reading(), HOUR_S)

    assert found.energy.shift.battery_s == pytest.approx(2 * HOUR_S, rel=0.01)


def test_hours_left_follow_the_fall_of_the_gauge() -> None:
    """20 Wh at 1 W: after 4.1 h 80 % are left, and 75 of them until the shutdown."""
    assert Clock().drain(4.1).energy.hours_left == pytest.approx(15.4, rel=0.01)
    worn = Clock().drain(4.1, wh_of_pct=0.1)
    assert worn.energy.hours_left == pytest.approx(5.4, rel=0.05)


def test_hours_left_are_unknown_before_the_gauge_has_fallen_by_10() -> None:
    assert Clock().drain(1.5).energy.hours_left is None
    assert Clock().drain(0.9, wh_of_pct=0.01).energy.hours_left is None


def test_hours_left_are_unknown_with_external_power_and_while_the_gauge_is_silent() -> None:
    assert Clock().drain(3).energy.hours_left is not None
    assert Clock().drain(3).read(reading(external=True)).energy.hours_left is None
    assert silent(Clock().drain(3)).energy.hours_left is None


def test_the_mean_power_is_only_of_a_whole_shift_that_has_ended() -> None:
    shift = Clock().drain(5)
    running = shift.energy.mean_w
    shift.read(reading(external=True), HOUR_S + 2)
    short = Clock().drain(3).read(reading(external=True), HOUR_S + 2)

    assert (running, short.energy.mean_w) == (None, None)
    assert shift.energy.mean_w == pytest.approx(1.0)
    assert shift.drain(1, watts=3.0).energy.mean_w == pytest.approx(1.0)  # the next has begun


def test_a_shift_that_was_hardly_measured_has_no_energy() -> None:
    """A silent sensor must not make a frugal device."""
    found = Clock().read(reading(), 4 * HOUR_S, every_s=10)
    found.read(reading(watts=None), HOUR_S, every_s=10)

    assert found.energy.shift.used_wh is None
    assert found.read(reading(external=True), HOUR_S + 10, every_s=10).energy.mean_w is None


def test_unmeasured_time_counts_as_the_rest() -> None:
    found = Clock().read(reading(watts=2.0), 3_500).read(reading(watts=None), 280)

    assert found.energy.shift.used_wh == pytest.approx(2.1, rel=0.01)


def test_published_figures_change_once_an_hour_of_the_uptime() -> None:
    """A change at an hour of the shift would show when the shift began."""
    found, changes = Clock(now_s=1_234.0), []
    for _ in range(6 * HOUR_S // 2):
        before = found.energy.figures
        found.read(reading(100 - int(found.now_s / 300)), 2, every_s=2)
        if found.energy.figures != before:
            changes.append(found.now_s % HOUR_S)

    assert changes
    assert set(changes) == {0.0}


def test_published_figures_are_coarse() -> None:
    found = Clock().drain(7.01, wh_of_pct=0.15, watts=1.03).energy

    assert found.figures == PublicFigures(used_wh=6, hours_left=6, mean_w=None)
    ended = Clock().drain(7, watts=1.03).read(reading(external=True), 2 * HOUR_S).energy
    assert ended.figures == PublicFigures(used_wh=6, hours_left=None, mean_w=1.05)


def test_days_in_which_the_camera_ran_in_other_hours_look_alike() -> None:
    """A system that polls each second must not read the hours of the deliveries from the figures.

    Two days with the same streaming in all, by chance or the most at the end: no figure of any
    hour differs by more than a step.
    """
    made = random.Random(30)
    for _ in range(5):
        hours = [made.random() for _ in range(9)]
        days = [published(shares) for shares in (hours, sorted(hours))]
        for one, other in zip(*days, strict=True):
            assert abs((one.used_wh or 0) - (other.used_wh or 0)) <= STEP_WH
            assert abs((one.hours_left or 0) - (other.hours_left or 0)) <= 1


def published(shares: list[float]) -> Iterator[PublicFigures]:
    """Yield the figures of each hour of a day with these shares of streaming in its hours."""
    found = Clock()
    for share in shares:
        found.drain(share, watts=STREAMING_W)
        found.drain(1 - share, watts=WAITING_W)
        yield found.energy.figures


def silent(clock: Clock) -> Clock:
    return clock.read(reading(None, None), SILENT_AFTER_S + 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda clock: clock.drain(9), []),
        (lambda clock: clock.read(reading(None, None), SILENT_AFTER_S - 2), []),
        (silent, ["fuel gauge silent", "sensor ina226 silent"]),
        (lambda clock: silent(clock).read(reading()), []),
        # Of the energy, 20 Wh: an aged and cold battery has 14, a worn one 8.
        (lambda clock: clock.drain(6, wh_of_pct=0.14), []),
        (lambda clock: clock.drain(6, wh_of_pct=0.08), ["worn"]),
        # A gauge that is stuck, and a shunt of another value: the sensor tells ten times as much.
        (lambda clock: clock.read(reading(60), 6 * HOUR_S, every_s=10), ["contradict"]),
        (lambda clock: clock.drain(3, wh_of_pct=2.0, watts=10.0), ["contradict"]),
    ],
)
def test_silent_or_contradicting_part_is_reported(
    change: Callable[[Clock], Clock], expected: list[str]
) -> None:
    found = list(troubles(change(Clock()).energy, BUILT_IN))

    assert len(found) == len(expected)
    assert all(word in text for word, text in zip(expected, found, strict=True))


def test_a_sensor_contradicts_no_gauge_that_is_not_built_in() -> None:
    found = Clock().read(reading(None), 6 * HOUR_S, every_s=10).energy

    assert list(troubles(found, PowerSettings(current_sensor="ina226", battery_wh=20.0))) == []


def test_a_board_without_gauge_and_sensor_has_no_trouble() -> None:
    assert list(troubles(silent(Clock()).energy, PowerSettings())) == []
    assert asdict(silent(Clock()).energy.shift) == asdict(
        Shift(battery_s=SILENT_AFTER_S, measured_s=0.0)
    )
