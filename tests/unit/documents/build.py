"""The recommended build: the one table of its pins, resistors and currents, with their sources.

The tables and the diagram of hardware/README.md are made from it, tests compare the product's pins
with it, and tests/bench/energy takes the currents. None of them was measured on a device.

A pin's default is in `hardware/settings.py`. If `config.txt` gives the pin to a driver of the
kernel, add it to `BUILD_PINS` in `hardware/firmware.py`. Add a part to `PARTS` here, to "Parts" in
hardware/README.md, and as a card to `diagram.py`; then generate, and look at the drawing.

Sources of the other figures of that page:

- Board: Raspberry Pi documentation, "Power supply" (16 and 50 mA, no under-voltage detector on a
  Zero) and "GPIO", "Voltage specifications" (0.9 V). Pulls at power-on: BCM2835 ARM Peripherals,
  "Alternative function assignments". Overlays: Raspberry Pi kernel, overlays' README,
  gpio-charger-overlay.dts; drivers: its `bcm2711_defconfig`; 96 MB: picamera2 #1358.
- Camera: Raspberry Pi documentation, "Camera", "Hardware specification".
- Charger: Texas Instruments SLUS810, "Electrical characteristics"; Adafruit's guide of product
  4755, "Pinouts".
- Power switch: SparkFun, repository SparkFun_Soft_Power_Switch_Mk2.
- Cells: Samsung SDI, INR18650-35E, "Nominal specifications". Clock: Core Electronics' guide of
  the Makerverse RV-3028.
- Buttons: APEM IR series, "General specification"; 0.1 mA at least for gold contacts: NKK series
  M2, "Logic level".
- Suppressors: Littelfuse SA series (IEC 61000-4-2; leakage by type).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Final

RAIL_V: Final = 5.2
"""Output of the converter. Source: Adafruit, README of Adafruit-TPS61023-PCB (product 4654).

Its schematic has 732 and 100 kΩ, which give 5.0 V by TI SLVSF14: currents are then lower.
"""

LOGIC_V: Final = 3.3
"""The board's own supply, for pins, sensors and receiver."""

PACK_V: Final = 3.6
"""Nominal. Source: Samsung SDI, INR18650-35E, nominal specifications."""

SATURATED_V: Final = 0.2
BASE_V: Final = 0.7
"""Between collector and emitter, base and emitter. Source: onsemi BC337/D, figure 5."""

