"""What the driver means by the buttons; pure."""

from typing import Final

ONE_PRESS_S: Final = 0.6
"""Presses of the photo button within this count once: a finger slips, or taps twice to be sure.

Nobody aims at another parcel in less.
"""

_LONG_AGO_NS: Final = -(10**12)


class Presses:
    """Which presses of the photo button count, told their first edges one after the other.

    Presses within 600 ms count once: one counts unless it began less than 600 ms after the last
    one that counted. One that does not count moves nothing, and how long a press takes to be served
    does not matter. So of taps at 0, 0.35 and 0.66 s the first and the last count: the second
    belongs to the first, and the last is 660 ms after that.

    All times are CLOCK_MONOTONIC. For one thread.
    """

    def __init__(self) -> None:
        self._counted_ns = self._before_ns = _LONG_AGO_NS

    def is_same(self, edge_ns: int) -> bool:
        """Whether a press at `edge_ns` would be the one before."""
        return abs(edge_ns - self._counted_ns) < ONE_PRESS_S * 1e9

    def counts(self, edge_ns: int) -> bool:
        """Take a press at `edge_ns`; whether it is one of its own."""
        if self.is_same(edge_ns):
            return False
        self._before_ns, self._counted_ns = self._counted_ns, edge_ns
        return True

    def was_none(self, edge_ns: int) -> None:
        """The press at `edge_ns` was a glitch, if it counted: the one before it is the last."""
        if edge_ns == self._counted_ns:
            self._counted_ns = self._before_ns
