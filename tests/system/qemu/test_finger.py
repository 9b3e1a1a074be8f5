"""The eye in the machine reads the LED's lines, also if each look comes late."""

import random
from collections.abc import Iterator

import pytest

from tests.system.qemu.inside.finger import Judge

PERIOD_S = 0.01
"""Period of the PWM that dims the LED."""

AMBER_GREEN_S = 0.0035
"""The time for which green is on in each period of amber. Source: AMBER in hardware/patterns.py."""

FAST_S = (0.001, 0.004)
"""From look to look on a machine that has nothing else to do."""

SLOW_S = (0.004, 0.06)
"""The eye reads the same lights while the processor is busy with other work."""

REST_S = 0.08
"""From one look to the next where the first left no doubt, as `finger diary` looks."""

Lit = tuple[str, float]
"""A light by its name, and how long it stays."""

PULSE = [("amber", 0.12), ("dark", 0.14), ("amber", 0.12), ("dark", 2.62)]
"""Two of amber in 3 s: not ready. Source: hardware/patterns.py."""

LOW = [(light, s) for s in (0.12, 0.32, 0.12) for light, s in (("red", s), ("dark", 0.14))]
LOW += [("dark", 2.02)]
"""Three of red in 3 s, the second long: charge soon."""

FAULT = [("red", 0.7), ("dark", 0.3)]
"""Once a second: a fault."""

LINES = {"red": ("red",), "green": ("green",), "white": ("red", "green", "blue"), "dark": ()}


def _on(light: str, at_s: float) -> tuple[str, ...]:
    if light == "amber":
        return ("red", "green") if at_s % PERIOD_S < AMBER_GREEN_S else ("red",)
    return LINES[light]


def _played(lights: list[Lit], step_s: tuple[float, float], skew_s: float = 0.0) -> Iterator[Judge]:
    """The judge after each look at these lights; green goes out later than red by `skew_s`."""
    judge, chance = Judge(), random.Random(1)
    at_s = began_s = 0.0
    before = "dark"
    for light, lasts_s in lights:
        while at_s < began_s + lasts_s:
            on = set(_on(light, at_s))
            if at_s < began_s + skew_s and "green" in _on(before, at_s):
                on.add("green")
            judge.take(at_s, tuple(name for name in ("red", "green", "blue") if name in on))
            yield judge
            at_s += chance.uniform(*step_s) + REST_S * judge.is_sure
        before, began_s = light, began_s + lasts_s


def _told(lights: list[Lit], step_s: tuple[float, float], skew_s: float = 0.0) -> list[str]:
    """Each light that was believed, once for each change."""
    told: list[str] = []
    for judge in _played(lights, step_s, skew_s):
        if judge.light != (told or [""])[-1]:
            told.append(judge.light)
    return told


@pytest.mark.parametrize("step_s", [FAST_S, SLOW_S])
def test_eye_never_takes_amber_for_red_however_late_it_looks(step_s: tuple[float, float]) -> None:
    """A start that shows amber must not be told as one that failed."""
    assert set(_told([("dark", 1.0), *PULSE * 100], step_s)) == {"dark", "amber"}


@pytest.mark.parametrize("step_s", [FAST_S, SLOW_S])
def test_eye_sees_a_red_that_stays(step_s: tuple[float, float]) -> None:
    """A failed start is reported as one, with the time at which its light began."""
    told = [
        (judge.light, judge.since_s)
        for judge in _played([("dark", 1.0), *PULSE, *FAULT * 20], step_s)
    ]

    at, began_s = next((at, since_s) for at, (light, since_s) in enumerate(told) if light == "red")
    assert began_s == pytest.approx(4.0, abs=0.3 if step_s is FAST_S else 2.0)
    assert {light for light, _ in told[at:]} == {"red", "dark"}


@pytest.mark.parametrize("step_s", [FAST_S, SLOW_S])
def test_eye_sees_red_in_short_pulses(step_s: tuple[float, float]) -> None:
    """A single pulse may be too short to be sure of; several are not."""
    assert set(_told([("dark", 1.0), *LOW * 10], step_s)) == {"dark", "red"}


@pytest.mark.parametrize("step_s", [FAST_S, SLOW_S])
@pytest.mark.parametrize(
    ("before", "after"),
    [(PULSE * 5, LOW * 20), (LOW * 20, PULSE * 5), ([("red", 4.0), ("dark", 0.1)], PULSE * 5)],
)
def test_eye_takes_pulses_for_no_earlier_light(
    before: list[Lit], after: list[Lit], step_s: tuple[float, float]
) -> None:
    """The signs of one light say nothing about the next."""
    told = [light for light in _told([("dark", 1.0), *before, *after], step_s) if light != "dark"]

    assert list(dict.fromkeys(told)) == [before[0][0], after[0][0]]
    assert told == sorted(told, key=[before[0][0], after[0][0]].index)


@pytest.mark.parametrize("step_s", [FAST_S, SLOW_S])
def test_eye_dates_amber_that_follows_red_at_once(step_s: tuple[float, float]) -> None:
    *_, judge = _played([("dark", 1.0), ("red", 4.0), ("amber", 2.0)], step_s)

    assert judge.light == "amber"
    assert judge.since_s == pytest.approx(5.0, abs=0.3)


def test_eye_reports_no_light_during_a_change() -> None:
    """Lines change up to one period apart: amber's end is no green, white's is no amber."""
    lights = [("amber", 0.3), ("dark", 1.0), ("white", 0.5), ("red", 1.0)]

    told = _told(lights, FAST_S, skew_s=PERIOD_S)

    assert told == ["dark", "amber", "dark", "white", "red"]
