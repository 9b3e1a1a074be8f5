"""The pins that a Raspberry Pi's config.txt gives to drivers of the kernel; pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONFIG: Final = Path("/boot/firmware/config.txt")
"""Its path on Raspberry Pi OS. Source: Raspberry Pi documentation, "config.txt"."""

BUILD_PINS: Final[Mapping[int, str]] = {
    2: "I2C: fuel gauge and clock",
    3: "I2C: fuel gauge and clock",
    14: "UART: GNSS receiver",
    15: "UART: GNSS receiver",
    23: "external power",
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

_DEFAULTS: Final[Mapping[str, tuple[int, ...]]] = {
    "gpio-poweroff": (26,),
    "gpio-shutdown": (3,),
    "gpio-charger": (4,),
}
"""Pins of overlays whose line names none. Source: Raspberry Pi kernel, the overlays' README."""

_PIN_PARAMETER: Final = re.compile(r"gpio|gpiopin|\w*_pin|i2c_gpio_(sda|scl)")
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

    An overlay may take more pins than its line names.
    """
    found: dict[str, list[Claim]] = {}  # by taker: a later line about the same one replaces it
    overlay = ""
    for place, key, parameters in _settings(text):
        if key == "dtoverlay":
            name = next(iter(parameters), "")
            overlay = f"{name} {place[1]}"
            pins = _pins(parameters) or _DEFAULTS.get(name, ())
            found[overlay] = [Claim(pin, *place) for pin in pins]
        elif pins := _pins(parameters):
            found[overlay] = [Claim(pin, *place) for pin in pins]
        for name in parameters if key != "dtoverlay" else ():
            pins = () if parameters[name] in _OFF else _BUSES.get(name, ())
            found[f"{name} {place[2]}"] = [Claim(pin, *place) for pin in pins]
    return sorted(
        (claim for taken in found.values() for claim in taken),
        key=lambda claim: (claim.number, claim.pin),
    )


def includes(text: str) -> list[int]:
    """Return the numbers of the lines that include another file."""
    lines = enumerate(text.splitlines(), start=1)
    return [number for number, line in lines if re.match(r"\s*include\s", line)]


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
            parameters = dict(map(_parameter, re.split("[,:]", words)))
            yield (line, number, section), key, parameters


def _parameter(word: str) -> tuple[str, str]:
    """Return name and value, both without what follows a blank; a name alone is on."""
    name, is_set, value = ((*part.split(), "")[0] for part in word.partition("="))
    return name, value.lower() if is_set else "on"


def _pins(parameters: Mapping[str, str]) -> tuple[int, ...]:
    return tuple(
        int(value)
        for name, value in parameters.items()
        if _PIN_PARAMETER.fullmatch(name)
        and re.fullmatch("[0-9]{1,2}", value)
        and int(value) <= _LAST_PIN
    )
