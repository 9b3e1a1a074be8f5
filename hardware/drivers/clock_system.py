"""The system's clock, and the service that keeps it."""

from typing import Final

from hardware.clock_system import SystemWitness
from hardware.driver import Driver

DRIVER: Final = Driver(open=lambda _settings, _world: SystemWitness(), device_files=None)
