"""When automatic exposure has settled, told by the exposures of consecutive frames; pure."""

from collections import deque
from itertools import pairwise
from typing import Final, NamedTuple

STEPS: Final = 5
"""Consecutive steps from frame to frame in which the exposure must hardly move.

A control acts two to four frames later (libcamera, `camera_sensor_properties.cpp`): a stale
exposure stays as it is for as many frames.
"""

AGAIN: Final = 2
"""Newest steps in which it must hardly move once it has settled: the stretch is not stale any more,
but the light may have changed, as for a device that comes out of its holster.
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
    """A rule: how many steps must be how small; see STEPS, AGAIN, MOVE and FALL."""

    steps: int = STEPS
    move: float = MOVE
    fall: float = FALL
    again: int = AGAIN


USUAL: Final = Steady()


class _Exposed(NamedTuple):
    began_ns: int
    exposure: float


class Settling:
    """The exposures of the newest frames of a stretch, of which each must be added, in order."""

    def __init__(self, rule: Steady = USUAL) -> None:
        self._rule: Final = rule
        self._newest: Final[deque[_Exposed]] = deque(maxlen=rule.steps + 1)
        self._settled_from_ns: int | None = None

    def add(self, began_ns: int, exposure: float) -> None:
        """Add the next frame: when its exposure began, and exposure time times gain."""
        self._newest.append(_Exposed(began_ns, exposure))
        if self._is_still(self._rule.steps):
            self._settled_from_ns = self._newest[0].began_ns

    def settled(self, light_changed_ns: int = 0) -> bool:
        """Return True if the exposure has settled, and hardly moved in the newest steps.

        Of frames that were exposed before the light was changed by us, none counts.
        """
        since_ns = self._settled_from_ns
        return (
            since_ns is not None
            and since_ns >= light_changed_ns
            and self._is_still(self._rule.again)
        )

    def _is_still(self, steps: int) -> bool:
        newest = [one.exposure for one in self._newest][-steps - 1 :]
        return (
            len(newest) > steps
            and all(max(step) <= (1 + self._rule.move) * min(step) for step in pairwise(newest))
            and (steps < 2 or newest[-3] <= (1 + self._rule.fall) * newest[-1])
        )
