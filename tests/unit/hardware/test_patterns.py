"""The table of signals: complete, and told apart by each sense alone."""

from math import inf

import pytest

from hardware.indicator import Colour, Signal
from hardware.patterns import (
    AGAIN_S,
    AMBER,
    BLUE,
    CYAN,
    DARK,
    FIRST_S,
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
    begins_s,
    light_at,
    step_at,
)
from tests.unit.hardware.likeness import (
    ANSWERS,
    COMPARED,
    FAR_ENOUGH,
    LEAST_MS,
    SECOND_MS,
    SIGHTS,
    SLIP_MS,
    alike,
    colour,
    difference_ms,
    distance,
    rhythm,
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
    Signal.ALL_SENT: CYAN,
    Signal.ASK_OFFICE: VIOLET,
    Signal.LOCATE: WHITE,
}


def colours(pattern: Pattern) -> set[Colour]:
    return {step.colour for step in (*pattern.once, *pattern.again)}


def tones(pattern: Pattern) -> list[int]:
    return [step.tone_hz for step in pattern.once if step.tone_hz]


@pytest.mark.parametrize("signal", Signal)
def test_every_signal_has_its_colour(signal: Signal) -> None:
    """The table of lights: one colour per signal, and dark between its flashes."""
    assert colours(PATTERNS[signal]) - {DARK} == {MAIN_COLOUR[signal]} - {DARK}


SHARED = [(Signal.READY, Signal.ALL_SENT), (Signal.NOT_READY, Signal.ASK_OFFICE)]
"""Idle lights with one rhythm: the second of each comes in the cradle only, in another colour."""


@pytest.mark.parametrize("slip_ms", [0, SLIP_MS])
def test_each_two_signals_differ_by_light_without_colours(slip_ms: int) -> None:
    """They differ by a beat in the first second, also if one begins half a beat later."""
    assert alike(COMPARED, "light", slip_ms) == SHARED


@pytest.mark.parametrize("slip_ms", [0, SLIP_MS])
@pytest.mark.parametrize("sense", ["motor", "tone"])
def test_each_two_answers_differ_by_motor_and_by_tone(sense: str, slip_ms: int) -> None:
    """A driver may hear nothing, or look elsewhere."""
    assert len(ANSWERS) == 8
    assert alike(ANSWERS, sense, slip_ms) == []


def test_no_answer_is_too_short_to_be_felt() -> None:
    assert {
        signal for signal in ANSWERS if difference_ms(signal, Signal.EXPOSED, "motor") < LEAST_MS
    } == set()


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_that_share_a_rhythm_differ_for_colour_blind_people(sight: str) -> None:
    """A man in twelve cannot tell red from green."""
    assert [distance(colour(one), colour(other), sight) > FAR_ENOUGH for one, other in SHARED] == [
        True
    ] * len(SHARED)


@pytest.mark.parametrize("sight", SIGHTS)
def test_distance_finds_the_colours_that_colour_blind_people_confuse(sight: str) -> None:
    """The check finds green and amber, which the idle lights once had twice each."""
    assert distance(GREEN, AMBER, sight) < FAR_ENOUGH < distance(BLUE, AMBER, sight)


@pytest.mark.parametrize("signal", ANSWERS)
def test_an_answer_has_one_rhythm_for_all_senses(signal: Signal) -> None:
    """The signal begins dark and silent, so that it does not run into the one before."""
    light = rhythm(signal, "light")

    assert rhythm(signal, "motor") == rhythm(signal, "tone") == light
    assert not any(light[: round(FIRST_S * SECOND_MS)])


@pytest.mark.parametrize("signal", Signal)
def test_sound_and_vibration_are_given_once(signal: Signal) -> None:
    """Only the light repeats."""
    assert all(step.tone_hz is None and not step.vibrate for step in PATTERNS[signal].again)


def test_only_answers_and_locate_sound() -> None:
    """Idle lights are silent, and so is "hold still", because a frame is being exposed."""
    heard = {signal for signal, pattern in PATTERNS.items() if tones(pattern)}

    assert heard == {*ANSWERS, Signal.LOCATE}
    assert not {Signal.HOLD_STILL, Signal.EXPOSED} & heard


def test_good_outcome_sounds_high() -> None:
    """Pitch is a second cue, as colour is."""
    high = {signal for signal in ANSWERS if HIGH_HZ in tones(PATTERNS[signal])}

    assert high == {Signal.SAVED, Signal.HANDED_OVER, Signal.ONCE_MORE}
    assert all(len({*tones(PATTERNS[signal])}) == 1 for signal in ANSWERS)
    assert tones(PATTERNS[Signal.NO_PHOTO]) == [LOW_HZ] * 2


def test_a_device_that_is_looked_for_calls_three_times_a_second_and_then_is_dark() -> None:
    """Nothing else sounds for longer than a second: it is heard in a box of devices."""
    calls = PATTERNS[Signal.LOCATE]

    assert sum(step.seconds for step in calls.once) == pytest.approx(LOCATE_S)
    assert tones(calls) == [HIGH_HZ] * 3 * LOCATE_S


@pytest.mark.parametrize(
    ("signal", "from_s", "lit"),
    [
        (Signal.SAVED, 0.15, "###" + "." * 20),  # and no more
        (Signal.HANDED_OVER, 0.15, "###..###" + "." * 20),
        (Signal.LOCATE, 7.0, "#.#.#....."),
        (Signal.LOCATE, LOCATE_S, "."),
        (Signal.CODE_ELSEWHERE, 0.03, (".###..#.##" + "." * 10) * 2),
        (Signal.FAULT, 1e6 + 0.03, ".#######.." * 2),  # until something else is shown
        (Signal.SENDING, 0.03, ".#####...." * 2),
        (Signal.HOLD_STILL, 1e6, "#"),
    ],
)
def test_a_signal_is_lit_in_its_rhythm(signal: Signal, from_s: float, lit: str) -> None:
    """Tenth by tenth of a second."""
    seen = [light_at(signal, from_s + 0.05 + tenth / 10) != DARK for tenth in range(len(lit))]

    assert "".join("#" if one else "." for one in seen) == lit


def test_an_answer_that_repeats_is_dark_for_longer_than_in_it() -> None:
    """A driver who looks late still sees where it begins."""
    for signal in ANSWERS:
        again = PATTERNS[signal].again
        inner = max((step.seconds for step in again[1:-1] if step.colour == DARK), default=0.0)
        outer = again[0].seconds + again[-1].seconds

        assert outer > 2 * inner
        assert sum(step.seconds for step in again) in {AGAIN_S, 1.0, inf}


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


def test_the_dark_of_a_picture_is_the_dark_before_its_answer() -> None:
    """A driver waits for green no longer than for the record; white needs a dark behind it."""
    assert begins_s(10.0, Signal.EXPOSED, 9.95) == 9.95
    assert begins_s(10.0, Signal.EXPOSED, 5.0) == 10.0 - FIRST_S
    assert begins_s(10.0, Signal.HOLD_STILL, 5.0) == 10.0
    assert begins_s(10.0, None, 0.0) == 10.0
