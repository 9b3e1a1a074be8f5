"""Battery, external power and under-voltage; an absent part is a normal answer."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PowerReading:
    """A reading of the supply; None for values that the board cannot measure."""

    battery_pct: int | None
    external: bool | None
    under_voltage: bool | None


class Power(Protocol):
    """The board's supply."""

    def read(self) -> PowerReading:
        """Read it now; never raises for a missing part."""

    def shut_down(self) -> None:
        """Ask the system to power off; returns at once."""
