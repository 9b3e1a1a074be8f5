"""The diagram of hardware/README.md, drawn from the table of the build."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from tests.unit.documents.build import (
    OFF_OHM,
    PARTS,
    PGOOD_OHM,
    SHUNT_OHM,
    TRANSISTORS,
    ohms,
)
from tests.unit.documents.circuits import GREY, INK, RED, button, driven, line, text

HEADER: Final = (
    *(None, 2, 3, 4, None, 17, 27, 22, None, 10, 9, 11, None, 0, 5, 6, 13, 19, 26, None),
    *(None, None, None, 14, 15, 18, None, 23, 24, None, 25, 8, 7, 1, None, 12, None, 16, 20, 21),
)
"""BCM numbers down the odd side of the 40-pin header, then down the even side.

Source: Raspberry Pi documentation, "GPIO and the 40-pin header".
"""

SUPPLIES: Final = (
    *("3.3 V", "ground", "3.3 V", "ground", "ground"),
    *("5 V", "5 V", *["ground"] * 5),
)
"""The other positions of both sides, from the same source."""

ROWS: Final = 20

MODULES: Final = {
    "Sensors on I2C": ("SDA, SCL", "gauge 0x36, current 0x40,", "clock 0x52, acceleration 0x69"),
    "Power switch: OFF": (
        "OFF",
        f"through {ohms(OFF_OHM)}; high after a",
        "shutdown: cuts the 5.2 V",
    ),
    "Current sensor: 5.2 V": ("load, load, ground", "all parts of 5 V", "are behind the sensor"),
    "GNSS receiver": ("RXD, TXD", "3.3 V from position 17,", "ground to any"),
    "Charger: PGOOD": ("PGOOD", f"through {ohms(PGOOD_OHM)}", "low: a supply is connected"),
    "Power switch: PUSH": ("PUSH", "low: the driver", "presses the switch"),
}
"""Cards without a circuit: their terminals, and two lines of text."""

LEFT: Final = (
    *("Sensors on I2C", "Photo button", "Scan button", "Lamp, white"),
    *("LED, red", "LED, green", "LED, blue", "Power switch: OFF"),
)
RIGHT: Final = (
    *("Current sensor: 5.2 V", "GNSS receiver", "Charger: PGOOD", "Vibration motor"),
    *("Power switch: PUSH", "Buzzer, passive"),
)
"""Cards from the top, in the order of their positions at the header: so no wires cross."""

POSITIONS: Final = {"Sensors on I2C": (1, 2), "Current sensor: 5.2 V": (20, 21, 22)}
"""Indexes in HEADER of cards that are no part, or have no pin."""

_WIRES: Final = (*("#0b7285", "#862e9c", "#a61e4d", "#5f3dc4", "#2b8a3e", "#d9480f", "#364fc7"),)

_TOP: Final = 107
_STEP: Final = 30


@dataclass(frozen=True, slots=True)
class Card:
    """A part in the diagram; `x` turns a distance from the wires' edge into a position."""

    name: str
    is_left: bool
    top: int

    @property
    def height(self) -> int:
        """Its height, by what is drawn in it."""
        if self.name in MODULES:
            return 62 + 20 * max(1, len(self.terminals) - 1)
        return 116

    @property
    def terminals(self) -> tuple[str, ...]:
        """Names of the terminals of a module; one without a name for a circuit."""
        return tuple(MODULES[self.name][0].split(", ")) if self.name in MODULES else ("",)

    @property
    def wires(self) -> tuple[int, ...]:
        """Heights at which its wires end."""
        first = self.top + (40 if self.name in MODULES else 60)
        return tuple(first + 20 * number for number in range(len(self.terminals)))

    @property
    def positions(self) -> tuple[int, ...]:
        """Indexes in HEADER to which its wires lead."""
        return POSITIONS.get(self.name) or tuple(map(HEADER.index, PARTS[self.name].pins))

    def x(self, distance: float) -> float:
        """Return the position at this distance from the edge where the wires arrive."""
        return 384 - distance if self.is_left else 816 + distance


