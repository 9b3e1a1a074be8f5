"""The two buttons: from kernel edges to presses."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ButtonName(StrEnum):
    """Which button."""

    PHOTO = "photo"
    SCAN = "scan"


class ButtonChange(StrEnum):
    """The change of a button, as debounced.

    TOUCHED comes at the first kernel edge, not yet known to be a press: it may only light a lamp.
    PRESSED follows when the level was stable, GLITCH when it was not.
    RELEASED ends a press.
    """

    TOUCHED = "touched"
    PRESSED = "pressed"
    GLITCH = "glitch"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class ButtonEvent:
    """A debounced change; `edge_ns` is the kernel's CLOCK_MONOTONIC time of the first edge.

    TOUCHED, PRESSED and GLITCH of one press share their `edge_ns`.
    PRESSED of the photo button has `scan_since_ns`: since when the scan button had been down
    without a break at that edge; None if it was up.
    """

    button: ButtonName
    change: ButtonChange
    edge_ns: int
    scan_since_ns: int | None = None


Press = Callable[[ButtonName, int, float], None]
"""A finger on a simulated board: button, edge in CLOCK_MONOTONIC ns, seconds held."""


class Buttons(Protocol):
    """Both buttons of a board."""

    @property
    def press(self) -> Press | None:
        """The finger of simulated buttons; None where people press."""

    def listen(self, on_event: Callable[[ButtonEvent], None]) -> None:
        """Call `on_event` for every change, in a driver's thread; it may only enqueue or light."""

    def close(self) -> None:
        """Release the lines; safe to call twice."""
