"""The circuits of hardware/wiring.svg: a button, and a part that a transistor switches."""

from collections.abc import Callable, Iterator
from html import escape
from typing import Final

from tests.unit.documents.build import (
    BASE_EMITTER_OHM,
    BASE_OHM,
    BUTTON_NF,
    BUTTON_OHM,
    LIGHTS,
    PULL_UP_OHM,
    ohms,
)

INK: Final = "#1f2933"
GREY: Final = "#52606d"
RED: Final = "#c92a2a"

_FILLS: Final = {
    "LED, red": "#e5484d",
    "LED, green": "#30a46c",
    "LED, blue": "#3b82f6",
    "Lamp, white": "#fff3b0",
}

Place = Callable[[float], float]
"""Turns a distance from the edge where the wire arrives into a position across."""


def button(x: Place, wire: float, top: float) -> Iterator[str]:
    """Yield pin, capacitor, pull-up, resistor, suppressor, contact and ground, from the wire on."""
    y = top + 46
    yield _path(x, (0, wire), (14, wire), (14, y), (224, y))
    yield _path(x, (44, y), (44, y + 14))
    yield _path(x, (33, y + 14), (55, y + 14), width=2.4)
    yield _path(x, (33, y + 20), (55, y + 20), width=2.4)
    yield from _grounded(x, 44, y + 20, y + 34)
    yield text(x(44), y + 58, f"{BUTTON_NF} nF", size=11, anchor="middle")
    yield _path(x, (100, y), (100, y + 42))
    yield _resistor(x, 100, y + 21, tall=True)
    yield text(x(124), y + 25, ohms(PULL_UP_OHM), size=11, anchor="middle")
    yield _supply(x, 100, y + 42, "3.3 V", below=True)
    yield _resistor(x, 146, y, ohms(BUTTON_OHM))
    yield from _grounded(x, 186, y, y + 34)
    yield (
        f'<rect x="{x(186) - 7:g}" y="{y + 8}" width="14" height="18" fill="#e7f5ff" '
        f'stroke="{INK}" stroke-width="1.4"/>'
    )
    yield text(x(186), y + 58, "SA10CA", size=11, anchor="middle")
    for at in (224, 260):
        yield f'<circle cx="{x(at)}" cy="{y}" r="3.4" fill="{INK}"/>'
    yield _path(x, (224, y), (258, y - 13), width=2.2)
    yield from _grounded(x, 306, y, y + 20, start=260)


def driven(x: Place, y: float, name: str) -> Iterator[str]:
    """Yield resistors, transistor and load, from the wire on."""
    collector = y - 14
    yield _path(x, (0, y), (104, y))
    yield _resistor(x, 40, y, ohms(BASE_OHM))
    yield from _grounded(x, 72, y, y + 34)
    yield _resistor(x, 72, y + 18, tall=True)
    yield text(x(46), y + 30, ohms(BASE_EMITTER_OHM), size=11, anchor="middle")
    yield f'<circle cx="{x(108)}" cy="{y}" r="15" fill="#fff" stroke="{INK}"/>'
    yield _path(x, (92, y), (104, y))
    yield _path(x, (104, y - 9), (104, y + 9), width=2.6)
    yield _path(x, (104, y - 4), (114, collector))
    yield _path(x, (104, y + 4), (114, y + 14))
    arrow = ((114, y + 14), (106, y + 11), (110, y + 5))
    yield f'<polygon points="{_points(x, *arrow)}" fill="{INK}"/>'
    yield from _grounded(x, 114, y + 14, y + 30)
    yield text(x(150), y + 22, "BC337-40", size=11, anchor="middle", fill=GREY)
    yield _path(x, (114, collector), (300, collector))
    yield _supply(x, 300, collector, "5.2 V")
    yield from _light(x, collector, name) if name in LIGHTS else _coil(x, collector, name)


def _light(x: Place, y: float, name: str) -> Iterator[str]:
    light = LIGHTS[name]
    body = ((186, y - 8), (186, y + 8), (170, y))
    fill = _FILLS[name]
    yield (
        f'<polygon points="{_points(x, *body)}" fill="{fill}" stroke="{INK}" stroke-width="1.4"/>'
    )
    yield _path(x, (170, y - 8), (170, y + 8))
    for start in (182, 175):
        yield _path(x, (start, y - 11), (start - 5, y - 17), width=1.2)
    yield _resistor(x, 240, y, ohms(light.ohm))
    if light.count > 1:
        words = f"{light.count} side by side, each with its resistor"
        yield text(x(238), y + 54, words, size=11, anchor="middle", fill=GREY)


def _coil(x: Place, y: float, name: str) -> Iterator[str]:
    middle, is_motor = x(215), name == "Vibration motor"
    fill = "#d3f9d8" if is_motor else "#ffe8cc"
    yield _path(x, (196, y), (196, y + 17), (234, y + 17), (234, y))
    bar, tip = (227, 221), ((209, y + 12), (209, y + 22), (221, y + 17))
    yield f'<polygon points="{_points(x, *tip)}" fill="{INK}"/>'
    yield _path(x, (bar[1], y + 11), (bar[1], y + 23))
    yield text(x(268), y + 22, "1N4148", size=11, anchor="middle", fill=GREY)
    yield (
        f'<circle cx="{middle:g}" cy="{y - 2}" r="12" fill="{fill}" '
        f'stroke="{INK}" stroke-width="1.4"/>'
    )
    yield text(middle, y + 2, "M" if is_motor else "B", size=12, anchor="middle", bold=True)


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 13,
    anchor: str = "start",
    fill: str = INK,
    bold: bool = False,
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"'
        f"{weight}>{escape(words)}</text>"
    )


def line(points: str, colour: str, width: float) -> str:
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _points(x: Place, *points: tuple[float, float]) -> str:
    return " ".join(f"{x(at):g},{y:g}" for at, y in points)


def _path(x: Place, *points: tuple[float, float], width: float = 1.6) -> str:
    return line(_points(x, *points), INK, width)


def _resistor(x: Place, at: float, y: float, words: str = "", *, tall: bool = False) -> str:
    width, height = (12, 24) if tall else (34, 12)
    left, top = x(at) - width / 2, y - height / 2
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width}" height="{height}" fill="#fbfaf6" '
        f'stroke="{INK}" stroke-width="1.6"/>'
        + (text(x(at), y - 10, words, size=11, anchor="middle") if words else "")
    )


def _supply(x: Place, at: float, y: float, words: str, *, below: bool = False) -> str:
    at_x, anchor = x(at + 7), "end" if x(1) < x(0) else "start"
    if below:
        at_x, anchor = x(at), "middle"
    return f'<circle cx="{x(at):g}" cy="{y:g}" r="3.2" fill="{RED}"/>' + text(
        at_x, y + (16 if below else 4), words, size=12, anchor=anchor, fill=RED, bold=True
    )


def _grounded(
    x: Place, at: float, top: float, bottom: float, *, start: float | None = None
) -> Iterator[str]:
    """Yield a wire down to ground, from `start` on where there is one."""
    if start is not None:
        yield _path(x, (start, top), (at, top))
    yield _path(x, (at, top), (at, bottom))
    for number, half in enumerate((9, 6, 3)):
        y = bottom + 3.5 * number
        yield _path(x, (at - half, y), (at + half, y))
