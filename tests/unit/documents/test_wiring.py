"""The build's table has the product's pins, and hardware/README.md and its diagram are right."""

import tomllib
from itertools import combinations, pairwise
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from hardware.firmware import BUILD_PINS, claims, unknown_overlays
from hardware.settings import ButtonSettings, IndicatorSettings, LampSettings
from tests.unit.documents import build, diagram
from tests.unit.documents.pages import REPOSITORY

PAGE: Final = (REPOSITORY / "hardware/README.md").read_text()

DRAWING: Final = ET.fromstring(diagram.drawing())

EXAMPLE: Final = tomllib.loads((REPOSITORY / "systemd/config.toml").read_text())

FREE: Final = frozenset({0, 1, 18, 19, 20, 21})
"""Pins that the page leaves to the ID of a HAT and to sound by I2S."""

BUTTONS: Final = ButtonSettings("gpio")
LIGHTS: Final = IndicatorSettings("gpio")

DRIVEN: Final = {
    "Photo button": BUTTONS.photo_pin,
    "Scan button": BUTTONS.scan_pin,
    "LED, red": LIGHTS.red_pin,
    "LED, green": LIGHTS.green_pin,
    "LED, blue": LIGHTS.blue_pin,
    "Lamp, white": LampSettings("gpio").pin,
    "Buzzer, passive": LIGHTS.buzzer_pin,
    "Vibration motor": EXAMPLE["indicator"]["vibration_pin"],
}
"""The pin of each part that the device's own process drives; the motor's is the example's."""

Points = list[tuple[float, float]]


def wires() -> list[Points]:
    """Return the corners of each wire from the header to a card."""
    found = [
        [(float(x), float(y)) for x, y in (point.split(",") for point in points.split())]
        for element in DRAWING
        if (points := element.attrib.get("points", "")) and element.tag.endswith("polyline")
    ]
    return [wire for wire in found if len(wire) == 4 and wire[0][0] in {480, 720}]


def touch(one: Points, other: Points) -> bool:
    """Say if two wires touch: if a piece of one and a piece of the other share a point."""
    return any(
        all(
            max(min(a[axis], b[axis]), min(c[axis], d[axis]))
            <= min(max(a[axis], b[axis]), max(c[axis], d[axis]))
            for axis in (0, 1)
        )
        for a, b in pairwise(one)
        for c, d in pairwise(other)
    )


def test_the_table_has_the_default_pin_of_each_driven_part() -> None:
    assert {name: build.PARTS[name].pins for name in DRIVEN} == {
        name: (pin,) for name, pin in DRIVEN.items()
    }


def test_the_other_pins_of_the_table_are_those_of_the_firmware() -> None:
    """The page's config.txt takes the pins of BUILD_PINS, and no others."""
    lines = PAGE.partition("In `/boot/firmware/config.txt`:\n")[2].split("```")[1]
    others = {pin for name in build.PARTS.keys() - DRIVEN for pin in build.PARTS[name].pins}

    assert others == set(BUILD_PINS)
    assert {claim.pin for claim in claims(lines)} == set(BUILD_PINS)
    assert unknown_overlays(lines) == []


def test_the_firmware_pulls_up_the_pin_of_the_external_power() -> None:
    """Without this line the pin always reads "a supply is connected".

    The overlay's own pull-up never acts, because it has no name.
    Source: Raspberry Pi kernel, gpio-charger-overlay.dts: pinctrl-0 without pinctrl-names.
    """
    (pin,) = build.PARTS["Charger: PGOOD"].pins

    assert f"\ngpio={pin}=ip,pu\ndtoverlay=gpio-charger,gpio={pin},active_low=1," in PAGE


def test_no_driven_pin_is_taken() -> None:
    """Receiver, sensors, power, a HAT's ID and sound have their pins."""
    pins = list(DRIVEN.values())

    assert not {*pins} & {*BUILD_PINS, *FREE}
    assert len({*pins}) == len(pins)


