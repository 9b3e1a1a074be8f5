"""The diagram as a whole: the header in the middle, a card for each part, a lane for each wire."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from tests.unit.documents.wiring import drawing as draw
from tests.unit.documents.wiring.circuit import (
    BASE_OHM,
    GROUND,
    HEADER,
    PULL_UP_OHM,
    SUPPLY,
    Button,
    Part,
    Switched,
    Wired,
    parts,
)

WIDTH: Final = 1200
MIDDLE: Final = WIDTH / 2
TOP: Final = 92
ROW: Final = 30
BOARD: Final = 120
"""Half of the board's width."""
NEAR: Final = 216
"""From the middle to a card's edge; the lanes lie between it and the board."""
FAR: Final = 576
"""From the middle to a card's other edge."""
LANE: Final = 9
GAP: Final = 10
NOTES: Final = 150
"""Height of the notes, below the last card on the right."""

WIRES: Final = ("#0b7285", "#862e9c", "#a61e4d", "#5f3dc4", "#2b8a3e", "#d9480f", "#364fc7")
SUPPLIES: Final = "#ffc9c9"
GROUNDS: Final = "#ced4da"
NAMES: Final = {position: f"GPIO {pin}" for pin, position in HEADER.items()}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A part's card: where it begins, and where each of its lines meets its edge."""

    part: Part
    top: float
    height: float

    def ends(self) -> list[tuple[int, float]]:
        """Positions on the header, and how far down each wire arrives."""
        match self.part:
            case Wired(lines=lines):
                return [(at, self.top + 40 + 20 * n) for n, (_, at) in enumerate(lines)]
            case Switched(pin=pin):
                return [(HEADER[pin], self.top + 58)]
            case Button(pin=pin):
                return [(HEADER[pin], self.top + 44)]
            case other:
                assert_never(other)


def svg() -> str:
    """Return the diagram with the default pins."""
    left, right = _columns()
    bottom = max(placed[-1].top + placed[-1].height for placed in (left, right))
    notes = right[-1].top + right[-1].height + GAP
    height = max(bottom, TOP + 20 * ROW, notes + NOTES) + 24
    body = "\n".join(
        [
            draw.box(1, 1, WIDTH - 2, height - 2, draw.CARD, rx="16"),
            *_title(),
            *_board(),
            *(
                stroke
                for placed, side in ((left, -1), (right, 1))
                for stroke in _wires(placed, side)
            ),
            *(stroke for one in left for stroke in _card(one, -1)),
            *(stroke for one in right for stroke in _card(one, 1)),
            *_notes(notes),
        ]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'font-family="{draw.FONT}" role="img" aria-label="{_words()}">\n{body}\n</svg>\n'
    )


def _words() -> str:
    pins = [f"{one.name}: pin {one.pin}" for one in parts() if not isinstance(one, Wired)]
    return "Wiring by BCM pin. " + "; ".join(pins)


def _columns() -> tuple[list[_Placed], list[_Placed]]:
    """Parts on the side that their first line has on the header, in its order."""
    columns: tuple[list[_Placed], list[_Placed]] = ([], [])
    for part in sorted(parts(), key=lambda one: _positions(one)[0]):
        column = columns[_positions(part)[0] % 2 == 0]
        top = column[-1].top + column[-1].height + GAP if column else TOP
        column.append(_Placed(part, top, _height(part)))
    return columns


def _positions(part: Part) -> list[int]:
    return [at for _, at in part.lines] if isinstance(part, Wired) else [HEADER[part.pin]]


def _height(part: Part) -> float:
    match part:
        case Wired(lines=lines):
            return 72 + 20 * max(0, len(lines) - 2)
        case Switched():
            return 96
        case Button():
            return 86
        case other:
            assert_never(other)


