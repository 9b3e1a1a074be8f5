"""When the camera streams on a round of a few seconds that is given."""

import random
from dataclasses import replace

import pytest

from agent.capture.duties import TICK_S
from hardware.lift import STILL_S
from tests.bench.policy.asked import Moment, Span, Walked
from tests.bench.policy.streaming import Lift, streams
from tests.bench.policy.warmth import WARM_S, wait_s

MAY, MAY_LINGER, NEVER = (True, True), (False, True), (False, False)


def walked(*said: tuple[bool, bool], presses: list[tuple[float, bool]]) -> Walked:
    """A round of which the rule says this, for 10 s each."""
    moments = [Moment(10.0 * turn, 10.0 * turn + 10, *may) for turn, may in enumerate(said)]
    return Walked(moments, presses, walks=[(1.0, 2.0)], drives=[(33.0, 42.0)])


@pytest.mark.parametrize(
    ("linger_s", "expected"),
    [
        (0, [(0, 20)]),
        (25, [(0, 20), (30, 40), (50, 55)]),
        (60, [(0, 20), (30, 40), (50, 70)]),
    ],
)
def test_camera_lingers_after_a_photo_where_the_rule_lets_it(
    linger_s: float, expected: list[Span]
) -> None:
    """The photo is at 30 s; the press at 20 s made none."""
    said = (MAY, MAY, MAY_LINGER, MAY_LINGER, NEVER, MAY_LINGER, MAY_LINGER)

    found = streams(walked(*said, presses=[(20.0, False), (30.0, True)]), linger_s, None)

    assert found == expected


def test_camera_streams_while_lifted_and_no_longer() -> None:
    """From 0.1 s after the lift's begin to half a second, a turn of the loop, after its end."""
    one = walked(MAY, MAY, MAY_LINGER, NEVER, presses=[(12.0, True), (30.0, True)])

    found = streams(one, 20.0, Lift(lasts_s=6.0, before_press_s=1.0))

    assert found == [(11.1, 17.5), (29.1, 30.0)]


def test_walks_and_drives_count_as_lifts_until_the_sensor_has_been_still() -> None:
    """On a belt also for half a minute before and after each press."""
    one = walked(*[MAY] * 20, presses=[(100.0, True)])
    lift = Lift(lasts_s=1.0, before_press_s=0.5)

    driven = streams(one, 20.0, replace(lift, drives=True))
    carried = streams(one, 20.0, replace(lift, walks=True, drives=True))

    ends_s = STILL_S + TICK_S / 2
    assert driven == [(33.1, 42 + ends_s), (99.6, 101.0)]
    assert carried == [(1.1, 2 + ends_s), (33.1, 42 + ends_s), (70.1, 130 + ends_s)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("streamed_s", "least_s", "most_s"), [(None, 0.5, 1.6), (0.4, 0.1, 1.2), (60.0, 0.0, WARM_S)]
)
def test_press_waits_for_start_and_exposure_and_not_at_a_warm_camera(
    streamed_s: float | None, least_s: float, most_s: float
) -> None:
    rng = random.Random(1)

    waits_s = [wait_s(streamed_s, rng) for _ in range(200)]

    assert least_s <= min(waits_s) <= max(waits_s) <= most_s
