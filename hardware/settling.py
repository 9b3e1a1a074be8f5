"""When automatic exposure has settled, told by the exposures of consecutive frames; pure."""

from collections import deque
from itertools import pairwise
from typing import Final, NamedTuple

STEPS: Final = 4
"""Consecutive steps of the exposure that must be small.

A control acts three frames later (libcamera, `delayed_controls.cpp`): a stale exposure stays as it
is for as many frames.
"""

TOLERANCE: Final = 0.10
"""Greatest share by which the exposure may move in each of these steps.

Source: libcamera's own lock takes as much (`AgcChannel::updateLockStatus`, version 0.4.0).
"""

FRAMES_MOST: Final = 30
"""Frames that are waited for at most: a second at 30 a second."""


class _Exposed(NamedTuple):
    began_ns: int
    exposure: float


class Settling:
    """The exposures of the newest frames of a stream, of which each must be added, in order."""

    def __init__(self, steps: int = STEPS, tolerance: float = TOLERANCE) -> None:
        self._tolerance: Final = tolerance
        self._newest: Final[deque[_Exposed]] = deque(maxlen=steps + 1)

    def add(self, began_ns: int, exposure: float) -> None:
        """Add the next frame: when its exposure began, and exposure time times gain."""
        self._newest.append(_Exposed(began_ns, exposure))

    def settled(self, light_changed_ns: int | None = None) -> bool:
        """Return True if each step moved the exposure by at most the tolerance.

        Of frames that were exposed before the light was changed by us, none counts.
        """
        if len(self._newest) < (self._newest.maxlen or 0):
            return False
        if light_changed_ns is not None and self._newest[0].began_ns < light_changed_ns:
            return False
        return all(
            max(before, after) <= (1 + self._tolerance) * min(before, after)
            for (_, before), (_, after) in pairwise(self._newest)
        )