E12: Final = tuple(
    step * decade
    for decade in (1, 10, 100)
    for step in (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
)
"""Ohms of resistors that every shop has. Source: IEC 60063."""

BASE_OHM: Final = 1_000
BASE_EMITTER_OHM: Final = 10_000
"""The second keeps a transistor off while its pin is no output yet, or its wire is broken."""

BUTTON_OHM: Final = 1_000
PULL_UP_OHM: Final = 10_000
BUTTON_NF: Final = 100
"""Parts of a button: in series, to 3.3 V, and from the pin to ground."""

PGOOD_OHM: Final = 10_000
OFF_OHM: Final = 1_000
"""In series with a wire to the power boards, which have other supplies than the pins."""

SHUNT_OHM: Final = 0.05
"""Shunt of the current sensor: two of 0.1 Ω side by side."""

PIN_PULL_OHM: Final = 50_000
"""Least pull-up of a pin. Source: Raspberry Pi documentation, "GPIO", BCM2837-based products."""


@dataclass(frozen=True, slots=True)
class Light:
    """A diode that gives light: its voltage, the most current it may get, and how many there are.

    Source: the span of four sellers' sheets; Cree CLD-CT208 for the lamp, whose 2.8 V are assumed.
    """

    least_v: float
    most_v: float
    limit_ma: float
    count: int = 1

    @property
    def least_ohm(self) -> float:
        """The resistor with which a specimen of the least voltage gets `limit_ma`."""
        return (RAIL_V - SATURATED_V - self.least_v) / self.limit_ma * 1000

    @property
    def ohm(self) -> int:
        """The next greater value of E12."""
        return min(ohm for ohm in E12 if ohm >= self.least_ohm)

    @property
    def most_ma(self) -> float:
        """The current of a specimen of the least voltage."""
        return (RAIL_V - SATURATED_V - self.least_v) / self.ohm * 1000

    @property
    def least_ma(self) -> float:
        """The current of a specimen of the greatest voltage."""
        return (RAIL_V - SATURATED_V - self.most_v) / self.ohm * 1000


LIGHTS: Final = {
    "LED, red": Light(1.8, 2.4, 20),
    "LED, green": Light(2.8, 3.5, 20),
    "LED, blue": Light(2.8, 3.5, 20),
    "Lamp, white": Light(2.8, 4.0, 25, count=4),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part with wires to the board's pins.

    Attributes:
        pins: BCM numbers.
        wire: the rest of its connection.
        volt: the supply of its currents.
        road_ma: mean current of a shift, low and high, without what it takes only at presses.
        most_ma: the most that it takes.
        source: of the currents, if they are not calculated from the values above.
    """

    pins: tuple[int, ...]
    wire: str
    volt: float = RAIL_V
    road_ma: tuple[float, float] = (0, 0)
    most_ma: float = 0
    source: str = ""


def ohms(value: float) -> str:
    """Return a resistance as people write it."""
    return f"{value:g} Ω" if value < 1000 else f"{value / 1000:g} kΩ"


BUTTON_MA: Final = LOGIC_V / (BUTTON_OHM + 1 / (1 / PULL_UP_OHM + 1 / PIN_PULL_OHM)) * 1000
"""Through the contact of a pressed button."""

_BUTTON: Final = (
    f"to ground, a suppressor across it; {ohms(BUTTON_OHM)} in series; "
    f"at the pin {ohms(PULL_UP_OHM)} to 3.3 V, {BUTTON_NF} nF to ground"
)
_I2C: Final = "SDA to 2, SCL to 3; address {}"


def _light(name: str, pin: int) -> Part:
    light = LIGHTS[name]
    each = "each of the four" if light.count > 1 else "common anode to 5.2 V; the cathode"
    wire = f"{each} through {ohms(light.ohm)} to a transistor"
    return Part((pin,), wire, most_ma=light.count * light.most_ma)


PARTS: Final = {
    "Photo button": Part((17,), _BUTTON, LOGIC_V, most_ma=BUTTON_MA),
    "Scan button": Part((27,), "the same", LOGIC_V, most_ma=BUTTON_MA),
    "LED, red": _light("LED, red", 5),
    "LED, green": _light("LED, green", 6),
    "LED, blue": _light("LED, blue", 13),
    "Lamp, white": _light("Lamp, white", 22),
    "Buzzer, passive": Part(
        (12,),
        "between 5.2 V and a transistor, a diode across it",
        most_ma=(RAIL_V - SATURATED_V) / 40 * 1000,
        source="CUI CD-1206 data sheet, 47 ± 7 Ω",
    ),
    "Vibration motor": Part(
        (24,),
        "as the buzzer; set `vibration_pin = 24`",
        most_ma=100,
        source="Adafruit's page of product 1201, at 5 V",
    ),
    "GNSS receiver": Part(
        (14, 15),
        "its RXD to 14, its TXD to 15; gpsd reads it",
        LOGIC_V,
        road_ma=(12.3, 15.3),
        most_ma=100,
        source="u-blox UBX-22013293 R03, table 13: tracking, acquisition; page 13: inrush",
    ),
    "Fuel gauge": Part(
        (2, 3),
        f"{_I2C.format('0x36')}; its cell input behind the hard switch",
        PACK_V,
        road_ma=(0.023, 0.023),
        most_ma=0.023,
        source="Maxim 19-6171, MAX17048, active",
    ),
    "Clock": Part(
        (2, 3),
        _I2C.format("0x52"),
        LOGIC_V,
        most_ma=0.04,
        source="SparkFun, gator:RTC guide, RV-3028, I2C active",
    ),
    "Current sensor": Part(
        (2, 3),
        f"{_I2C.format('0x40')}; its shunt of {ohms(SHUNT_OHM)} in the 5.2 V lead, VBUS to IN-",
        LOGIC_V,
        road_ma=(0.33, 0.42),
        most_ma=0.42,
        source="TI SBOS547, INA226, quiescent current",
    ),
    "Accelerometer": Part(
        (2, 3, 4),
        f"{_I2C.format('0x69')}: AD0 to 3.3 V; 4 stays without a wire",
        LOGIC_V,
        road_ma=(0.5, 0.5),
        most_ma=3.9,
        source="InvenSense PS-MPU-6000A: accelerometer alone; all sensors",
    ),
    "Charger: PGOOD": Part((23,), f"through {ohms(PGOOD_OHM)}; low: a supply is connected"),
    "Power switch: PUSH": Part((25,), "low: the driver presses the switch"),
    "Power switch: OFF": Part((26,), f"through {ohms(OFF_OHM)}; high: the system is off"),
}
"""By the name in the tables and in the diagram."""

TRANSISTORS: Final = (*LIGHTS, "Buzzer, passive", "Vibration motor")
"""Parts that a transistor switches."""

PIN_MA: Final = (LOGIC_V - BASE_V) / BASE_OHM * 1000
"""From the pin of one: a fortieth flows past its base, the rest into it."""

PACK_WH: Final = 2 * 3.35 * PACK_V
"""Two cells at 0.2 C. Source: Samsung SDI, INR18650-35E, nominal specifications."""

EFFICIENCY: Final = (0.85, 0.87)
"""From the pack to the current sensor, low and high, up to 500 mA.

The converter gives 88 % at 3.7 V (its README). Leads, fuse and transistors before it have 50 to
150 mΩ, an estimate: 1 to 3 % at 0.4 A.
"""

RESERVE_PCT: Final = 5
"""The charge at which the device shuts down. Source: agent/capture/battery.py."""

CONVERTER_MA: Final = {3.0: 800, 3.5: 1_100, 4.0: 1_400}
"""Most output by the voltage of the pack. Source: Adafruit, README of Adafruit-TPS61023-PCB."""

HOT_OHM: Final = 0.3 / 75e-6
COLD_OHM: Final = 2.1 / 75e-6
HOT_OHM_SPAN: Final = (0.33 / 72e-6, 0.27 / 78e-6)
"""Thermistor at which the charger pauses, and the tolerance of the first.

Source: TI SLUS810, V_HOT, V_COLD and I_NTC.
"""

CHARGE_MA: Final = 1_000
INPUT_MA: Final = 1_500
"""Into the pack, by a jumper; from the supply at 5 V. Source: Adafruit 4755; TI SLUS810."""

OFF_UA: Final = (7, 31)
"""From the pack while the device is off: gauge, charger, power switch.

3 or 23 µA, 4.3 to 6.5 µA (TI SLUS810, I_BAT(PDWN)), less than 1 µA.
"""


def usable_wh() -> float:
    """Return what the current sensor counts from a new, full pack to the shutdown."""
    return PACK_WH * EFFICIENCY[0] * (100 - RESERVE_PCT) / 100


def pauses_c(beta_k: float) -> tuple[float, float]:
    """Return the temperatures below and above which a thermistor of 10 kΩ stops the charge."""
    return celsius(COLD_OHM, beta_k), celsius(HOT_OHM, beta_k)


def celsius(ohm: float, beta_k: float) -> float:
    """Return the temperature of a thermistor of 10 kΩ."""
    return 1 / (1 / 298.15 + log(ohm / 10_000) / beta_k) - 273.15


def wiring() -> Iterator[tuple[str, ...]]:
    """Yield a row for each part: its pins, its wires and its currents."""
    yield "part", "pin", "how", "on the road", "at most"
    for name, part in PARTS.items():
        low, high = part.road_ma
        road = f"{low:g} mA" if low == high else f"{low:g} to {high:g} mA"
        most = f"{part.most_ma:.2g} mA" if part.most_ma < 10 else f"{part.most_ma:.0f} mA"
        yield (
            name,
            ", ".join(map(str, part.pins)),
            part.wire,
            road if high else "",
            f"{most}, {part.volt:g} V" if part.most_ma else "",
        )


def resistors() -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind of light: why its resistor has this value."""
    yield (
        "light: its voltage V and the most current I",
        f"({RAIL_V} V − {SATURATED_V} V of the transistor − V) / I: the next value of E12",  # noqa: RUF001
        "current of each",
    )
    for light in dict.fromkeys(LIGHTS.values()):
        names = [name.removeprefix("LED, ") for name, one in LIGHTS.items() if one == light]
        sum_v = f"({RAIL_V} − {SATURATED_V} − {light.least_v}) V"  # noqa: RUF001
        yield (
            f"{', '.join(names).lower()}: {light.least_v} to {light.most_v} V, {light.limit_ma} mA",
            f"{sum_v} / {light.limit_ma} mA = {light.least_ohm:.0f} Ω: {light.ohm} Ω",
            f"{light.least_ma:.0f} to {light.most_ma:.0f} mA",
        )
