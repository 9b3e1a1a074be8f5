"""The light, the tone and the vibration of each signal, as data; pure.

An answer to a press has the same rhythm in all three senses, and no other signal begins with it:
the light alone, the motor alone or the tone alone tells which answer it is. Colour is a second cue.
Two lights of the cradle share a rhythm with an idle light: they never come outside the cradle, and
in it their colours differ, also for people who cannot tell red from green.
`tests/unit/hardware/test_patterns.py` compares all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Final

from hardware.indicator import Colour, Signal

DARK: Final = Colour(0.0, 0.0, 0.0)
WHITE: Final = Colour(1.0, 1.0, 1.0)
GREEN: Final = Colour(0.0, 1.0, 0.0)
AMBER: Final = Colour(1.0, 0.35, 0.0)
"""Red with some green; an RGB LED's green is the brighter part."""
BLUE: Final = Colour(0.0, 0.0, 1.0)
CYAN: Final = Colour(0.0, 1.0, 1.0)
RED: Final = Colour(1.0, 0.0, 0.0)
VIOLET: Final = Colour(1.0, 0.0, 1.0)

LOW_HZ: Final = 1_800
HIGH_HZ: Final = 2_700
"""A fifth apart, where passive sounders are loud: they resonate at 2 to 4 kHz (Murata P37E)."""

FIRST_S: Final = 0.15
"""Dark before each rhythm, so that an answer does not run into the white of "hold still"."""

BEATS_S: Final[Mapping[str, float]] = {"S": 0.12, "L": 0.32}
GAP_S: Final = 0.14
"""Short, long, and the dark between two beats.

In the first second any two rhythms of S and L differ by 120 ms, also if one begins 60 ms later:
with these times a script found enough rhythms of at most three beats (2026-11).
A motor needs up to a tenth of a second to turn and to stop: shorter beats would not be felt.
"""

AGAIN_S: Final = 2.0
"""From one repetition of an answer to the next: half of it is dark, so its beginning is seen."""

IDLE_S: Final = 3.0
"""From one repetition of an idle light to the next: mostly dark, because it lasts for hours."""

LOCATE_S: Final = 20
"""Time for which `locate` blinks and sounds: long enough to look through a box."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of `seconds`: a light, a tone or silence, and the motor on or off."""

    colour: Colour
    seconds: float
    tone_hz: int | None = None
    vibrate: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """Steps given once, then steps given over and over; dark and silent where there are no more."""

    once: tuple[Step, ...] = ()
    again: tuple[Step, ...] = (Step(DARK, inf),)


def _rhythm(colour: Colour, beats: str, tone_hz: int | None = None) -> tuple[Step, ...]:
    """Give a rhythm of S (short) and L (long) once; with a tone, the motor gives it too."""
    vibrates = tone_hz is not None
    steps = [Step(DARK, FIRST_S)]
    for beat in beats:
        steps += [Step(colour, BEATS_S[beat], tone_hz, vibrates), Step(DARK, GAP_S)]
    return tuple(steps[:-1])


def _every(seconds: float, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Fill up `steps` with dark to `seconds`."""
    return (*steps, Step(DARK, seconds - sum(step.seconds for step in steps)))


def _answer(colour: Colour, tone_hz: int, beats: str) -> Pattern:
    """Answer a press in all three senses, and then go on with the light until the next signal."""
    once, again = _rhythm(colour, beats, tone_hz), _rhythm(colour, beats)
    return Pattern(_every(AGAIN_S, once), _every(AGAIN_S, again))


def _square(colour: Colour, on_s: float, tone_hz: int | None = None) -> tuple[Step, ...]:
    """Light for `on_s` of a second."""
    on = Step(colour, on_s, tone_hz, vibrate=tone_hz is not None)
    return _every(1.0, (Step(DARK, FIRST_S), on))


def _calls() -> tuple[Step, ...]:
    """Give three short lights with a tone each second, for LOCATE_S."""
    call = (Step(WHITE, 0.1, HIGH_HZ, vibrate=True), Step(DARK, 0.1)) * 3
    return (*call, Step(DARK, 0.4)) * LOCATE_S


PATTERNS: Final[dict[Signal, Pattern]] = {
    Signal.HOLD_STILL: Pattern(again=(Step(WHITE, inf),)),
    Signal.EXPOSED: Pattern(),
    Signal.SAVED: Pattern(_rhythm(GREEN, "L", HIGH_HZ)),
    Signal.HANDED_OVER: Pattern(_rhythm(GREEN, "LL", HIGH_HZ)),
    Signal.ONCE_MORE: _answer(AMBER, HIGH_HZ, "SSS"),
    Signal.NO_PHOTO: _answer(BLUE, LOW_HZ, "LS"),
    Signal.CODE_ELSEWHERE: _answer(BLUE, LOW_HZ, "LSS"),
    Signal.READING: _answer(BLUE, LOW_HZ, "SSL"),
    Signal.LABEL_READ: _answer(CYAN, LOW_HZ, "SL"),
    Signal.FAULT: Pattern(_square(RED, 0.7, LOW_HZ), _square(RED, 0.7)),
    Signal.READY: Pattern(again=_every(IDLE_S, _rhythm(GREEN, "S"))),
    Signal.BENCH: Pattern(again=_every(IDLE_S, _rhythm(VIOLET, "SSSS"))),
    Signal.NOT_READY: Pattern(again=_every(IDLE_S, _rhythm(AMBER, "SS"))),
    Signal.BATTERY_LOW: Pattern(again=_every(IDLE_S, _rhythm(RED, "SLS"))),
    Signal.SENDING: Pattern(again=_square(WHITE, 0.5)),
    Signal.ALL_SENT: Pattern(again=_every(IDLE_S, _rhythm(CYAN, "S"))),
    Signal.ASK_OFFICE: Pattern(again=_every(IDLE_S, _rhythm(VIOLET, "SS"))),
    Signal.LOCATE: Pattern(once=_calls()),
}
"""The lights of agent/docs/lights.md. EXPOSED is dark: the picture is taken, not yet safe."""


def step_at(pattern: Pattern, elapsed_s: float) -> tuple[Step, float]:
    """Return the step that is given `elapsed_s` after the signal, and for how long still, s.

    The second is `math.inf` for a step that stays.
    """
    for step in pattern.once:
        if elapsed_s < step.seconds:
            return step, step.seconds - elapsed_s
        elapsed_s -= step.seconds
    elapsed_s %= sum(step.seconds for step in pattern.again)
    for step in pattern.again:
        if elapsed_s < step.seconds:
            return step, step.seconds - elapsed_s
        elapsed_s -= step.seconds
    return pattern.again[0], pattern.again[0].seconds


def sounding_s(signal: Signal) -> float:
    """Return for how long a signal sounds and vibrates; 0 for one that does not."""
    ends_s = accumulate(step.seconds for step in PATTERNS[signal].once)
    heard = zip(ends_s, PATTERNS[signal].once, strict=True)
    return max((end_s for end_s, step in heard if step.tone_hz), default=0.0)


def begins_s(now_s: float, before: Signal | None, before_s: float) -> float:
    """Return when the rhythm of a signal that is shown now begins.

    The dark of EXPOSED, shown since `before_s`, is the dark before the rhythm: nobody waits twice.
    """
    return max(now_s - FIRST_S, before_s) if before is Signal.EXPOSED else now_s


def light_at(signal: Signal, elapsed_s: float) -> Colour:
    """Return the light that `signal` shows `elapsed_s` after it began."""
    return step_at(PATTERNS[signal], elapsed_s)[0].colour
