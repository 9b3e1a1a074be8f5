"""The table of the lights in agent/docs/lights.md, and the sheet of them for drivers."""

from collections.abc import Iterator
from html import escape
from itertools import chain, cycle, groupby
from typing import Final

from hardware.indicator import Colour, Signal
from hardware.patterns import BEATS_S, DARK, LOW_HZ, PATTERNS, Pattern, Step
from tests.demo.lights import COLOURS, MEANS

BEAT_WORDS: Final = {BEATS_S["S"]: "short", BEATS_S["L"]: "long"}

_STRIP_S: Final = 6
"""Length of a strip of the sheet: the slowest rhythm begins to repeat."""

_PX_A_SECOND: Final = 50


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the meaning of each signal, its light and its tone."""
    for signal, pattern in PATTERNS.items():
        yield MEANS[signal], light_words(pattern), sound_words(pattern)


def light_words(pattern: Pattern) -> str:
    """Describe a light by its colour and its rhythm."""
    is_lasting = any(map(_is_lit, pattern.again))
    steps = pattern.again if is_lasting else pattern.once
    lit = list(filter(_is_lit, steps))
    if not lit:
        return "dark"
    return f"{COLOURS[lit[0].colour]}, {_rhythm_words(steps, lit, is_lasting=is_lasting)}"


def _rhythm_words(steps: tuple[Step, ...], lit: list[Step], *, is_lasting: bool) -> str:
    total_s = sum(step.seconds for step in steps)
    if len(lit) == len(steps):
        return "steady"
    if any(step.seconds not in BEAT_WORDS for step in lit):
        return (
            f"{lit[0].seconds:g} s of each second"
            if is_lasting
            else f"{len(lit)} flashes in {total_s:g} s"
        )
    beats = groupby(BEAT_WORDS[step.seconds] for step in lit)
    words = ", ".join(f"{len(list(same))} {beat}" for beat, same in beats)
    return f"{words}; every {total_s:g} s" if is_lasting else words


def sound_words(pattern: Pattern) -> str:
    """Name the tone, which has the rhythm of the light, as the motor has."""
    tones = {step.tone_hz for step in pattern.once if step.tone_hz}
    return " and ".join("low" if tone == LOW_HZ else "high" for tone in sorted(tones)) or "none"


def _is_lit(step: Step) -> bool:
    return step.colour != DARK


def sheet() -> str:
    """Draw the lights on one page of A4: the meaning of each, a strip of it, and its words."""
    size = 'width="190mm" height="270mm" viewBox="0 0 760 1080"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        '<rect width="760" height="1080" fill="#fff"/>',
        '<text y="26" font-size="22">The lights of a Doorstep device</text>',
        f'<text y="48">Each strip: the first {_STRIP_S} seconds; below: tone and vibration.</text>',
    ]
    for number, signal in enumerate(Signal):
        pattern, top_px = PATTERNS[signal], 80 + 55 * number
        words = f"{light_words(pattern)}; tone: {sound_words(pattern)}"
        lines += [
            f'<text y="{top_px}" font-weight="bold">{escape(MEANS[signal])}</text>',
            _box(0, _STRIP_S, top_px + 7, 24, "#222"),
            *_strip(pattern, top_px + 9),
            f'<text x="{_STRIP_S * _PX_A_SECOND + 12}" y="{top_px + 24}">{escape(words)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _strip(pattern: Pattern, top_px: int) -> Iterator[str]:
    at_s = 0.0
    for step in chain(pattern.once, cycle(pattern.again)):
        seconds = min(step.seconds, _STRIP_S - at_s)
        if _is_lit(step):
            yield _box(at_s, seconds, top_px, 20, _on_screen(step.colour))
        if step.vibrate:
            yield _box(at_s, seconds, top_px + 24, 3, "#444")
        at_s += seconds
        if at_s >= _STRIP_S:
            return


def _box(at_s: float, seconds: float, top_px: int, height_px: int, fill: str) -> str:
    x_px, width_px = at_s * _PX_A_SECOND, seconds * _PX_A_SECOND
    place = f'x="{x_px:.1f}" y="{top_px}" width="{width_px:.1f}" height="{height_px}"'
    return f'<rect {place} fill="{fill}"/>'


def _on_screen(colour: Colour) -> str:
    """Return the colour as `#rrggbb`; a screen's values are not linear. Source: sRGB, gamma 2.2."""
    parts = (colour.red, colour.green, colour.blue)
    return "#" + "".join(f"{round(255 * part ** (1 / 2.2)):02x}" for part in parts)
