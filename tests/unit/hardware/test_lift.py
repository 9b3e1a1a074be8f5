"""When a device is lifted, by the accelerations of hands, vans and tables."""

import math
import random
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from hardware.lift import STILL_S, Acceleration, Feeling, LiftRule, SensorFault
from tests.support.accelerometer import NOISE_MPS2

PERIOD_S = 0.08
G_MPS2 = 9.81

Motion = Callable[[float], Acceleration]
"""Acceleration at a time in s, without the sensor's noise."""


def table(_at_s: float) -> Acceleration:
    return 0.0, 0.0, G_MPS2


def held(tremor_g: float, turn_deg_per_s: float) -> Motion:
    """A hand that does its best: tremor of 7 Hz along one axis, and a slow turn to and fro."""

    def felt(at_s: float) -> Acceleration:
        tremor_mps2 = tremor_g * G_MPS2 * math.sin(2 * math.pi * 7 * at_s)
        turn = math.radians(turn_deg_per_s * abs(at_s % 20 - 10))
        return G_MPS2 * math.sin(turn), tremor_mps2, G_MPS2 * math.cos(turn)

    return felt


def driving(at_s: float) -> Acceleration:
    """A seat's 0.3 m/s² r.m.s., at the 1.5 Hz of a body on its springs."""
    return 0.0, 0.0, G_MPS2 + 0.3 * math.sqrt(2) * math.sin(2 * math.pi * 1.5 * at_s)


def braking(at_s: float) -> Acceleration:
    """A routine stop of four seconds, each half a minute."""
    return (2.5 * math.sin(math.pi * min(at_s % 30, 4) / 4), 0.0, G_MPS2)


def noisy(motion: Motion, seed: int = 1) -> Iterator[tuple[float, Acceleration]]:
    """Yield the readings of a sensor that feels this."""
    noise = random.Random(seed)
    for number in count(1):
        at_s = number * PERIOD_S
        x, y, z = (noise.gauss(axis, NOISE_MPS2) for axis in motion(at_s))
        yield at_s, (x, y, z)


def after(rule: LiftRule, seconds: float, motion: Motion, from_s: float = 0.0) -> list[Feeling]:
    """Feel a motion for a while."""
    readings = noisy(motion)
    return [
        rule.feel(from_s + at_s, felt)
        for _ in range(round(seconds / PERIOD_S))
        for at_s, felt in [next(readings)]
    ]


def test_a_device_left_alone_is_at_rest_after_five_seconds_and_stays_so() -> None:
    """The sensor's noise alone lifts it at most for seconds in an hour."""
    felt = after(LiftRule(0.0), 3_600, table)

    first = next(feeling.at_s for feeling in felt if not feeling.lifted)
    assert first == pytest.approx(STILL_S, abs=1.0)
    assert sum(feeling.lifted is False for feeling in felt) > 0.99 * len(felt)


@pytest.mark.parametrize(
    "motion",
    [held(0.01, 0.0), held(0.0015, 0.5), driving],
    ids=["the tremor of most people", "a steady hand that turns", "a van that drives"],
)
def test_motion_without_end_stays_lifted(motion: Motion) -> None:
    """A press must find the camera streaming, however still the hand is before."""
    felt = after(LiftRule(0.0), 600, motion)

    assert all(feeling.lifted for feeling in felt)


@pytest.mark.parametrize("motion", [held(0.01, 0.0), held(0.0, 10.0), braking])
def test_a_lift_is_felt_at_once(motion: Motion) -> None:
    """Within the first readings: the camera starts before the finger is at the button."""
    rule = LiftRule(0.0)
    assert after(rule, 20, table)[-1].lifted is False

    felt = after(rule, 0.6, motion, from_s=20)

    assert any(feeling.lifted for feeling in felt)


def test_lost_reading_changes_nothing_and_a_second_one_is_a_fault() -> None:
    """After a gap nobody knows whether a hand came meanwhile."""
    rule = LiftRule(0.0)
    after(rule, 20, table)

    assert rule.feel(20.5, None).lifted is False
    assert rule.feel(21.5, None) == Feeling(21.5, None, SensorFault.SILENT)
    assert rule.feel(21.6, table(21.6)) == Feeling(21.6, lifted=True, fault=None)


def test_nothing_is_known_before_the_first_reading() -> None:
    """The reading is no fault either, unless it does not come."""
    assert LiftRule(0.0).feel(0.1, None) == Feeling(0.1, None, None)


@pytest.mark.parametrize(
    ("felt", "noise_mps2", "fault"),
    [
        ((0.1, 0.2, G_MPS2), 0.0, SensorFault.STUCK),
        ((0.0, 0.0, 0.0), 0.0, SensorFault.STUCK),
        ((0.0, 0.0, 0.0), NOISE_MPS2, SensorFault.WRONG),
        ((0.0, 12.0, 0.0), NOISE_MPS2, SensorFault.WRONG),
    ],
    ids=["as it was", "reset and asleep", "no gravity", "another planet"],
)
def test_a_sensor_that_lies_is_never_at_rest(
    felt: Acceleration, noise_mps2: float, fault: SensorFault
) -> None:
    """A caught sensor is never believed again: its fault must not come and go with the hand."""
    rule, noise = LiftRule(0.0), random.Random(1)
    for number in range(1, 250):
        x, y, z = (noise.gauss(axis, noise_mps2) for axis in felt)
        assert rule.feel(number * PERIOD_S, (x, y, z)).lifted is not False

    assert after(rule, 20, held(0.1, 10.0), from_s=20)[-1] == Feeling(40.0, None, fault)


def test_a_sensor_whose_zero_is_off_as_its_sheet_permits_is_believed() -> None:
    felt = after(LiftRule(0.0), 20, lambda _: (0.0, 0.0, G_MPS2 + 0.14 * G_MPS2))

    assert (felt[-1].lifted, felt[-1].fault) == (False, None)
