"""What is left in the battery, as the driver and the process have to know it; pure."""

from typing import Final

from hardware.power import PowerReading

LOW_BELOW_PCT: Final = 15
"""Battery below which the idle light is red: there is still time to reach a charger."""

EMPTY_BELOW_PCT: Final = 5
"""Battery below which no press is served any more: what is left is for an orderly end."""


def is_low(power: PowerReading) -> bool:
    """Whether the driver should charge soon, and nothing feeds it."""
    return _is_below(LOW_BELOW_PCT, power)


def is_empty(power: PowerReading) -> bool:
    """Whether the battery has too little for another record, and nothing feeds it."""
    return _is_below(EMPTY_BELOW_PCT, power)


def _is_below(level_pct: int, power: PowerReading) -> bool:
    return power.battery_pct is not None and power.battery_pct < level_pct and not power.external
