"""The wiring in hardware/README.md and its diagram are those of the default pins."""

import re
from xml.etree import ElementTree as ET

import pytest

from hardware.firmware import BUILD_PINS, claims, unknown_overlays
from tests.unit.documents.pages import REPOSITORY
from tests.unit.documents.wiring.circuit import (
    GROUND,
    HEADER,
    SUPPLY,
    TAKEN,
    Button,
    Switched,
    Wired,
    parts,
    series_ohm,
)
from tests.unit.documents.wiring.diagram import svg

DIAGRAM = REPOSITORY / "hardware/wiring.svg"

PAGE = (REPOSITORY / "hardware/README.md").read_text()

DRIVEN = [part for part in parts() if not isinstance(part, Wired)]


def test_the_diagram_shows_the_default_pins() -> None:
    """After a pin changed: python -m tests.unit.documents.wiring > hardware/wiring.svg"""
    assert DIAGRAM.read_text() == svg()


def test_the_diagram_is_svg_that_asks_for_nothing_from_elsewhere() -> None:
    """Pages show it as a picture: scripts and files of others would be left out."""
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg()).iter()}

    assert tags <= {"svg", "rect", "text", "circle", "polyline", "polygon", "path"}


def test_the_page_wires_the_default_pins() -> None:
    rows = dict(re.findall(r"^\| ([\w ,]+?) \| (\d[\d, ]*) \|", PAGE, re.MULTILINE))

    assert rows["photo button"] == str(_pin("Photo button"))
    assert rows["scan button"] == str(_pin("Scan button"))
    assert rows["RGB LED red, green, blue"] == ", ".join(
        str(_pin(f"LED, {colour}")) for colour in ("red", "green", "blue")
    )
    assert rows["buzzer, passive"] == str(_pin("Buzzer, passive"))
    assert rows["white lamp"] == str(_pin("Lamp, white"))


def test_the_page_has_each_resistor_of_the_diagram() -> None:
    drawn = set(re.findall(r">(\d+ k?Ω)<", svg()))

    assert len(drawn) == 5
    assert [value for value in drawn if value not in PAGE] == []


def test_no_default_pin_is_taken() -> None:
    """GNSS, gauge, clock, charger, a HAT's ID and sound have their pins."""
    assert {part.name: part.pin for part in DRIVEN if part.pin in TAKEN} == {}
    assert len({part.pin for part in DRIVEN}) == len(DRIVEN)


def test_table_of_taken_pins_is_that_of_the_page() -> None:
    """The page's config.txt and its table of wires take the pins of BUILD_PINS, and no others."""
    lines = PAGE.partition("In `/boot/firmware/config.txt`:\n")[2].split("```")[1]
    parts = "GNSS receiver|gauge, clock|external power|power off"
    rows = re.findall(rf"^\| (?:{parts}) \| ([\d, ]+) \|", PAGE, re.MULTILINE)
    wired = {int(pin) for pins in rows for pin in pins.split(", ")}

    assert {claim.pin for claim in claims(lines)} == set(BUILD_PINS)
    assert unknown_overlays(lines) == []
    assert wired == set(BUILD_PINS)


def test_each_position_of_the_header_is_one_thing() -> None:
    assert sorted([*HEADER.values(), *SUPPLY, *GROUND]) == list(range(1, 41))


@pytest.mark.parametrize(
    ("forward_v", "current_a", "ohm"),
    [(1.8, 0.020, 180), (2.8, 0.020, 120), (2.8, 0.025, 100), (4.8, 0.010, 10)],
)
def test_a_light_gets_at_most_its_current(forward_v: float, current_a: float, ohm: int) -> None:
    """(5.1 - 0.2 - 1.8) V / 20 mA = 155 Ω, so 180 Ω of the steps that there are."""
    assert series_ohm(forward_v, current_a) == ohm


def _pin(name: str) -> int:
    found = {part.name: part for part in DRIVEN}[name]
    assert isinstance(found, Button | Switched)
    return found.pin
