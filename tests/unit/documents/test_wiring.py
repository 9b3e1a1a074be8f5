"""The wiring in hardware/README.md and its diagram are those of the default pins."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from hardware.firmware import BUILD_PINS, claims, unknown_overlays
from hardware.settings import ButtonSettings, IndicatorSettings, LampSettings
from tests.unit.documents.pages import REPOSITORY

PAGE: Final = (REPOSITORY / "hardware/README.md").read_text()

DIAGRAM: Final = ET.parse(REPOSITORY / "hardware/wiring.svg").getroot()

PINS: Final = (
    (None, 2, 3, 4, None, 17, 27, 22, None, 10, 9, 11, None, 0, 5, 6, 13, 19, 26, None),
    (None, None, None, 14, 15, 18, None, 23, 24, None, 25, 8, 7, 1, None, 12, None, 16, 20, 21),
)
"""BCM numbers down the odd side of the 40-pin header, and down the even side.

Source: Raspberry Pi documentation, "GPIO and the 40-pin header".
"""

SUPPLIES: Final = (
    ("3.3 V", "ground", "3.3 V", "ground", "ground"),
    ("5 V", "5 V", "ground", "ground", "ground", "ground", "ground"),
)
"""The other positions of both sides, from the same source."""

FREE: Final = frozenset({0, 1, 18, 19, 20, 21})
"""Pins that the page leaves to the ID of a HAT and to sound by I2S."""

BUTTONS: Final = ButtonSettings("gpio")
LIGHTS: Final = IndicatorSettings("gpio")
LAMP: Final = LampSettings("gpio")
MOTOR_PIN: Final = tomllib.loads((REPOSITORY / "systemd/config.toml").read_text())["indicator"][
    "vibration_pin"
]
"""That of the example: a device without a motor leaves its pin out."""

DRIVEN: Final = {
    "Photo button": BUTTONS.photo_pin,
    "Scan button": BUTTONS.scan_pin,
    "Lamp, white": LAMP.pin,
    "LED, red": LIGHTS.red_pin,
    "LED, green": LIGHTS.green_pin,
    "LED, blue": LIGHTS.blue_pin,
    "Buzzer, passive": LIGHTS.buzzer_pin,
    "Vibration motor": MOTOR_PIN,
}
"""The pin of each part that the device's own process drives."""

WIRES: Final = {
    **{name: [f"GPIO {pin}"] for name, pin in DRIVEN.items()},
    "UPS board: gauge and clock": ["GPIO 2", "GPIO 3"],
    "UPS board: power off": ["GPIO 26"],
    "UPS board: 5.1 V": ["5 V", "5 V", "ground"],
    "UPS board: external power": ["GPIO 23"],
    "GNSS receiver SAM-M8Q": ["GPIO 14", "GPIO 15"],
}
"""Pins of the header to which the wires of each part lead, from the top."""

RESISTORS: Final = {
    "Photo button": ["10 kΩ"],
    "Scan button": ["10 kΩ"],
    "Lamp, white": ["1 kΩ", "100 Ω"],
    "LED, red": ["1 kΩ", "180 Ω"],
    "LED, green": ["1 kΩ", "120 Ω"],
    "LED, blue": ["1 kΩ", "120 Ω"],
    "Buzzer, passive": ["1 kΩ"],
    "Vibration motor": ["1 kΩ"],
}

E12: Final = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82, 100, 120, 150, 180, 220)
"""Ohms of resistors that every shop has. Source: IEC 60063."""


@dataclass
class Card:
    """A part in the diagram: the side of the header, its height, and what is written in it."""

    side: str
    top: float
    height: float
    words: list[str] = field(default_factory=list)


def side_of(x: str) -> str:
    return "left" if float(x) < 600 else "right"


def cards() -> list[Card]:
    found: list[Card] = []
    for element in DIAGRAM:
        at = element.attrib
        if element.tag.endswith("rect") and at["width"] == "360":
            found.append(Card(side_of(at["x"]), float(at["y"]), float(at["height"])))
        elif element.tag.endswith("text") and found:
            found[-1].words.append(element.text or "")
    return found


def names_at_the_header() -> dict[tuple[str, float], str]:
    """Return what is written beside each position, by its side and its height."""
    return {
        (side_of(element.attrib["x"]), float(element.attrib["y"]) - 4): element.text or ""
        for element in DIAGRAM
        if element.tag.endswith("text") and element.attrib["x"] in {"515", "685"}
    }


