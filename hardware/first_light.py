"""Opens the configured indicator, and loads nothing else: a process shows first that it starts."""

# ruff: noqa: PLC0415 - a vendor's library is there only where its device is configured

from typing import assert_never

from hardware.indicator import Indicator
from hardware.settings import IndicatorSettings, PartKind


def open_indicator(settings: IndicatorSettings) -> Indicator:
    """Open the configured indicator, dark; whoever opened it closes it.

    Raises:
        DeviceMissing: it is not there, or another process has its pins.
    """
    match settings.kind:
        case PartKind.GPIO:
            from hardware.drivers.indicator_gpio import GpioIndicator

            return GpioIndicator(settings)
        case PartKind.SIMULATED:
            from hardware.simulated.indicator import SimulatedIndicator

            return SimulatedIndicator()
        case other:
            assert_never(other)
