"""What is connected to which pin, with the values of each resistor, reckoned; no drawing."""

from dataclasses import dataclass
from typing import Final

from hardware.firmware import BUILD_PINS
from hardware.settings import (
    ButtonSettings,
    IndicatorSettings,
    LampSettings,
)

POSITIONS: Final = (
    (None, 2, 3, 4, None, 17, 27, 22, None, 10, 9, 11, None, 0, 5, 6, 13, 19, 26, None),
    (None, None, None, 14, 15, 18, None, 23, 24, None, 25, 8, 7, 1, None, 12, None, 16, 20, 21),
)
"""BCM numbers down the odd side of the 40-pin header, and down the even side.

Source: Raspberry Pi documentation, "GPIO and the 40-pin header".
"""

HEADER: Final = {
    pin: 2 * row + side
    for side, column in enumerate(POSITIONS, start=1)
    for row, pin in enumerate(column)
    if pin is not None
}
"""BCM number to position."""

SUPPLY: Final = {1: "3.3 V", 2: "5 V", 4: "5 V", 17: "3.3 V"}
GROUND: Final = frozenset({6, 9, 14, 20, 25, 30, 34, 39})
"""The other positions, from the same source."""

TAKEN: Final = {
    **BUILD_PINS,
    0: "ID of a HAT",
    1: "ID of a HAT",
    18: "I2S",
    19: "I2S",
    20: "I2S",
    21: "I2S",
}
"""What the build of hardware/README.md has for another use, or leaves free for sound by I2S."""

SUPPLY_V: Final = 5.1
"""What the UPS board gives. Source: Geekworm X728 hardware page, "UPS power output"."""

SATURATED_V: Final = 0.2
"""A BC337's collector, switched on. Source: onsemi BC337/D, Figure 5, at 20 to 100 mA."""

E12: Final = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
"""Steps of resistors that every shop has, in each decade. Source: IEC 60063."""

DECADES: Final = (1, 10, 100, 1_000)

BASE_OHM: Final = 1_000
"""Before each base: (3.3 - 0.7) V / 1 kOhm = 2.6 mA.

Below the 4 mA that a pin of the BCM2711 gives by default, and at a gain of 250, the least of a
BC337-40 (onsemi BC337/D, "DC Current Gain"), enough for 650 mA.
"""

PULL_UP_OHM: Final = 10_000
"""Beside each button: 3.3 V / 10 kOhm = 0.33 mA through the contact.

The board's own pull-up, 33 to 73 kOhm, gives 0.05 to 0.10 mA, and gold contacts want 0.1 mA
(NKK series M2, "Logic Level").
"""


def series_ohm(forward_v: float, current_a: float) -> int:
    """Return the E12 resistor, ohms, that leaves a light at most `current_a`.

    R >= (SUPPLY_V - SATURATED_V - forward_v) / current_a; `forward_v` is the least of its kind,
    so that no specimen gets more.
    """
    least = (SUPPLY_V - SATURATED_V - forward_v) / current_a
    return min(ohm for decade in DECADES for step in E12 if (ohm := step * decade) >= least)


RED_OHM: Final = series_ohm(1.8, 0.020)
GREEN_OHM: Final = series_ohm(2.8, 0.020)
BLUE_OHM: Final = GREEN_OHM
"""20 mA is the most for 5 mm RGB LEDs, 1.8 and 2.8 V the least that their sheets name."""

LAMP_OHM: Final = series_ohm(2.8, 0.025)
"""25 mA is the most for the lamp's white LEDs (Cree CLD-CT208, "Absolute Maximum Ratings")."""

LAMP_LEDS: Final = 4
"""They light 14 lx at 1 m: 4 of 4 cd at 20 mA (typical in the same sheet), at 17 mA."""


@dataclass(frozen=True, slots=True)
class Switched:
    """A load between 5 V and the collector of a BC337-40, whose base `pin` drives through BASE_OHM.

    `colour` is a CSS colour for a light, None for a sounder; `count` loads are side by side.
    """

    name: str
    pin: int
    colour: str | None
    ohm: int | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Button:
    """A contact from `pin` to ground."""

    name: str
    pin: int


@dataclass(frozen=True, slots=True)
class Wired:
    """A module with lines of its own: its terminal, and where that goes on the header."""

    name: str
    lines: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


Part = Switched | Button | Wired


def parts() -> list[Part]:
    """Everything on the header, with the pins that the settings have by default."""
    buttons = ButtonSettings("gpio")
    lights = IndicatorSettings("gpio")
    lamp = LampSettings("gpio")
    return [
        Wired(
            "UPS board: gauge and clock",
            (("SDA", HEADER[2]), ("SCL", HEADER[3])),
            ("fuel gauge at 0x36", "clock at 0x68"),
        ),
        Button("Photo button", buttons.photo_pin),
        Button("Scan button", buttons.scan_pin),
        Switched("Lamp, white", lamp.pin, "#fff3b0", LAMP_OHM, LAMP_LEDS),
        Switched("LED, red", lights.red_pin, "#e5484d", RED_OHM),
        Switched("LED, green", lights.green_pin, "#30a46c", GREEN_OHM),
        Switched("LED, blue", lights.blue_pin, "#3b82f6", BLUE_OHM),
        Wired(
            "UPS board: power off",
            (("header 37", HEADER[26]),),
            ("cuts the 5.1 V", "after a shutdown"),
        ),
        Wired(
            "UPS board: 5.1 V",
            (("XH2.54 +", 2), ("XH2.54 +", 4), ("XH2.54 −", 6)),  # noqa: RUF001 - a minus sign
            ("two 18650 cells,", "a switch in the + lead"),
        ),
        Wired(
            "GNSS receiver SAM-M8Q",
            (("RX", HEADER[14]), ("TX", HEADER[15])),
            ("3.3 V from position 17,", "ground to any"),
        ),
        Wired(
            "UPS board: external power",
            (("header 31", HEADER[23]),),
            ("low: charger is in", "high: on battery"),
        ),
        Switched("Buzzer, passive", lights.buzzer_pin, None, None),
    ]
