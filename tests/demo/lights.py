"""The signal of a simulated device as a driver sees, hears and feels it, and what it means."""

import re
import time
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Final

from hardware.indicator import Colour, Signal
from hardware.patterns import (
    AMBER,
    BEATS_S,
    BLUE,
    CYAN,
    DARK,
    GREEN,
    PATTERNS,
    RED,
    VIOLET,
    WHITE,
    Step,
    begins_s,
    step_at,
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
    Signal.BATTERY_LOW: "charge soon: battery under 15 % or an hour, or gauge silent",
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


MARKS: Final[Mapping[float, str]] = {BEATS_S["S"]: ".", BEATS_S["L"]: "-"}


def name(signal: Signal) -> str:
    """Return the colour of a signal's light, and its short and long flashes as `.` and `-`."""
    steps = PATTERNS[signal].once or PATTERNS[signal].again
    lit = [step for step in steps if step.colour != DARK]
    colour = COLOURS[lit[0].colour] if lit else "dark"
    return f"{colour} {''.join(MARKS.get(step.seconds, '') for step in lit)}".rstrip()


class Watched:
    """Light, tone and motor, by what the simulated indicator says in the log of `capture`."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read_bytes = 0
        self._since_s = 0.0
        self._is_silent = False
        self.signal: Signal | None = None

    def out(self) -> None:
        """The process has ended, and its light with it."""
        self.signal = None

    def look(self) -> Step:
        """Return the present step; `signal` then has its signal, None before the first one."""
        with self._log.open("rb") as log:
            log.seek(self._read_bytes)
            new = log.read().rpartition(b"\n")[0]
        self._read_bytes += len(new)
        for told, silent in re.findall(rb"event=light signal=(\w+)( silent=true)?", new):
            self._since_s = begins_s(time.monotonic(), self.signal, self._since_s)
            self.signal, self._is_silent = Signal(told.decode()), bool(silent)
        if self.signal is None:
            return Step(DARK, inf)
        step, left_s = step_at(PATTERNS[self.signal], time.monotonic() - self._since_s)
        return Step(step.colour, left_s) if self._is_silent else step