def _row(position: int) -> float:
    return TOP + ROW * ((position - 1) // 2) + ROW / 2


def _wires(column: list[_Placed], side: int) -> Iterator[str]:
    """Each wire has a lane of its own, so placed that none crosses another."""
    ends = [end for placed in column for end in placed.ends()]
    rising = [end for end in ends if end[1] < _row(end[0])]
    falling = [end for end in reversed(ends) if end[1] >= _row(end[0])]
    lanes = {end: n for group in (rising, falling) for n, end in enumerate(group, start=1)}
    for number, (position, y) in enumerate(ends):
        lane = MIDDLE + side * (BOARD + 16 + LANE * lanes[(position, y)])
        yield draw.line(
            (MIDDLE + side * BOARD, _row(position)),
            (lane, _row(position)),
            (lane, y),
            (MIDDLE + side * NEAR, y),
            colour=_colour(position, number),
            width=2.2,
        )


def _colour(position: int, number: int) -> str:
    if position in SUPPLY:
        return draw.POWER
    return draw.GROUND if position in GROUND else WIRES[number % len(WIRES)]


def _board() -> Iterator[str]:
    yield draw.box(
        MIDDLE - BOARD, TOP - 8, 2 * BOARD, 20 * ROW + 16, "#e6f4ea", stroke="#8fbf9f", rx="10"
    )
    used = {at for part in parts() for at in _positions(part)}
    for position in range(1, 41):
        yield from _pin(position, position in used)


def _pin(position: int, used: bool) -> Iterator[str]:
    side = 1 if position % 2 == 0 else -1
    x, y = MIDDLE + side * (BOARD - 16), _row(position)
    fill = "#ffffff" if used else "#d5e3d9"
    if position in SUPPLY:
        fill = SUPPLIES
    if position in GROUND:
        fill = GROUNDS
    yield f'<circle cx="{x:g}" cy="{y:g}" r="12" fill="{fill}" stroke="{draw.INK}"/>'
    yield draw.text(x, y + 4, str(position), anchor="middle", size=11)
    name = SUPPLY.get(position) or ("ground" if position in GROUND else NAMES[position])
    yield draw.text(
        x - side * 19,
        y + 4,
        name,
        anchor="end" if side > 0 else "start",
        size=13 if used else 11,
        fill=draw.INK if used else "#7b8794",
        font_weight="bold" if used else "normal",
    )


def _card(placed: _Placed, side: int) -> Iterator[str]:
    left = MIDDLE + NEAR if side > 0 else MIDDLE - FAR
    yield draw.box(left, placed.top, FAR - NEAR, placed.height, "#ffffff")
    head = placed.top + 20
    yield draw.text(left + 12, head, placed.part.name, size=14, font_weight="bold")
    edge = MIDDLE + side * NEAR
    match placed.part:
        case Wired() as module:
            yield from _module(module, placed, edge, side)
        case Switched() as load:
            yield _pin_words(left, head, load.pin)
            yield from _stage(load, placed.ends()[0][1], edge, side)
        case Button() as button:
            yield _pin_words(left, head, button.pin)
            yield from _contact(placed.ends()[0][1], edge, side)
        case other:
            assert_never(other)


def _pin_words(left: float, y: float, pin: int) -> str:
    x = left + FAR - NEAR - 12
    return draw.text(x, y, f"GPIO {pin}", anchor="end", size=13, fill=draw.FAINT)


def _module(module: Wired, placed: _Placed, edge: float, side: int) -> Iterator[str]:
    for (terminal, _), (_, y) in zip(module.lines, placed.ends(), strict=True):
        anchor = "start" if side > 0 else "end"
        yield draw.dot(edge, y, 4)
        yield draw.text(edge + side * 12, y + 4, terminal, anchor=anchor, font_weight="bold")
    for number, note in enumerate(module.notes):
        x, y = edge + side * 176, placed.top + 44 + 18 * number
        yield draw.text(x, y, note, anchor="middle" if side < 0 else "start", fill=draw.FAINT)


def _stage(load: Switched, y: float, edge: float, side: int) -> Iterator[str]:
    """From the pin: base resistor, transistor, load, supply."""

    def at(distance: float) -> float:
        return edge + side * distance

    yield draw.line((edge, y), (at(90), y))
    yield draw.resistor(at(40), y, _ohms(BASE_OHM))
    yield draw.transistor(at(82), y, side)
    yield draw.text(at(82), y - 20, "BC337-40", anchor="middle", size=11, fill=draw.FAINT)
    yield draw.line((at(100), y + 14), (at(100), y + 20))
    yield draw.ground(at(100), y + 18)
    yield draw.line((at(100), y - 14), (at(300), y - 14))
    if load.colour is None:
        yield draw.sounder(at(215), y - 14, side)
        yield draw.text(at(262), y + 8, "1N4148", anchor="middle", size=11, fill=draw.FAINT)
    else:
        yield draw.light(at(170), y - 14, load.colour, side)
        yield draw.resistor(at(235), y - 14, _ohms(load.ohm or 0))
        if load.count > 1:
            words = f"{load.count} side by side, each with its resistor"
            yield draw.text(at(215), y + 16, words, anchor="middle", size=11, fill=draw.FAINT)
    yield draw.rail(at(300), y - 14, "5 V", side)


def _contact(y: float, edge: float, side: int) -> Iterator[str]:
    """From the pin: a pull-up to 3.3 V, and the contact to ground."""

    def at(distance: float) -> float:
        return edge + side * distance

    yield draw.line((edge, y), (at(200), y))
    yield draw.line((at(56), y), (at(56), y + 26), (at(150), y + 26))
    yield draw.dot(at(56), y)
    yield draw.resistor(at(100), y + 26, _ohms(PULL_UP_OHM))
    yield draw.rail(at(150), y + 26, "3.3 V", side)
    yield draw.dot(at(200), y, 3.4) + draw.dot(at(236), y, 3.4)
    yield draw.line((at(200), y), (at(234), y - 13), width=2.2)
    yield draw.line((at(236), y), (at(290), y), (at(290), y + 4))
    yield draw.ground(at(290), y + 4)


def _ohms(value: int) -> str:
    return f"{value // 1000} kΩ" if value >= 1000 else f"{value} Ω"


def _title() -> Iterator[str]:
    yield draw.text(
        MIDDLE, 38, "Wiring of one device", anchor="middle", size=22, font_weight="bold"
    )
    yield draw.text(
        MIDDLE,
        62,
        "Raspberry Pi 4 Model B, its 40-pin header seen from above, position 1 at the top left",
        anchor="middle",
        fill=draw.FAINT,
    )


def _notes(top: float) -> Iterator[str]:
    x = MIDDLE + NEAR + 12
    yield draw.text(x, top + 24, "Drawn from data sheets: not built here.", font_weight="bold")
    for row, (fill, words) in enumerate(
        (
            ("#ffffff", "used; the pin of each button and light can be set"),
            ("#d5e3d9", "free"),
            (SUPPLIES, "supply; 5 V is the UPS board's 5.1 V"),
            (GROUNDS, "ground; all are one"),
        )
    ):
        y = top + 48 + 22 * row
        yield f'<circle cx="{x + 8:g}" cy="{y - 4:g}" r="8" fill="{fill}" stroke="{draw.INK}"/>'
        yield draw.text(x + 24, y, words, fill=draw.FAINT)
    words = "The camera's ribbon goes to the socket CAMERA."
    yield draw.text(x, top + 142, words, fill=draw.FAINT)
