"""The battery's charge, as the driver and the process have to know it; pure."""

from enum import StrEnum
from typing import Final

from hardware.power import PowerReading

LOW_BELOW_PCT: Final = 15
"""Battery below which the idle light is red: there is still time to reach a charger."""

EMPTY_BELOW_PCT: Final = 5
"""Battery below which no press is served any more: what is left is for an orderly end."""

LOW_BELOW_H: Final = 1.0
"""Time left below which the idle light is red too: a worn battery has less than an hour at 15 %."""

MARGIN_H: Final = 0.25
"""Rise of the time left before the light changes back: the estimate moves with the gauge."""

MARGIN_PCT: Final = 3
"""Rise that a gauge must show before the light changes back: gauges jump by a point or two."""

EMPTY_READINGS: Final = 12
"""Readings, one a second, before presses are refused and the device powers off.

The lamp of a scan window lights for 10 s and lowers the voltage, by which a gauge judges; a
disturbed bus shows 0 for a moment. What is left at 5 % lasts for many minutes.
"""


class Charge(StrEnum):
    """The charge of the battery; ENOUGH also with external power, or on a board without gauge."""

    ENOUGH = "enough"
    LOW = "low"
    EMPTY = "empty"


class Battery:
    """The result of the readings, one a second; a single one may be wrong.

    Attributes:
        charge: the result so far; for any thread.
    """

    def __init__(self) -> None:
        self.charge = Charge.ENOUGH
        self._below = 0

    def is_empty(self) -> bool:
        """Return True if too little is left for another record, without external power."""
        return self.charge is Charge.EMPTY

    def take(
        self, power: PowerReading, hours_left: float | None = None, *, is_silent: bool = False
    ) -> Charge:
        """Take the next reading; a gauge that falls silent fills no battery.

        Args:
            power: the reading.
            hours_left: estimate of the time that the battery lasts; None if there is none.
            is_silent: True if the board has a gauge that does not answer: then the battery counts
                as low, because its charge is unknown.
        """
        if power.external:
            self.charge, self._below = Charge.ENOUGH, 0
        elif power.battery_pct is not None:
            self.charge = self._judged(power.battery_pct, hours_left)
        elif is_silent and self.charge is Charge.ENOUGH:
            self.charge = Charge.LOW
        return self.charge

    def _judged(self, level_pct: int, hours_left: float | None) -> Charge:
        if level_pct < EMPTY_BELOW_PCT:
            self._below += 1
        elif level_pct >= EMPTY_BELOW_PCT + MARGIN_PCT:
            self._below = 0
        if self._below >= EMPTY_READINGS:
            return Charge.EMPTY
        was_low = self.charge is not Charge.ENOUGH
        is_short = hours_left is not None and hours_left < LOW_BELOW_H + MARGIN_H * was_low
        is_low = is_short or level_pct < LOW_BELOW_PCT + MARGIN_PCT * was_low
        return Charge.LOW if is_low else Charge.ENOUGH
