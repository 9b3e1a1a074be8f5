"""From a button's bouncing edges to touched, pressed, released: pure over (time, level)."""

from dataclasses import replace
from typing import Final

from hardware.button import ButtonChange, ButtonEvent, ButtonName

STABLE_NS: Final = 12_000_000
"""Time for which a level must be stable to count.

Source: a new tactile switch bounces for 5 ms at most (Omron B3FS datasheet); twice that for wear,
and less than the 20 ms after which a light seems late.
"""

LOCK_OUT_NS: Final = 300_000_000
"""For how long after its edge a press is one press, even if a gloved finger slips off and on again.

Half of the 600 ms within which the capture loop counts presses as one.
"""


class Debounce:
    """The state of a button; all times are CLOCK_MONOTONIC in ns.

    The result depends on the edges and their times, not on when `settle` is called: an edge after
    the due time settles first.
    A press gives TOUCHED at once, and PRESSED or GLITCH when the level was stable.
    Changes in the lock-out after it are judged when that ends: still held, or released.
    A button that is down before its first edge is no press until it is released and pressed again.
    """

    def __init__(self, button: ButtonName) -> None:
        self._button: Final = button
        self._level = False
        self._touched = False
        self._held = False
        self._press_ns = 0
        self._since_ns = 0
        self._release_ns = 0
        self._last_edge_ns = 0

    @property
    def touched_ns(self) -> int | None:
        """The first edge of what may become a press; None if nothing is undecided."""
        return self._press_ns if self._touched else None

    @property
    def due_ns(self) -> int | None:
        """When `settle` has something to decide; None while nothing is pending."""
        stable_ns = self._last_edge_ns + STABLE_NS
        if self._touched:
            return stable_ns
        if self._held and not self._level:
            return max(stable_ns, self._press_ns + LOCK_OUT_NS)
        return None

    def edge(self, time_ns: int, pressed: bool) -> list[ButtonEvent]:
        """Take the kernel's edge to `pressed`; one to the level it had already is a bounce too."""
        events, was_open = self.settle(time_ns), not self._level
        if pressed and not self._touched and not self._held:
            self._touched = True
            self._press_ns = self._since_ns = time_ns
            events.append(self._event(ButtonChange.TOUCHED, time_ns))
        elif self._held and not pressed and time_ns - self._last_edge_ns >= STABLE_NS:
            self._release_ns = time_ns
        elif self._held and pressed and was_open and time_ns - self._release_ns >= STABLE_NS:
            self._since_ns = time_ns
        self._level = pressed
        self._last_edge_ns = time_ns
        return events

    def settle(self, time_ns: int) -> list[ButtonEvent]:
        """Decide what is due at `time_ns`; nothing before `due_ns`."""
        due_ns = self.due_ns
        if due_ns is None or time_ns < due_ns:
            return []
        if self._touched:
            self._touched = False
            self._held = self._level
            return [
                self._event(
                    ButtonChange.PRESSED if self._held else ButtonChange.GLITCH, self._press_ns
                )
            ]
        self._held = False
        return [self._event(ButtonChange.RELEASED, self._release_ns)]

    def down_since_ns(self, at_ns: int) -> int | None:
        """Return since when the button had been down without a break at `at_ns`, None if it was up.

        Only the last time that it was down is known, so `at_ns` is a moment ago. A break is an
        opening of STABLE_NS or more, which the lock-out may hide from the events; a shorter one is
        a bounce.
        """
        is_up = not self._level and self._release_ns <= at_ns
        return None if is_up or self._since_ns > at_ns else self._since_ns

    def _event(self, change: ButtonChange, edge_ns: int) -> ButtonEvent:
        return ButtonEvent(self._button, change, edge_ns)


class DebouncedPair:
    """Both buttons of a board; times are as in `Debounce`.

    PRESSED of the photo button says since when the scan button was down. While the photo button is
    undecided, the events of a scan button that was down at its first edge wait: a release just
    after that edge would otherwise come before the press that it belongs to.
    """

    def __init__(self) -> None:
        self._photo: Final = Debounce(ButtonName.PHOTO)
        self._scan: Final = Debounce(ButtonName.SCAN)

    @property
    def due_ns(self) -> int | None:
        """When `settle` has something to decide; None while nothing is pending."""
        pending = (self._photo,) if self._scan_waits() else (self._photo, self._scan)
        return min((due for one in pending if (due := one.due_ns) is not None), default=None)

    def edge(self, button: ButtonName, time_ns: int, pressed: bool) -> list[ButtonEvent]:
        """Take an edge of a button's line, as `Debounce.edge` does."""
        line = self._photo if button is ButtonName.PHOTO else self._scan
        return self._told(line.edge(time_ns, pressed))

    def settle(self, time_ns: int) -> list[ButtonEvent]:
        """Decide what is due at `time_ns`; nothing before `due_ns`."""
        events = self._told(self._photo.settle(time_ns))
        return events if self._scan_waits() else events + self._scan.settle(time_ns)

    def _scan_waits(self) -> bool:
        touched_ns = self._photo.touched_ns
        return touched_ns is not None and self._scan.down_since_ns(touched_ns) is not None

    def _told(self, events: list[ButtonEvent]) -> list[ButtonEvent]:
        return [
            replace(event, scan_since_ns=self._scan.down_since_ns(event.edge_ns))
            if (event.button, event.change) == (ButtonName.PHOTO, ButtonChange.PRESSED)
            else event
            for event in events
        ]
