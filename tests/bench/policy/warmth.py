"""The wait of a press for its first exposure, by the time for which the camera has streamed."""

import random
from functools import cache
from itertools import islice
from typing import Final

from hardware.settling import FRAMES_MOST, SETTLING_RULE
from hardware.simulated.auto_exposure import IMX708
from hardware.simulated.stream import START_NS
from tests.bench import cold_press

WARM_S: Final = 0.1
"""Longest wait with which the camera counts as warm. Source: a driver does not feel 100 ms."""

FPS: Final = 30
"""Frames a second of the recommended build."""

STARTS: Final = 500
"""Simulated starts from which those of a round are drawn."""


@cache
def _settles_after_s() -> list[float]:
    """Return the times from a first frame to a settled exposure, with the build's camera."""
    chance = random.Random(29)
    starts = (cold_press.cold(chance, 0.0) for _ in iter(int, 1))
    ours = (one for one in starts if one.conditions.tuning == IMX708 and one.conditions.fps == FPS)
    return [cold_press.settles_after_s(one, SETTLING_RULE) for one in islice(ours, STARTS)]


def wait_s(streamed_s: float | None, rng: random.Random) -> float:
    """Draw the wait of a press for its first exposure; the light does not change meanwhile.

    Args:
        streamed_s: time since the camera was started; None for a stopped one.
        rng: random numbers.
    """
    first_frame_s = START_NS / 1e9 - (streamed_s or 0.0)
    settles_s = first_frame_s + rng.choice(_settles_after_s())
    most_s = max(0.0, first_frame_s) + FRAMES_MOST / FPS
    return min(max(0.0, settles_s), most_s) + rng.uniform(0.0, 1 / FPS)
