"""The light of a simulated device as a driver sees it: colour, rhythm, and what it means."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hardware.indicator import Colour, Signal
from hardware.patterns import (
    AMBER,
    BLUE,
    CYAN,
    DARK,
    GREEN,
    PATTERNS,
    RED,
    VIOLET,
    WHITE,
    light_at,
)

MEANS: Final[Mapping[Signal, str]] = {
    Signal.HOLD_STILL: "hold still",
    Signal.EXPOSED: "wait: the picture is taken, but not yet safe",
    Signal.SAVED: "go on, done",
    Signal.HANDED_OVER: "go on, handed over: no photo",
    Signal.ONCE_MORE: "press once more; this one is saved too",
    Signal.NO_PHOTO: "go on, no photo; also: the press was taken back",
    Signal.CODE_ELSEWHERE: (
        "hold this parcel's own label up: the label that was read is of another place"
    ),
    Signal.READING: "hold the label up",
    Signal.LABEL_READ: "press: the label is read",
    Signal.FAULT: (
        "call: a fault of card or camera, a start that failed, an empty battery, or a press while "
        "not enrolled"
    ),
    Signal.READY: "ready",
    Signal.BENCH: "bench mode: every photo becomes a test record",
    Signal.NOT_READY: (
        "not ready: starting, not enrolled, no route, no picture, or a card that is full or "
        "cannot be written"
    ),
    Signal.BATTERY_LOW: "charge soon: battery under 15 %",
    Signal.SENDING: "in the cradle, sending",
    Signal.ALL_SENT: "in the cradle, all sent",
    Signal.ASK_OFFICE: "in the cradle, ask the office",
    Signal.LOCATE: "do nothing: somebody looks for this device; a press ends the light",
}
"""Meaning of each signal for the driver; `tests.unit.documents.generated` puts it into pages."""

COLOURS: Final[Mapping[Colour, str]] = {
    WHITE: "white",
    GREEN: "green",
    AMBER: "amber",
    BLUE: "blue",
    CYAN: "cyan",
    RED: "red",
    VIOLET: "violet",
}


def name(signal: Signal) -> str:
    """The colour of a signal's light, and how many flashes its rhythm has if several."""
    pattern = PATTERNS[signal]
    steps = (*pattern.once, *pattern.again)
    colour = next((COLOURS[step.colour] for step in steps if step.colour != DARK), "dark")
    flashes = sum(step.colour != DARK for step in pattern.again)
    return f"{colour} x{flashes}" if flashes > 1 else colour


class Watched:
    """The light, by what the simulated indicator says in the log of `capture`."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read_bytes = 0
        self._since_s = 0.0
        self.signal: Signal | None = None

    def out(self) -> None:
        """The process has ended, and its light with it."""
        self.signal = None

    def look(self) -> Colour:
        """The colour now; `signal` is what it belongs to, None before the first."""
        with self._log.open("rb") as log:
            log.seek(self._read_bytes)
            new = log.read().rpartition(b"\n")[0]
        self._read_bytes += len(new)
        told = re.findall(rb"event=light signal=(\w+)", new)
        if told:
            self.signal, self._since_s = Signal(told[-1].decode()), time.monotonic()
        if self.signal is None:
            return DARK
        return light_at(self.signal, time.monotonic() - self._since_s)
