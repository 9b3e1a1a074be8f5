"""The product's rule keeps no frame that is far off, and the bench sees rules that do."""

import math
import random
import statistics

import pytest

from hardware.settling import USUAL, Steady
from tests.bench.cold_press import GROUPS, Wait, wait, wrong_lamps

PRESSES = 150

SEED = 1


def waits(group: str, rule: Steady) -> list[Wait]:
    chance = random.Random(SEED)
    return [wait(GROUPS[group](chance), rule) for _ in range(PRESSES)]


@pytest.mark.parametrize(("group", "at_most_s"), [("cold", 0.4), ("after the lamp", 0.7)])
def test_no_settled_exposure_is_far_off(group: str, at_most_s: float) -> None:
    """And half of the presses wait less than a driver minds."""
    ours = waits(group, USUAL)

    assert not [one for one in ours if one.settled and one.is_off]
    assert statistics.median(one.added_s for one in ours) <= at_most_s


@pytest.mark.parametrize(
    "rule", [Steady(2, USUAL.move, USUAL.fall), Steady(USUAL.steps, USUAL.move, math.inf)]
)
def test_bench_finds_rules_that_are_too_short_or_too_wide(rule: Steady) -> None:
    """A stale exposure is stable until a control acts, and a damped one moves slowly."""
    assert [one for one in waits("after the lamp", rule) if one.settled and one.is_off]


def test_press_after_a_change_of_light_waits_for_the_newest_steps() -> None:
    """Otherwise more than twice as many photos would be too bright or too dark."""
    ours, unwaiting = (
        sum(one.is_off for one in waits("light changed", rule))
        for rule in (USUAL, USUAL._replace(again=0))
    )

    assert unwaiting > 2 * ours


def test_warm_press_does_not_wait() -> None:
    """A few per cent of noise in the brightness are no change of light."""
    assert {one.added_s for one in waits("warm", USUAL)} == {0.0}


def test_lamp_that_stays_dark_by_mistake_is_seen_by_the_settled_burst() -> None:
    """A frame with the sun's exposure is black in the dark, and tells too much light."""
    chance = random.Random(SEED)
    presses = [GROUPS["cold"](chance) for _ in range(PRESSES)]

    _, in_the_dark, still = wrong_lamps(presses, USUAL)

    assert in_the_dark > 0
    assert still == 0
