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

_LONG_AGO_NS: Final = -(10**12)


@dataclass(frozen=True, slots=True)
class PhotoPress:
    """A press of the photo button that counts."""

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


Gesture = PhotoPress | SamePress | NoPress | Scan | TakeBack


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
        """When a button that is down is held; None while none is."""
        return None if self._scan_ns is None else self._scan_ns + int(HOLD_S * 1e9)

    def take(self, event: ButtonEvent) -> Gesture | None:
        """Return the gesture that an event completes; None without one, or without one yet."""
        at_ns = event.edge_ns
        match event.button, event.change:
            case ButtonName.PHOTO, ButtonChange.PRESSED:
                return PhotoPress(at_ns) if self._presses.take(at_ns) else SamePress(at_ns)
            case ButtonName.PHOTO, ButtonChange.GLITCH:
                return NoPress(at_ns)
            case ButtonName.SCAN, ButtonChange.PRESSED:
                self._scan_ns = at_ns
            case ButtonName.SCAN, ButtonChange.RELEASED if self._scan_ns is not None:
                edge_ns, is_short = self._scan_ns, self.held(at_ns) is None
                self._scan_ns = None
                return Scan(edge_ns) if is_short else TakeBack(edge_ns)
        return None

    def held(self, until_ns: int) -> TakeBack | None:
        """Return a gesture if the scan button was down long enough by then, released or not."""
        edge_ns, due_ns = self._scan_ns, self.due_ns
        if edge_ns is None or due_ns is None or until_ns < due_ns:
            return None
        self._scan_ns = None
        return TakeBack(edge_ns)
