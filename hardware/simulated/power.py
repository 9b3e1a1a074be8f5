"""A simulated supply, as the script has it."""

import logging
import time
from typing import Final

from hardware.driver import Driver
from hardware.power import PowerReading
from hardware.simulated.world import World

_log = logging.getLogger(__name__)


class SimulatedPower:
    """The supply as the script has it; `is_shut_down` tells whether a power-off was asked for."""

    def __init__(self, world: World) -> None:
        self._world: Final = world
        self.is_shut_down = False

    def read(self) -> PowerReading:
        """Read the world now."""
        state = self._world.state(time.monotonic_ns())
        return PowerReading(state.battery_pct, state.external, state.under_voltage)

    def shut_down(self) -> None:
        """Note it; the machine stays on."""
        self.is_shut_down = True
        _log.info("event=simulated_power_off")


DRIVER: Final = Driver(open=lambda _settings, world: SimulatedPower(world()), device_files=None)
