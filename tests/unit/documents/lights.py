"""The table of the lights in agent/docs/lights.md, and the sheet of them for drivers."""

from collections.abc import Iterator
from html import escape
from itertools import chain, cycle, groupby
from typing import Final

from hardware.indicator import Colour, Signal
from hardware.patterns import DARK, LOW_HZ, PATTERNS, Pattern, Step
from tests.demo.lights import COLOURS, MEANS

_STRIP_S: Final = 6
"""Length of a strip of the sheet: the slowest rhythm begins to repeat."""

_PX_A_SECOND: Final = 50


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the meaning of each signal, its light and its sound."""
    for signal, pattern in PATTERNS.items():
        yield MEANS[signal], light_words(pattern), sound_words(pattern)


def light_words(pattern: Pattern) -> str:
    """Describe a light by its colour and its rhythm."""
    is_lasting = any(map(_is_lit, pattern.again))
    steps = pattern.again if is_lasting else pattern.once
    lit = list(filter(_is_lit, steps))
    if not lit:
        return "dark"
    total_s = sum(step.seconds for step in steps)
    shapes = [is_lit for is_lit, _ in groupby(map(_is_lit, steps))]
    if len(shapes) == 1:
        rhythm = "steady" if is_lasting else f"for {total_s:g} s"
    elif max(step.seconds for step in lit) > _STRIP_S / 2:
        rhythm = f"with {_counted(shapes.count(False), 'short gap')} every {total_s:g} s"
    else:
        when = "every" if is_lasting else "in"
        rhythm = f"{_counted(shapes.count(True), 'flash', 'es')} {when} {total_s:g} s"
    return f"{COLOURS[lit[0].colour]}, {rhythm}"


def sound_words(pattern: Pattern) -> str:
    """Describe the tones; the motor vibrates with each."""
    beeps = [
        f"{'long' if step.seconds >= 1 else 'short'} {'low' if step.tone_hz == LOW_HZ else 'high'}"
        for step in pattern.once
        if step.tone_hz
    ]
    return ", ".join(f"{len(list(same))} {beep}" for beep, same in groupby(beeps)) or "none"


def _counted(count: int, what: str, plural: str = "s") -> str:
    return f"{count} {what}{'' if count == 1 else plural}"


def _is_lit(step: Step) -> bool:
    return step.colour != DARK


def sheet() -> str:
    """Draw the lights on one page of A4: the meaning of each, a strip of it, and its words."""
    size = 'width="190mm" height="270mm" viewBox="0 0 760 1080"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        '<rect width="760" height="1080" fill="#fff"/>',
        '<text y="26" font-size="22">The lights of a Doorstep device</text>',
        f'<text y="48">Each strip shows the first {_STRIP_S} seconds.</text>',
    ]
    for number, signal in enumerate(Signal):
        pattern, top_px = PATTERNS[signal], 80 + 55 * number
        words = f"{light_words(pattern)}; tones, with vibration: {sound_words(pattern)}"
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