def cards() -> list[Card]:
    """Return the cards of both sides, each below the one before."""
    found = []
    for is_left, names in ((True, LEFT), (False, RIGHT)):
        top = 92
        for name in names:
            found.append(card := Card(name, is_left, top))
            top += card.height + 10
    return found


def drawing() -> str:
    """Return the diagram as SVG."""
    told = "; ".join(
        f"{name}: pin {', '.join(map(str, part.pins))}" for name, part in PARTS.items()
    )
    body = [line for card in cards() for line in _card(card)]
    label = escape(f"Wiring by BCM pin. {told}")
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 1096" font-family="{_FONT}" '
        f'role="img" aria-label="{label}">'
    )
    lines = [
        start,
        '<rect x="1" y="1" width="1198" height="1094" fill="#fbfaf6" stroke="#cbd2d9" rx="16"/>',
        text(600, 38, "Wiring of one device", size=22, anchor="middle", bold=True),
        text(600, 62, _SUBTITLE, anchor="middle", fill=GREY),
        *_header(),
        *body,
        *_all_wires(),
        *_legend(),
        *_power(),
    ]
    return "\n".join([*lines, "</svg>", ""])


_FONT: Final = "Helvetica, Arial, 'DejaVu Sans', sans-serif"

_SUBTITLE: Final = (
    "Raspberry Pi Zero 2 W, its 40-pin header seen from above, position 1 at the top left"
)


def names() -> list[str]:
    """Return what each position of the header is, in the order of HEADER."""
    supplies = iter(SUPPLIES)
    return [next(supplies) if pin is None else f"GPIO {pin}" for pin in HEADER]


def _header() -> Iterator[str]:
    used = {position for card in cards() for position in card.positions}
    yield (
        '<rect x="480" y="84" width="240" height="616" fill="#e6f4ea" stroke="#8fbf9f" rx="10"/>'
    )
    for index, name in enumerate(names()):
        is_left, y = index < ROWS, _TOP + _STEP * (index % ROWS)
        x, text_x, anchor = (496, 515, "start") if is_left else (704, 685, "end")
        kinds = {"ground": "#ced4da", "5 V": "#ffc9c9", "3.3 V": "#ffc9c9"}
        fill = kinds.get(name, "#ffffff" if index in used else "#d5e3d9")
        number = 2 * (index % ROWS) + (1 if is_left else 2)
        yield f'<circle cx="{x}" cy="{y}" r="12" fill="{fill}" stroke="{INK}"/>'
        yield text(x, y + 4, str(number), size=11, anchor="middle")
        ink, size = (INK, 13) if index in used else ("#7b8794", 11)
        yield text(text_x, y + 4, name, size=size, anchor=anchor, fill=ink, bold=index in used)


def _all_wires() -> Iterator[str]:
    """Yield the wires; each takes a lane of its own, so that none crosses another."""
    for is_left in (True, False):
        ends = [
            (_TOP + _STEP * (position % ROWS), y, names()[position])
            for card in cards()
            if card.is_left == is_left
            for position, y in zip(card.positions, card.wires, strict=True)
        ]
        up, down = 0, sum(card_y > pin_y for pin_y, card_y, _ in ends)
        for number, (pin_y, card_y, name) in enumerate(ends):
            up, down = up + (card_y <= pin_y), down - (card_y > pin_y)
            lane = 10 + 9 * (up if card_y <= pin_y else down + 1)
            edge, end, x = (480, 384, 480 - lane) if is_left else (720, 816, 720 + lane)
            colour = {"5 V": RED, "ground": "#343a40"}.get(name, _WIRES[number % len(_WIRES)])
            points = f"{edge},{pin_y} {x},{pin_y} {x},{card_y} {end},{card_y}"
            yield line(points, colour, 2.2)


