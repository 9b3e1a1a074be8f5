"""From a button's bouncing edges to touched, pressed, released: pure over (time, level)."""

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
        self._release_ns = 0
        self._last_edge_ns = 0

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
        events = self.settle(time_ns)
        if pressed and not self._touched and not self._held:
            self._touched = True
            self._press_ns = time_ns
            events.append(self._event(ButtonChange.TOUCHED, time_ns))
        elif self._held and not pressed and time_ns - self._last_edge_ns >= STABLE_NS:
            self._release_ns = time_ns
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

    def _event(self, change: ButtonChange, edge_ns: int) -> ButtonEvent:
        return ButtonEvent(self._button, change, edge_ns)
