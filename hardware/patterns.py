"""The light, the tone and the vibration of each signal, as data; pure.

No two signals share a rhythm of light, sound and vibration: no signal is known by its colour alone.
"""

from dataclasses import dataclass
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


def _blips(colour: Colour, count: int) -> tuple[Step, ...]:
    """Give `count` short lights in 3 s."""
    lit = (Step(colour, 0.15), Step(DARK, 0.25)) * count
    return (*lit, Step(DARK, 3.0 - 0.4 * count))


def _calls() -> tuple[Step, ...]:
    """Give three short lights with a tone each second, for LOCATE_S."""
    call = (_beep(WHITE, HIGH_HZ, 0.1), Step(DARK, 0.1)) * 3
    return (*call, Step(DARK, 0.4)) * LOCATE_S


def _beep(colour: Colour, tone_hz: int, seconds: float) -> Step:
    return Step(colour, seconds, tone_hz, vibrate=True)


PATTERNS: Final[dict[Signal, Pattern]] = {
    Signal.HOLD_STILL: Pattern(again=(Step(WHITE, inf),)),
    Signal.EXPOSED: Pattern(),
    Signal.SAVED: Pattern(once=(_beep(GREEN, HIGH_HZ, 0.12), Step(GREEN, 0.88))),
    Signal.HANDED_OVER: Pattern(once=(_beep(GREEN, HIGH_HZ, 0.32), Step(DARK, 0.14)) * 2),
    Signal.ONCE_MORE: Pattern(
        once=(_beep(AMBER, HIGH_HZ, 0.12), Step(DARK, 0.12)) * 2,
        again=(Step(AMBER, 0.12), Step(DARK, 0.12)),
    ),
    Signal.NO_PHOTO: Pattern(
        once=(_beep(BLUE, LOW_HZ, 0.18), _beep(BLUE, HIGH_HZ, 0.18)),
        again=(Step(BLUE, inf),),
    ),
    Signal.CODE_ELSEWHERE: Pattern(
        once=(_beep(BLUE, LOW_HZ, 0.3), Step(DARK, 0.2)) * 2,
        again=(Step(DARK, 0.8), *(Step(BLUE, 0.3), Step(DARK, 0.2)) * 2),
    ),
    Signal.READING: Pattern(again=(Step(BLUE, 0.5), Step(DARK, 0.2))),
    Signal.LABEL_READ: Pattern(
        once=(
            *(_beep(CYAN, LOW_HZ, 0.08), Step(DARK, 0.1)),
            *(Step(CYAN, 0.08), Step(DARK, 0.1), Step(CYAN, 0.64)),
        )
    ),
    Signal.FAULT: Pattern(once=(_beep(RED, LOW_HZ, 1.0),), again=(Step(RED, inf),)),
    Signal.READY: Pattern(again=_blips(GREEN, 1)),
    Signal.BENCH: Pattern(again=_blips(VIOLET, 4)),
    Signal.NOT_READY: Pattern(again=_blips(AMBER, 2)),
    Signal.BATTERY_LOW: Pattern(again=_blips(RED, 3)),
    Signal.SENDING: Pattern(again=(Step(WHITE, 1.0), Step(DARK, 1.0))),
    Signal.ALL_SENT: Pattern(again=(Step(GREEN, 4.7), Step(DARK, 0.3))),
    Signal.ASK_OFFICE: Pattern(
        again=(Step(AMBER, 4.1), Step(DARK, 0.3), Step(AMBER, 0.3), Step(DARK, 0.3))
    ),
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


def light_at(signal: Signal, elapsed_s: float) -> Colour:
    """Return the light that `signal` shows `elapsed_s` after it began."""
    return step_at(PATTERNS[signal], elapsed_s)[0].colour
