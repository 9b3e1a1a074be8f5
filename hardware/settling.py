"""When automatic exposure has settled, by the exposures of consecutive frames; pure.

An exposure here is exposure time times gain.
"""

from collections import deque
from itertools import pairwise
from typing import Final, NamedTuple

STEPS: Final = 5
"""Consecutive steps from frame to frame in which the exposure must hardly move.

Source: a control acts two to four frames later (libcamera, `camera_sensor_properties.cpp`), so a
stale exposure does not move for as many frames.
"""

RESETTLE_STEPS: Final = 2
"""Newest steps in which the exposure must hardly move after it has settled once.

Source: the exposure is not stale any more, but the light may have changed, as for a device that
comes out of its holster.
"""

MOVE: Final = 0.10
"""Greatest share by which the exposure may rise or fall in each of these steps."""

FALL: Final = 0.07
"""Greatest share by which the exposure may fall in the newest two steps together.

A damped exposure moves by a share of the distance to its target. From far above the target, the
same step is a smaller share of the exposure than from far below. Source: of 2,000 simulated
presses (`python -m tests.bench.cold_press`, 2026-11), those with a settled exposure keep no frame
that is 1.5 times off.
"""

FRAMES_MOST: Final = 30
"""Frames that a burst waits for at most: one second at 30 frames a second."""


class SettlingRule(NamedTuple):
    """The number and size of steps that count as settled; see the constants of these names."""

    steps: int = STEPS
    move: float = MOVE
    fall: float = FALL
    resettle_steps: int = RESETTLE_STEPS


SETTLING_RULE: Final = SettlingRule()


class _Exposed(NamedTuple):
    began_ns: int
    exposure: float


class Settling:
    """The exposures of the newest frames of a stream, added in order.

    Every frame must be added until the exposure has settled. Later some may be left out: a step
    over several frames must be as small as one between neighbours, so the rule is stricter then.
    """

    def __init__(self, rule: SettlingRule = SETTLING_RULE) -> None:
        self._rule: Final = rule
        self._newest: Final[deque[_Exposed]] = deque(maxlen=rule.steps + 1)
        self._settled_from_ns: int | None = None

    def add(self, began_ns: int, exposure: float) -> None:
        """Add the next frame: when its exposure began, and its exposure in any unit."""
        self._newest.append(_Exposed(began_ns, exposure))
        if self._hardly_moved(self._rule.steps):
            self._settled_from_ns = self._newest[0].began_ns

    def settled(self, light_changed_ns: int = 0) -> bool:
        """Return True if the exposure has settled and hardly moved in the newest steps.

        Frames whose exposure began before `light_changed_ns` do not count.
        """
        since_ns = self._settled_from_ns
        return (
            since_ns is not None
            and since_ns >= light_changed_ns
            and self._hardly_moved(self._rule.resettle_steps)
        )

    def _hardly_moved(self, steps: int) -> bool:
        newest = [one.exposure for one in self._newest][-steps - 1 :]
        return (
            len(newest) > steps
            and all(max(step) <= (1 + self._rule.move) * min(step) for step in pairwise(newest))
            and (steps < 2 or newest[-3] <= (1 + self._rule.fall) * newest[-1])
        )
