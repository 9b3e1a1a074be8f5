"""A simulated supply, as the script has it."""

import logging
import time
from typing import Final

from hardware.driver import Driver
from hardware.power import PowerReading, watts
from hardware.settings import PowerSettings
from hardware.simulated.world import World

_log = logging.getLogger(__name__)


class SimulatedPower:
    """The supply as the script has it; `is_shut_down` tells whether a power-off was asked for."""

    def __init__(self, settings: PowerSettings, world: World) -> None:
        self._has_sensor: Final = bool(settings.current_sensor)
        self._world: Final = world
        self.is_shut_down = False

    def read(self) -> PowerReading:
        """Read the world now."""
        state = self._world.state(time.monotonic_ns())
        return PowerReading(
            battery_pct=state.battery_pct if state.gauge else None,
            external=state.external,
            under_voltage=state.under_voltage,
            watts=watts(round(state.watts * 1e6)) if self._has_sensor else None,
        )

    def shut_down(self) -> None:
        """Note it; the machine stays on."""
        self.is_shut_down = True
        _log.info("event=simulated_power_off")


DRIVER: Final = Driver(
    open=lambda settings, world: SimulatedPower(settings, world()), device_files=None
)
