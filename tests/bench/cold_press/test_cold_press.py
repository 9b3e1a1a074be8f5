"""The product's rule keeps no frame with a wrong exposure, and the bench finds rules that do."""

import math
import random
import statistics

import pytest

from hardware.picamera2_state import SAMPLED
from hardware.settling import SETTLING_RULE, SettlingRule
from tests.bench.cold_press import GROUPS, Wait, wait, wrong_lamps

PRESSES = 150

SEED = 1


def waits(group: str, rule: SettlingRule) -> list[Wait]:
    chance = random.Random(SEED)
    return [wait(GROUPS[group](chance), rule) for _ in range(PRESSES)]


@pytest.mark.parametrize(("group", "at_most_s"), [("cold", 0.4), ("after the lamp", 0.7)])
def test_no_settled_exposure_is_wrong(group: str, at_most_s: float) -> None:
    """Half of the presses wait no longer than the target."""
    ours = waits(group, SETTLING_RULE)

    assert not [one for one in ours if one.settled and one.is_wrong]
    assert statistics.median(one.added_s for one in ours) <= at_most_s


@pytest.mark.parametrize(
    "rule",
    [
        SettlingRule(2, SETTLING_RULE.move, SETTLING_RULE.fall),
        SettlingRule(SETTLING_RULE.steps, SETTLING_RULE.move, math.inf),
    ],
)
def test_bench_finds_rules_that_are_too_short_or_too_wide(rule: SettlingRule) -> None:
    """A stale exposure does not move until a control acts, and a damped one moves slowly."""
    assert [one for one in waits("after the lamp", rule) if one.settled and one.is_wrong]


def test_press_after_a_change_of_light_waits_for_the_newest_steps() -> None:
    """Without that, more than twice as many photos would be too bright or too dark."""
    ours, unwaiting = (
        sum(one.is_wrong for one in waits("light changed", rule))
        for rule in (SETTLING_RULE, SETTLING_RULE._replace(resettle_steps=0))
    )

    assert unwaiting > 2 * ours


def test_warm_press_does_not_wait() -> None:
    """A few per cent of noise in the brightness are no change of light."""
    assert {one.added_s for one in waits("warm", SETTLING_RULE)} == {0.0}


def test_frames_left_out_before_a_press_make_no_photo_worse_and_no_press_slower() -> None:
    """The newest frame is read at the press, and steps over several frames are as small as one."""
    for group in ("light changed", "warm"):
        chance = random.Random(SEED)
        presses = [GROUPS[group](chance) for _ in range(PRESSES)]
        all_read = [wait(one, SETTLING_RULE) for one in presses]
        some_read = [wait(one, SETTLING_RULE, n % SAMPLED) for n, one in enumerate(presses)]

        assert sum(one.is_wrong for one in some_read) <= sum(one.is_wrong for one in all_read)
        longer = sum(one.added_s for one in some_read) - sum(one.added_s for one in all_read)
        assert longer <= 0.001 * PRESSES


def test_lamp_that_stays_dark_by_mistake_is_seen_by_the_settled_burst() -> None:
    """A frame exposed for the sun is black in the dark, and reports too much light."""
    chance = random.Random(SEED)
    presses = [GROUPS["cold"](chance) for _ in range(PRESSES)]

    _, in_the_dark, in_the_end = wrong_lamps(presses, SETTLING_RULE)

    assert in_the_dark > 0
    assert in_the_end == 0
