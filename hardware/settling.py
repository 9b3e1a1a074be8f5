"""When automatic exposure has settled, told by the exposures of consecutive frames; pure."""

from collections import deque
from itertools import pairwise
from typing import Final, NamedTuple

STEPS: Final = 5
"""Consecutive steps from frame to frame in which the exposure must hardly move.

A control acts two to four frames later (libcamera, `camera_sensor_properties.cpp`): a stale
exposure stays as it is for as many frames.
"""

MOVE: Final = 0.10
"""Greatest share by which the exposure may rise or fall in each of these steps."""

FALL: Final = 0.07
"""Greatest share by which the exposure may fall in the newest two steps together.

A damped exposure goes a share of the way that is left. The same step is a smaller share of the
exposure if it falls, from far above, than if it rises. Source: 2,000 simulated presses
(`python -m tests.bench.cold_press`, 2026-11), in none of which a kept frame is 1.5 times off.
"""

FRAMES_MOST: Final = 30
"""Frames that are waited for at most: a second at 30 a second."""


class Steady(NamedTuple):
    """A rule: how many steps must be how small; see STEPS, MOVE and FALL."""

    steps: int = STEPS
    move: float = MOVE
    fall: float = FALL


USUAL: Final = Steady()


class _Exposed(NamedTuple):
    began_ns: int
    exposure: float


class Settling:
    """The exposures of the newest frames of a stream, of which each must be added, in order."""

    def __init__(self, rule: Steady = USUAL) -> None:
        self._rule: Final = rule
        self._newest: Final[deque[_Exposed]] = deque(maxlen=rule.steps + 1)

    def add(self, began_ns: int, exposure: float) -> None:
        """Add the next frame: when its exposure began, and exposure time times gain."""
        self._newest.append(_Exposed(began_ns, exposure))

    def settled(self, light_changed_ns: int | None = None) -> bool:
        """Return True if the exposure hardly moved in the newest steps.

        Of frames that were exposed before the light was changed by us, none counts.
        """
        if len(self._newest) <= self._rule.steps:
            return False
        if light_changed_ns is not None and self._newest[0].began_ns < light_changed_ns:
            return False
        exposures = [one.exposure for one in self._newest]
        is_still = all(
            max(step) <= (1 + self._rule.move) * min(step) for step in pairwise(exposures)
        )
        return is_still and exposures[-3] <= (1 + self._rule.fall) * exposures[-1]
