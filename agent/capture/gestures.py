"""The driver's gestures on the buttons; pure."""

from dataclasses import dataclass
from typing import Final

from hardware.button import ButtonChange, ButtonEvent, ButtonName

ONE_PRESS_S: Final = 0.6
"""Presses of the photo button within this count once: a finger slips, or taps twice to be sure.

A driver needs longer to aim at another parcel.
"""

HOLD_S: Final = 2.0
"""Time for which the scan button is held to take a press back: too long to happen by mistake."""

HAND_OVER_FROM_S: Final = 0.3
"""Least time for which the scan button is down before the photo button, for a hand-over.

A thumb that rolls over both buttons is faster, and so is a tap of the scan button before a photo.
"""

TOLD_S: Final = 0.1
"""Time after its first edge within which a press of the photo button is reported.

It takes 12 ms of a stable level, 6 ms of bounces and 5 ms of delivery; a busy machine is later.
"""

_LONG_AGO_NS: Final = -(10**12)


@dataclass(frozen=True, slots=True)
class PhotoPress:
    """A press of the photo button that counts."""

    edge_ns: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """A press of the photo button, with the scan button down: the parcel was handed over."""

    edge_ns: int


@dataclass(frozen=True, slots=True)
class SamePress:
    """A press of the photo button that counts as one with the press before."""

    edge_ns: int


@dataclass(frozen=True, slots=True)
class NoPress:
    """A touch of the photo button that was no press."""

    edge_ns: int


@dataclass(frozen=True, slots=True)
class Scan:
    """A short press of the scan button."""

    edge_ns: int


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A long press of the scan button: the photo press before does not count."""

    edge_ns: int


Gesture = PhotoPress | HandOver | SamePress | NoPress | Scan | TakeBack


class Presses:
    """The presses of the photo button that count, by their first edges, one after the other.

    Presses within 600 ms count once: one counts unless it began less than 600 ms after the last
    one that counted. A press that does not count changes nothing, and the time that a press needs
    to be served does not matter. So of taps at 0, 0.35 and 0.66 s the first and the last count: the
    second belongs to the first, and the last is 660 ms after that.

    All times are CLOCK_MONOTONIC. One thread decides what counts. A second instance that several
    threads use, such as that of the light, may at worst show or miss a light.
    """

    def __init__(self) -> None:
        self._counted_ns = self._before_ns = _LONG_AGO_NS

    def is_same(self, edge_ns: int) -> bool:
        """Return True if a press at `edge_ns` would count as the one before."""
        return abs(edge_ns - self._counted_ns) < ONE_PRESS_S * 1e9

    def take(self, edge_ns: int) -> bool:
        """Take a press at `edge_ns`; return True if it counts as a new one."""
        if self.is_same(edge_ns):
            return False
        self._before_ns, self._counted_ns = self._counted_ns, edge_ns
        return True

    def undo(self, edge_ns: int) -> None:
        """Undo the press at `edge_ns`, a glitch: if it counted, the one before is last again."""
        if edge_ns == self._counted_ns:
            self._counted_ns = self._before_ns


class Gestures:
    """The gestures in debounced events, in the order of the events; for one thread.

    The edges of the scan button decide how long it was held, not the time of the calls.
    """

    def __init__(self) -> None:
        self._presses = Presses()
        self._scan_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """Time from which a scan button that is down is held, for no hand-over; None if up."""
        return None if self._scan_ns is None else self._scan_ns + int((HOLD_S + TOLD_S) * 1e9)

    def take(self, event: ButtonEvent) -> list[Gesture]:
        """Return the gestures that an event completes, in their order; often none yet."""
        at_ns = event.edge_ns
        match event.button, event.change:
            case ButtonName.PHOTO, ButtonChange.PRESSED:
                return self._press(at_ns, event.scan_since_ns)
            case ButtonName.PHOTO, ButtonChange.GLITCH:
                return [NoPress(at_ns)]
            case ButtonName.SCAN, ButtonChange.PRESSED:
                self._scan_ns = at_ns
            case ButtonName.SCAN, ButtonChange.RELEASED if self._scan_ns is not None:
                edge_ns = self._scan_ns
                taken = self._take_back(at_ns) or [Scan(edge_ns)]
                self._scan_ns = None
                return taken
        return []

    def held(self, now_ns: int) -> list[Gesture]:
        """Return a gesture if the scan button was down long enough, and is still down."""
        return [] if self.due_ns is None or now_ns < self.due_ns else self._take_back(now_ns)

    def _press(self, edge_ns: int, scan_since_ns: int | None) -> list[Gesture]:
        if not self._presses.take(edge_ns):
            return [SamePress(edge_ns)]
        if scan_since_ns is None or not _hands_over((edge_ns - scan_since_ns) / 1e9):
            return [*self._take_back(edge_ns), PhotoPress(edge_ns)]
        self._scan_ns = None  # its release is neither a scan nor a take-back
        return [HandOver(edge_ns)]

    def _take_back(self, until_ns: int) -> list[Gesture]:
        """Return the take-back of a scan button that was down long enough by then, once."""
        edge_ns = self._scan_ns
        if edge_ns is None or until_ns - edge_ns < HOLD_S * 1e9:
            return []
        self._scan_ns = None
        return [TakeBack(edge_ns)]


def _hands_over(scan_down_s: float) -> bool:
    return HAND_OVER_FROM_S <= scan_down_s <= HOLD_S