@pytest.mark.parametrize("name", build.LIGHTS)
def test_a_light_gets_at_most_its_current(name: str) -> None:
    """Its resistor is the least one of E12 that keeps each specimen below the limit."""
    light = build.LIGHTS[name]
    lesser = max(ohm for ohm in build.E12 if ohm < light.ohm)
    over_v = build.RAIL_V - build.SATURATED_V - light.least_v

    assert over_v / light.ohm * 1000 <= light.limit_ma < over_v / lesser * 1000


def test_a_pressed_button_reads_as_low() -> None:
    """0.9 V is the most. Source: Raspberry Pi documentation, "GPIO", "Voltage specifications"."""
    pressed_v = build.BUTTON_MA / 1000 * build.BUTTON_OHM

    assert pressed_v < 0.9
    assert f"A pressed button is at {pressed_v:.1f} V" in PAGE
    assert f"{build.BUTTON_OHM * build.BUTTON_NF * 1e-6:.1f} ms" in PAGE


def test_the_pins_and_the_converter_give_what_the_parts_take() -> None:
    """All transistors may be on at once; sound, vibration and light never with the lamp."""
    pins_ma = build.PIN_MA * len(build.TRANSISTORS)
    at_once = ("Buzzer, passive", "Vibration motor", "LED, red", "LED, green", "LED, blue")
    parts_ma = sum(build.PARTS[name].most_ma for name in at_once)
    most_ma, better_ma = build.CONVERTER_MA[3.0], build.CONVERTER_MA[3.5]

    assert f"takes {build.PIN_MA:.1f} mA from its pin, {pins_ma:.0f} mA in all" in PAGE
    assert pins_ma < 50
    assert f"at most {round(parts_ma, -1):.0f} mA at once" in PAGE
    assert f"{most_ma} mA at 3.0 V of the pack and {better_ma:,} mA at 3.5 V" in PAGE
    assert f"so {round(most_ma - parts_ma - 20, -1):.0f} mA are left" in PAGE


def test_the_charger_pauses_at_the_temperatures_of_the_page() -> None:
    """The data sheet has 0 and 50 °C for its thermistor, whose B is 3435."""
    low_c, high_c = build.pauses_c(3950)
    least_c, most_c = (build.celsius(ohm, 3950) for ohm in build.HOT_OHM_SPAN)

    assert f"B = 3950 it pauses below {low_c:.0f} and above {high_c:.0f} °C" in PAGE
    assert f"({least_c:.0f} to {most_c:.0f} °C by the chip's tolerances)" in PAGE
    assert build.pauses_c(3435) == pytest.approx((0, 50), abs=1)


def test_the_header_of_the_diagram_has_each_pin_once() -> None:
    names = diagram.names()

    assert sorted(pin for pin in diagram.HEADER if pin is not None) == list(range(28))
    assert len(names) == 40
    assert [names.count(supply) for supply in ("3.3 V", "5 V", "ground")] == [2, 2, 8]


def test_each_part_is_in_the_diagram() -> None:
    positions = {position for card in diagram.cards() for position in card.positions}
    pins = {diagram.HEADER[position] for position in positions}
    unwired = 4

    assert pins - {None} == {p for part in build.PARTS.values() for p in part.pins} - {unwired}


def test_no_two_wires_of_the_diagram_touch() -> None:
    found = wires()

    assert len(found) == sum(len(card.positions) for card in diagram.cards())
    assert [pair for pair in combinations(found, 2) if touch(*pair)] == []


def test_the_diagram_is_svg_that_asks_for_nothing_from_elsewhere() -> None:
    """Pages show it as a picture: scripts and files of others would be left out."""
    tags = {element.tag.rpartition("}")[2] for element in DRAWING.iter()}

    assert tags <= {"svg", "rect", "text", "circle", "polyline", "polygon"}


def test_the_page_has_each_resistor_of_the_table() -> None:
    base = f"base through {build.ohms(build.BASE_OHM)} to the pin"
    off = f"through {build.ohms(build.BASE_EMITTER_OHM)} to ground"

    assert f"{base} and {off}" in PAGE
    assert f'ATTR{{shunt_resistor}}="{build.SHUNT_OHM * 1e6:.0f}"' in PAGE
