"""Strokes and symbols of the diagram, as SVG; `side` is -1 left of the board, 1 right of it.

The card under everything has a colour of its own, so that it reads on a light and on a dark page.
"""

from html import escape
from typing import Final

INK: Final = "#1f2933"
FAINT: Final = "#52606d"
CARD: Final = "#fbfaf6"
LINE: Final = "#cbd2d9"
POWER: Final = "#c92a2a"
GROUND: Final = "#343a40"

FONT: Final = "Helvetica, Arial, 'DejaVu Sans', sans-serif"


def text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, **more: str
) -> str:
    """Return one line of words; `more` are attributes, with _ for -."""
    given = {"fill": INK} | {key.replace("_", "-"): value for key, value in more.items()}
    attributes = " ".join(f'{key}="{value}"' for key, value in given.items())
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" {attributes}>'
        f"{escape(words)}</text>"
    )


def line(*points: tuple[float, float], colour: str = INK, width: float = 1.6) -> str:
    """Return a stroke through `points`."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def box(x: float, y: float, width: float, height: float, fill: str, **more: str) -> str:
    """Return a rectangle with round corners."""
    given = {"stroke": LINE, "rx": "8"} | {k.replace("_", "-"): v for k, v in more.items()}
    attributes = " ".join(f'{key}="{value}"' for key, value in given.items())
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
        f'fill="{fill}" {attributes}/>'
    )


def dot(x: float, y: float, radius: float = 2.6, colour: str = INK) -> str:
    """Return a filled circle: a joint."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>'


def ground(x: float, y: float) -> str:
    """Return the symbol of ground, hanging from (x, y)."""
    strokes = [line((x, y), (x, y + 6), colour=GROUND)]
    strokes += [
        line((x - half, y + 6 + drop), (x + half, y + 6 + drop), colour=GROUND)
        for half, drop in ((9, 0), (6, 3.5), (3, 7))
    ]
    return "".join(strokes)


def rail(x: float, y: float, volts: str, side: int) -> str:
    """Return a flag of a supply at the end of a stroke."""
    return dot(x, y, 3.2, POWER) + text(
        x + side * 7,
        y + 4,
        volts,
        anchor="start" if side > 0 else "end",
        size=12,
        fill=POWER,
        font_weight="bold",
    )


def resistor(x: float, y: float, label: str) -> str:
    """Return a resistor of 34 by 12 with its middle at (x, y), and its value above."""
    body = (
        f'<rect x="{x - 17:g}" y="{y - 6:g}" width="34" height="12" fill="{CARD}" stroke="{INK}" '
    )
    return body + 'stroke-width="1.6"/>' + text(x, y - 10, label, anchor="middle", size=11)


def transistor(x: float, y: float, side: int) -> str:
    """Return an NPN transistor with its base at (x, y); collector and emitter are 18 from it."""
    bar, leads = x + side * 8, x + side * 18
    circle = f'<circle cx="{x + side * 12:g}" cy="{y:g}" r="15" fill="#fff" stroke="{INK}"/>'
    tip_x, tip_y = leads, y + 14
    arrow = (
        f'<polygon points="{tip_x:g},{tip_y:g} {tip_x - side * 8:g},{tip_y - 3:g} '
        f'{tip_x - side * 4:g},{tip_y - 9:g}" fill="{INK}"/>'
    )
    return (
        circle
        + line((x, y), (bar, y))
        + line((bar, y - 9), (bar, y + 9), width=2.6)
        + line((bar, y - 4), (leads, y - 14))
        + line((bar, y + 4), (leads, y + 14))
        + arrow
    )


def light(x: float, y: float, colour: str, side: int) -> str:
    """Return an LED of 16 in width around (x, y); its cathode is towards the board."""
    near, far = x - side * 8, x + side * 8
    arrows = "".join(
        line((x + side * a, y - 11), (x + side * (a - 5), y - 17), width=1.2) for a in (4, -3)
    )
    return (
        f'<polygon points="{far:g},{y - 8:g} {far:g},{y + 8:g} {near:g},{y:g}" fill="{colour}" '
        f'stroke="{INK}" stroke-width="1.4"/>' + line((near, y - 8), (near, y + 8)) + arrows
    )


def sounder(x: float, y: float, side: int) -> str:
    """Return a magnetic sounder of 26 in width around (x, y), with its diode below.

    The diode's cathode is at the supply, away from the board.
    """
    near, far = x - 13, x + 13
    cathode, anode = (far, near) if side > 0 else (near, far)
    point, back = x + side * 6, x - side * 6
    body = (
        f'<path d="M {near:g} {y + 2:g} L {near:g} {y - 4:g} A 13 13 0 0 1 {far:g} {y - 4:g} '
        f'L {far:g} {y + 2:g} Z" fill="#ffe8cc" stroke="{INK}" stroke-width="1.4"/>'
    )
    diode = (
        line((anode - side * 6, y), (anode - side * 6, y + 17), (cathode + side * 6, y + 17))
        + line((cathode + side * 6, y + 17), (cathode + side * 6, y))
        + f'<polygon points="{back:g},{y + 12:g} {back:g},{y + 22:g} {point:g},{y + 17:g}" '
        f'fill="{INK}"/>' + line((point, y + 11), (point, y + 23))
    )
    return diode + body
