"""The table of signals: complete, told apart without colour, and sounded once."""

from math import inf

import pytest

from hardware.indicator import Colour, Signal
from hardware.patterns import (
    AMBER,
    BLUE,
    CYAN,
    DARK,
    GREEN,
    HIGH_HZ,
    LOCATE_S,
    LOW_HZ,
    PATTERNS,
    RED,
    VIOLET,
    WHITE,
    Pattern,
    Step,
    light_at,
    step_at,
)

MAIN_COLOUR = {
    Signal.HOLD_STILL: WHITE,
    Signal.EXPOSED: DARK,
    Signal.SAVED: GREEN,
    Signal.HANDED_OVER: GREEN,
    Signal.ONCE_MORE: AMBER,
    Signal.NO_PHOTO: BLUE,
    Signal.CODE_ELSEWHERE: BLUE,
    Signal.READING: BLUE,
    Signal.LABEL_READ: CYAN,
    Signal.FAULT: RED,
    Signal.READY: GREEN,
    Signal.BENCH: VIOLET,
    Signal.NOT_READY: AMBER,
    Signal.BATTERY_LOW: RED,
    Signal.SENDING: WHITE,
    Signal.ALL_SENT: GREEN,
    Signal.ASK_OFFICE: AMBER,
    Signal.LOCATE: WHITE,
}


def colours(pattern: Pattern) -> set[Colour]:
    return {step.colour for step in (*pattern.once, *pattern.again)}


def tones(pattern: Pattern) -> list[int]:
    return [step.tone_hz for step in pattern.once if step.tone_hz]


def rhythm(pattern: Pattern) -> tuple[tuple[object, ...], ...]:
    """Return a pattern as a person sees it who sees no colours."""
    return tuple(
        tuple((step.colour != DARK, step.seconds, step.tone_hz, step.vibrate) for step in part)
        for part in (pattern.once, pattern.again)
    )


@pytest.mark.parametrize("signal", Signal)
def test_every_signal_has_its_colour(signal: Signal) -> None:
    """The table of lights: one colour per signal, and dark between its flashes."""
    assert colours(PATTERNS[signal]) - {DARK} == {MAIN_COLOUR[signal]} - {DARK}
    assert light_at(signal, 0) == MAIN_COLOUR[signal]


def test_signals_differ_by_rhythm_as_well_as_colour() -> None:
    """A driver who does not see red and green can tell all of them."""
    assert len({rhythm(pattern) for pattern in PATTERNS.values()}) == len(Signal)


@pytest.mark.parametrize("signal", Signal)
def test_sound_and_vibration_are_given_once(signal: Signal) -> None:
    """Only the light repeats."""
    assert all(step.tone_hz is None and not step.vibrate for step in PATTERNS[signal].again)


@pytest.mark.parametrize(
    ("signal", "sounds"),
    [
        (Signal.HOLD_STILL, []),
        (Signal.EXPOSED, []),
        (Signal.SAVED, [HIGH_HZ]),
        (Signal.ONCE_MORE, [HIGH_HZ, HIGH_HZ]),
        (Signal.NO_PHOTO, [LOW_HZ, HIGH_HZ]),
        (Signal.CODE_ELSEWHERE, [LOW_HZ, LOW_HZ]),
        (Signal.READING, []),
        (Signal.LABEL_READ, [LOW_HZ]),
        (Signal.FAULT, [LOW_HZ]),
        (Signal.READY, []),
        (Signal.SENDING, []),
    ],
)
def test_the_driver_hears_six_sounds(signal: Signal, sounds: list[int]) -> None:
    """Short, two, low-high, two low, short and low, long and low; none at the press.

    A click there means taken.
    """
    assert tones(PATTERNS[signal]) == sounds


def test_a_device_that_is_looked_for_calls_three_times_a_second_and_then_is_dark() -> None:
    """Nothing else sounds for longer than a second: it is heard in a box of devices."""
    calls = PATTERNS[Signal.LOCATE]

    assert sum(step.seconds for step in calls.once) == pytest.approx(LOCATE_S)
    assert tones(calls) == [HIGH_HZ] * 3 * LOCATE_S


@pytest.mark.parametrize(
    ("signal", "from_s", "lit"),
    [
        (Signal.SAVED, 0.9, "#..."),  # for one second
        (Signal.LOCATE, 7.0, "#.#.#....."),
        (Signal.LOCATE, LOCATE_S, "."),
        (Signal.CODE_ELSEWHERE, 0.0, "###..###.." + "........###..###.."),
        (Signal.READING, 8.4, "#####.."),  # until something else is shown
        (Signal.FAULT, 1e6, "#"),
        (Signal.HOLD_STILL, 1e6, "#"),
    ],
)
def test_a_signal_is_lit_in_its_rhythm(signal: Signal, from_s: float, lit: str) -> None:
    """Tenth by tenth of a second."""
    seen = [light_at(signal, from_s + 0.05 + tenth / 10) != DARK for tenth in range(len(lit))]

    assert "".join("#" if one else "." for one in seen) == lit


def test_a_label_that_is_read_is_not_heard_as_a_photo_that_is_saved() -> None:
    """Both are short; the lower one says press, and flickers; who walks on at it has no photo."""
    read, saved = PATTERNS[Signal.LABEL_READ], PATTERNS[Signal.SAVED]

    assert max(tones(read)) < min(tones(saved))
    assert [step.colour for step in read.once] == [CYAN, DARK, CYAN, DARK, CYAN]
    assert light_at(Signal.LABEL_READ, 1.01) == DARK


def test_steps_follow_each_other_and_repeat() -> None:
    """A step lasts its seconds; after the last one the repeating part begins again."""
    pattern = Pattern(once=(Step(RED, 1.0),), again=(Step(BLUE, 2.0), Step(DARK, 1.0)))

    assert step_at(pattern, 0.25) == (Step(RED, 1.0), 0.75)
    assert step_at(pattern, 1.0) == (Step(BLUE, 2.0), 2.0)
    assert step_at(pattern, 3.5) == (Step(DARK, 1.0), 0.5)
    assert step_at(pattern, 4.0) == (Step(BLUE, 2.0), 2.0)


def test_a_pattern_that_ended_is_dark_for_good() -> None:
    """Nothing is left to wait for."""
    assert step_at(Pattern(once=(Step(RED, 1.0),)), 2.0) == (Step(DARK, inf), inf)
