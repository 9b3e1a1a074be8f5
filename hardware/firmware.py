"""The pins that a Raspberry Pi's config.txt gives to drivers of the kernel; pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONFIG: Final = Path("/boot/firmware/config.txt")
"""Its path on Raspberry Pi OS. Source: Raspberry Pi documentation, "config.txt"."""

BUILD_PINS: Final[Mapping[int, str]] = {
    2: "I2C: gauge, clock and sensors",
    3: "I2C: gauge, clock and sensors",
    4: "interrupt of the accelerometer",
    14: "UART: GNSS receiver",
    15: "UART: GNSS receiver",
    23: "external power",
    25: "the driver's switch",
    26: "power off",
}
"""Pins that config.txt of the recommended build takes, and what for.

A test compares them with that file in hardware/README.md.
"""

_BUSES: Final[Mapping[str, tuple[int, ...]]] = {
    "i2c": (2, 3),
    "i2c_arm": (2, 3),
    "i2c1": (2, 3),
    "spi": (7, 8, 9, 10, 11),
    "i2s": (18, 19, 20, 21),
    "enable_uart": (14, 15),
}
"""Pins that these settings take on a board with 40 pins, if they are on.

Source: Raspberry Pi documentation, "GPIO and the 40-pin header" and "config.txt".
"""

_DEFAULTS: Final[Mapping[str, str]] = {
    "dht11": "gpiopin=4",
    "gpio-charger": "gpio=4",
    "gpio-fan": "gpiopin=12",
    "gpio-hog": "gpio=26",
    "gpio-ir": "gpio_pin=18",
    "gpio-ir-tx": "gpio_pin=18",
    "gpio-key": "gpio=3",
    "gpio-led": "gpio=19",
    "gpio-poweroff": "gpiopin=26",
    "gpio-shutdown": "gpio_pin=3",
    "i2c-gpio": "i2c_gpio_sda=23,i2c_gpio_scl=24",
    "pps-gpio": "gpiopin=18",
    "pwm": "pin=18",
    "pwm-2chan": "pin=18,pin2=19",
    "pwm-ir-tx": "gpio_pin=18",
    "rotary-encoder": "pin_a=4,pin_b=17",
    "w1-gpio": "gpiopin=4",
}
"""Overlays with all their pins, and the pins they take if their line does not name others.

Source: Raspberry Pi kernel, arch/arm/boot/dts/overlays/README.
"""

_SENSORS_WITH_A_PIN: Final = frozenset({"max30102", "mpu6050", "mpu9250"})
"""Sensors of the overlay i2c-sensor that take a pin for interrupts, by its parameter int_pin.

Without it they take pin 4. Source: the same README, and i2c-sensor-common.dtsi beside it.
"""

_WITHOUT_PINS: Final = re.compile(
    r"|vc4-f?kms-v3d(-pi[45])?|dwc2|nospi10|disable-(bt|wifi)|miniuart-bt"
    r"|i2c-(rtc|sensor)|(imx|ov)[0-9]+"
)
"""Overlays that take no pin, or only those of I2C and UART.

Those two buses have their pins in the recommended build: see `BUILD_PINS`.
The empty name ends the parameters of the overlay before it.
Source: the same README, and the config.txt of Raspberry Pi OS (RPi-Distro/pi-gen, 2026-06).
"""

_PIN_PARAMETER: Final = re.compile(
    r"[\w-]*(gpio|pin)|pin2|pin_(?!func)\w+|interrupt|i2c_gpio_(sda|scl)"
)
"""Parameters of overlays that are pins, by the same README. Other names may be pins as well."""

_OFF: Final = frozenset({"off", "no", "n", "false", "0"})

_LAST_PIN: Final = 27


@dataclass(frozen=True, slots=True)
class Claim:
    """A pin that a line of config.txt takes.

    Attributes:
        line: as it is in the file, without blanks around it.
        number: of that line, from 1.
        section: the condition above it, such as "[pi4]"; empty if the line always counts.
    """

    pin: int
    line: str
    number: int
    section: str


_Place = tuple[str, int, str]
"""Line, number and section of a claim."""


def claims(text: str) -> list[Claim]:
    """Return the pins that lines of a config.txt are known to take, in the order of the lines.

    An overlay may take more pins than its line names: see `unknown_overlays`.
    """
    found: dict[str, list[Claim]] = {}  # by taker: a later line about the same one replaces it
    overlay = ""
    for place, key, named in _settings(text):
        parameters = named
        if key == "dtoverlay":
            name = next(iter(named))
            overlay = f"{name} {place[1]}"
            parameters = _parameters(_defaults(name, named)) | named
        else:
            for name in named:
                pins = () if named[name] in _OFF else _BUSES.get(name, ())
                found[f"{name} {place[2]}"] = [Claim(pin, *place) for pin in pins]
        for name in filter(_PIN_PARAMETER.fullmatch, parameters):
            found[f"{overlay} {name}"] = [Claim(pin, *place) for pin in _pin(parameters[name])]
    return sorted(
        (claim for taken in found.values() for claim in taken),
        key=lambda claim: (claim.number, claim.pin),
    )


def unknown_overlays(text: str) -> list[tuple[str, int]]:
    """Return line and number of each overlay that may take pins which `claims` does not know."""
    return [
        place[:2]
        for place, key, parameters in _settings(text)
        if key == "dtoverlay"
        and (name := next(iter(parameters))) not in _DEFAULTS
        and not _WITHOUT_PINS.fullmatch(name)
    ]


def includes(text: str) -> list[int]:
    """Return the numbers of the lines that include another file."""
    lines = enumerate(text.splitlines(), start=1)
    return [number for number, line in lines if re.match(r"\s*include\s", line)]


def _defaults(name: str, named: Mapping[str, str]) -> str:
    if name == "i2c-sensor" and not _SENSORS_WITH_A_PIN.isdisjoint(named):
        return "int_pin=4"
    return _DEFAULTS.get(name, "")


def _settings(text: str) -> Iterator[tuple[_Place, str, dict[str, str]]]:
    """Yield the lines about pins: their place, their key, and their parameters with values."""
    section = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith("["):
            section = "" if line.lower().startswith("[all]") else line
        key, _, value = (part.strip() for part in line.partition("="))
        words = {"dtoverlay": value, "dtparam": value, "enable_uart": line}.get(key)
        if words is not None and section.lower() != "[none]":
            yield (line, number, section), key, _parameters(words)


def _parameters(words: str) -> dict[str, str]:
    return dict(map(_parameter, re.split("[,:]", words)))


def _parameter(word: str) -> tuple[str, str]:
    """Return name and value, both without what follows a blank; a name alone is on."""
    name, is_set, value = ((*part.split(), "")[0] for part in word.partition("="))
    return name, value.lower() if is_set else "on"


def _pin(value: str) -> tuple[int, ...]:
    """Return the pin, or nothing if `value` is no pin of the header."""
    is_pin = re.fullmatch("[0-9]{1,2}", value) and int(value) <= _LAST_PIN
    return (int(value),) if is_pin else ()