def _card(card: Card) -> Iterator[str]:
    left = 24 if card.is_left else 816
    yield (
        f'<rect x="{left}" y="{card.top}" width="360" height="{card.height}" fill="#ffffff" '
        'stroke="#cbd2d9" rx="8"/>'
    )
    yield text(left + 12, card.top + 20, card.name, size=14, bold=True)
    if card.name in MODULES:
        yield from _module(card)
        return
    yield text(left + 348, card.top + 20, names()[card.positions[0]], anchor="end", fill=GREY)
    x, wire = card.x, card.wires[0]
    is_driven = card.name in TRANSISTORS
    yield from driven(x, wire, card.name) if is_driven else button(x, wire, card.top)


def _module(card: Card) -> Iterator[str]:
    anchor = "end" if card.is_left else "start"
    for name, y in zip(card.terminals, card.wires, strict=True):
        yield f'<circle cx="{card.x(0)}" cy="{y}" r="4" fill="{INK}"/>'
        yield text(card.x(12), y + 4, name, anchor=anchor, bold=True)
    for number, words in enumerate(MODULES[card.name][1:]):
        yield text(card.x(220), card.wires[0] + 4 + 18 * number, words, anchor="middle", fill=GREY)


def _legend() -> Iterator[str]:
    yield text(488, 732, "Drawn from data sheets: not built yet.", bold=True)
    kinds = (
        ("#ffffff", "used; pins of buttons, lights and motor can be set"),
        ("#d5e3d9", "free; 4 is the accelerometer's, without a wire"),
        ("#ffc9c9", "supply; 5 V is the converter's 5.2 V"),
        ("#ced4da", "ground; all are one"),
    )
    for number, (fill, words) in enumerate(kinds):
        y = 754 + 21 * number
        yield f'<circle cx="496" cy="{y - 4}" r="8" fill="{fill}" stroke="{INK}"/>'
        yield text(512, y, words, fill=GREY)
    yield text(488, 842, "The camera's ribbon goes to the camera socket.", fill=GREY)


_BOXES: Final = (
    (488, 880, "Supply", "5 V, 2 A, by USB-C"),
    (736, 880, "Charger BQ24074", "1 A; PGOOD to pin 23"),
    (984, 880, "Pack", "two cells with protection"),
    (488, 988, "Power switch", "PUSH to pin 25, OFF to 26"),
    (736, 988, "Converter TPS61023", "5.2 V"),
    (984, 988, "Sensor INA226", f"{ohms(SHUNT_OHM)} in the 5.2 V lead"),
)

_FLOWS: Final = (
    *("680,902 736,902", "928,902 946,902", "962,902 984,902", "680,1014 736,1014"),
    *("928,1014 984,1014", "832,932 832,960 584,960 584,988", "1080,1040 1080,1056"),
)


def _power() -> Iterator[str]:
    """Yield the way of the energy, from the supply to the header."""
    for x, y, name, words in _BOXES:
        yield (
            f'<rect x="{x}" y="{y}" width="192" height="52" fill="#ffffff" stroke="#cbd2d9" '
            'rx="8"/>'
        )
        yield text(x + 12, y + 21, name, size=14, bold=True)
        yield text(x + 12, y + 40, words, size=11, fill=GREY)
    for points in _FLOWS:
        yield line(points, RED, 2.2)
    yield line("946,902 961,894", INK, 2.2)
    yield text(956, 872, "hard switch", size=11, anchor="middle")
    yield line("928,920 984,920", GREY, 1.6)
    yield text(956, 946, "thermistor, to THERM", size=11, anchor="middle", fill=GREY)
    yield text(600, 954, "OUT: at most 4.4 V", size=11, fill=GREY)
    yield line("584,1040 584,1052", INK, 1.6)
    yield text(600, 1066, "BTN: driver's switch to ground, SA10CA across", size=11, anchor="middle")
    yield text(1080, 1070, "to 5 V of header and parts", size=11, anchor="middle")
