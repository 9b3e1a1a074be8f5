"""Battery, external power, under-voltage and watts; an absent part is a normal answer."""

from dataclasses import dataclass
from typing import Final, Protocol

FULL_PCT: Final = 100

MOST_PCT: Final = 110
"""Largest charge that a gauge may show; more is no charge.

The register of a MAX17040 counts to 255, and a bus that is stuck high reads as 255. Above 100 the
battery is full: the model in the gauge is not that of the cell.
"""

LEAST_UW: Final = 50_000
"""Least power of a device that runs, in microwatts: no board of the build takes so little.

A sensor whose shunt is not in the lead reads 0.
"""

MOST_UW: Final = 30_000_000
"""Largest power of a device, in microwatts: no supply of the build gives so much."""


@dataclass(frozen=True, slots=True)
class PowerReading:
    """A reading of the supply; None for values that the board cannot measure.

    Attributes:
        battery_pct: the charge, 0 to 100.
        watts: what the device takes from its supply now; from a current sensor.
    """

    battery_pct: int | None
    external: bool | None
    under_voltage: bool | None
    watts: float | None = None


class Power(Protocol):
    """The board's supply."""

    def read(self) -> PowerReading:
        """Read it now; never raises for a missing part."""

    def shut_down(self) -> None:
        """Ask the system to power off; returns at once."""


def charge_pct(shown: int | None) -> int | None:
    """Return the charge that a gauge shows, at most 100; None for a number that is no charge."""
    if shown is None or not 0 <= shown <= MOST_PCT:
        return None
    return min(shown, FULL_PCT)


def watts(shown_uw: int | None) -> float | None:
    """Return the power that a sensor shows in microwatts; None if no running device takes it."""
    if shown_uw is None or not LEAST_UW <= shown_uw <= MOST_UW:
        return None
    return shown_uw / 1e6
