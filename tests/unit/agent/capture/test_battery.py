"""Decisions by readings of the battery, one a second."""

import pytest

from agent.capture.battery import EMPTY_READINGS, Battery, Charge
from hardware.power import PowerReading

ENOUGH, LOW, EMPTY = Charge.ENOUGH, Charge.LOW, Charge.EMPTY
BEFORE_EMPTY = (4,) * (EMPTY_READINGS - 1)


def _reading(level_pct: int | None, *, external: bool | None = False) -> PowerReading:
    return PowerReading(level_pct, external, None)


def _come_to(*levels: int | None) -> list[Charge]:
    battery = Battery()
    return [battery.take(_reading(level)) for level in levels]


@pytest.mark.parametrize(
    ("levels", "charges"),
    [
        ((100, 15), [ENOUGH, ENOUGH]),
        ((15, 14), [ENOUGH, LOW]),
        ((5, 5, 5, 5), [LOW] * 4),
        ((*BEFORE_EMPTY, 4), [*[LOW] * len(BEFORE_EMPTY), EMPTY]),
        ((None, None), [ENOUGH, ENOUGH]),
    ],
)
def test_low_is_under_15_and_empty_under_5(
    levels: tuple[int | None, ...], charges: list[Charge]
) -> None:
    assert _come_to(*levels) == charges


def test_a_gauge_that_jumps_around_15_changes_the_light_once() -> None:
    assert _come_to(16, 14, 16, 14, 17, 14, 16) == [ENOUGH, *[LOW] * 6]


def test_low_ends_with_a_battery_that_was_charged() -> None:
    assert _come_to(14, 17, 18, 15) == [LOW, LOW, ENOUGH, ENOUGH]


def test_wrong_reading_alone_powers_nothing_off() -> None:
    assert EMPTY not in _come_to(60, 0, 60, 0, 61, *[0] * (EMPTY_READINGS - 1), 60)


def test_a_gauge_that_jumps_around_5_comes_to_empty_and_stays_there() -> None:
    assert _come_to(*BEFORE_EMPTY, 6, 7, 4, 6, 7) == [*[LOW] * 13, *[EMPTY] * 3]


def test_external_power_at_4_ends_it_at_once() -> None:
    battery = Battery()
    charges = [battery.take(_reading(4)) for _ in range(EMPTY_READINGS)]
    fed = battery.take(_reading(4, external=True))
    again = [battery.take(_reading(4)) for _ in range(EMPTY_READINGS)]

    assert (charges[-1], fed) == (EMPTY, ENOUGH)
    assert again == [*[LOW] * len(BEFORE_EMPTY), EMPTY]


def test_a_gauge_that_falls_silent_fills_no_battery() -> None:
    assert _come_to(14, None, None) == [LOW] * 3
    assert _come_to(*BEFORE_EMPTY, 4, None)[-2:] == [EMPTY, EMPTY]
    assert _come_to(60, None) == [ENOUGH, ENOUGH]


def test_a_supply_that_nobody_knows_of_feeds_nothing() -> None:
    battery = Battery()

    assert battery.take(_reading(14, external=None)) is LOW


def test_an_hour_left_is_low_whatever_the_gauge_shows() -> None:
    """A worn battery has less than an hour at 15 %, and falls faster than a driver expects."""
    battery = Battery()

    charges = [battery.take(_reading(40), hours_left) for hours_left in (None, 1.0, 0.9, 1.2, 1.25)]

    assert charges == [ENOUGH, ENOUGH, LOW, LOW, ENOUGH]
    assert battery.take(_reading(14), 6.0) is LOW


def test_a_built_in_gauge_that_is_silent_is_never_full() -> None:
    battery = Battery()

    assert battery.take(_reading(None), is_silent=True) is LOW
    assert battery.take(_reading(None, external=True), is_silent=True) is ENOUGH
    assert battery.take(_reading(60)) is ENOUGH

    for _ in range(EMPTY_READINGS):
        battery.take(_reading(4))
    assert battery.take(_reading(None), is_silent=True) is EMPTY