def wires() -> Iterator[tuple[str, float, float]]:
    """Yield the side of each wire, its height at the header, and its height at the card."""
    for element in DIAGRAM:
        points = element.attrib.get("points", "").split()
        if element.attrib.get("stroke-width") == "2.2" and len(points) == 4:
            (x, first), (_, last) = points[0].split(","), points[-1].split(",")
            yield side_of(x), float(first), float(last)


def test_each_wire_of_the_diagram_leads_from_its_pin_to_its_part() -> None:
    names = names_at_the_header()
    found = {
        card.words[0]: [
            names[side, pin_y]
            for side, pin_y, card_y in wires()
            if side == card.side and 0 < card_y - card.top < card.height
        ]
        for card in cards()
    }

    assert found == WIRES


def test_diagram_names_the_default_pin_and_the_resistors_of_each_part() -> None:
    drawn = {card.words[0]: card.words[1:] for card in cards() if card.words[0] in DRIVEN}
    told = "; ".join(f"{name}: pin {pin}" for name, pin in DRIVEN.items())

    assert {name: words[0] for name, words in drawn.items()} == {
        name: f"GPIO {pin}" for name, pin in DRIVEN.items()
    }
    assert {
        name: [word for word in words if word.endswith("Ω")] for name, words in drawn.items()
    } == RESISTORS
    assert DIAGRAM.attrib["aria-label"] == f"Wiring by BCM pin. {told}"


@pytest.mark.parametrize(("number", "side"), [(0, "left"), (1, "right")])
def test_diagram_has_the_header_of_the_board(number: int, side: str) -> None:
    supplies = iter(SUPPLIES[number])
    drawn = sorted((y, name) for (where, y), name in names_at_the_header().items() if where == side)

    assert [name for _, name in drawn] == [
        next(supplies) if pin is None else f"GPIO {pin}" for pin in PINS[number]
    ]


def test_the_diagram_is_svg_that_asks_for_nothing_from_elsewhere() -> None:
    """Pages show it as a picture: scripts and files of others would be left out."""
    tags = {element.tag.rpartition("}")[2] for element in DIAGRAM.iter()}

    assert tags <= {"svg", "rect", "text", "circle", "polyline", "polygon", "path"}


def test_the_page_wires_the_default_pins() -> None:
    rows = dict(re.findall(r"^\| ([\w ,]+?) \| (\d[\d, ]*) \|", PAGE, re.MULTILINE))

    assert rows["photo button"] == str(BUTTONS.photo_pin)
    assert rows["scan button"] == str(BUTTONS.scan_pin)
    assert rows["RGB LED red, green, blue"] == (
        f"{LIGHTS.red_pin}, {LIGHTS.green_pin}, {LIGHTS.blue_pin}"
    )
    assert rows["buzzer, passive"] == str(LIGHTS.buzzer_pin)
    assert rows["white lamp"] == str(LAMP.pin)
    assert rows["vibration motor"] == str(MOTOR_PIN)


def test_the_page_has_each_resistor_of_the_diagram() -> None:
    assert [value for values in RESISTORS.values() for value in values if value not in PAGE] == []


def test_a_light_gets_at_most_its_current() -> None:
    """The page takes the least resistor of E12 that keeps each light below its limit."""
    least = r"\((5\.1) − (0\.2) − ([\d.]+)\) V / (\d+) mA = (\d+) Ω: (\d+) Ω"  # noqa: RUF001
    rows = [tuple(map(float, row)) for row in re.findall(least, PAGE)]

    assert len(rows) == 3
    for supply_v, saturated_v, forward_v, current_ma, least_ohm, ohm in rows:
        wanted_ohm = (supply_v - saturated_v - forward_v) / current_ma * 1000
        assert round(wanted_ohm) == least_ohm
        assert min(step for step in E12 if step >= wanted_ohm) == ohm


def test_no_default_pin_is_taken() -> None:
    """GNSS, gauge, clock, charger, a HAT's ID and sound have their pins."""
    pins = list(DRIVEN.values())

    assert not {*pins} & {*BUILD_PINS, *FREE}
    assert len({*pins}) == len(pins)


def test_table_of_taken_pins_is_that_of_the_page() -> None:
    """The page's config.txt and its table of wires take the pins of BUILD_PINS, and no others."""
    lines = PAGE.partition("In `/boot/firmware/config.txt`:\n")[2].split("```")[1]
    parts = "GNSS receiver|gauge, clock|external power|power off"
    rows = re.findall(rf"^\| (?:{parts}) \| ([\d, ]+) \|", PAGE, re.MULTILINE)
    wired = {int(pin) for pins in rows for pin in pins.split(", ")}

    assert {claim.pin for claim in claims(lines)} == set(BUILD_PINS)
    assert unknown_overlays(lines) == []
    assert wired == set(BUILD_PINS)
