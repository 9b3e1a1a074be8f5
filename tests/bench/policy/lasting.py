"""The memory of a label until 2026.11.7: an alternative to `agent.rule.scanning.LastCode`."""

from dataclasses import dataclass, replace
from typing import Final

from agent.models import BoundBy, Stop
from agent.rule import reach
from agent.rule.reach import Circle
from agent.rule.scanning import OPENS_S, Code

WAITED_S: Final = 900.0
"""Time after its reading in which a label spoke."""

AGAIN_S: Final = 60.0
"""Time after a photo in which a label continued to speak."""

AWAY_M: Final = 100.0
"""Distance from its first photo in which a label still spoke; before that photo, anywhere."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """A code, when it was read, where its first photo was, and when its last one."""

    code: str
    read_ns: int
    place: Circle | None = None
    photo_ns: int | None = None


class Lasting:
    """A label that goes on speaking after its photo; all times are CLOCK_MONOTONIC."""

    def __init__(self, again_s: float = AGAIN_S, opens_s: float = OPENS_S) -> None:
        self._again_s = again_s
        self._opens_s = opens_s
        self._bound: _Bound | None = None

    def bind(self, code: str, now_ns: int, _here: Circle | None) -> None:
        """Keep a code that was read."""
        self._bound = _Bound(code, now_ns)

    def code(self, at_ns: int, here: Circle | None) -> Code | None:
        """Return the code that speaks."""
        bound = self._bound
        if bound is None:
            return None
        is_old = at_ns - bound.read_ns > WAITED_S * 1e9
        is_over = bound.photo_ns is not None and at_ns - bound.photo_ns > self._again_s * 1e9
        if is_old or is_over or _is_away(bound, here):
            self._bound = None
            return None
        return Code(bound.code, opens=at_ns - bound.read_ns <= self._opens_s * 1e9)

    def served(
        self, at_ns: int, here: Circle | None, stop: Stop | None, again_until_ns: int | None = None
    ) -> None:
        """Take note of a press; `stop` is None if it left no photo."""
        del again_until_ns  # a label spoke again whether the photo was asked for again or not
        if stop is None:
            self._bound = None
        elif stop.bound_by is BoundBy.CODE and self._bound is not None:
            place = self._bound.place or here
            self._bound = replace(self._bound, place=place, photo_ns=at_ns)


def _is_away(bound: _Bound, here: Circle | None) -> bool:
    if bound.place and here:
        return reach.distance_m(bound.place, here) > AWAY_M
    return bound.photo_ns is not None and here is not None
