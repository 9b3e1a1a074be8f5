"""The source of a simulated board's clock; the clock itself is the system's."""

import time
from functools import partial
from typing import Final

from hardware.clock import ClockSource
from hardware.driver import Driver
from hardware.simulated.world import World


def simulated_witness(world: World) -> ClockSource:
    """Return who vouches for the system clock as the script has it."""
    return ClockSource(world.state(time.monotonic_ns()).clock)


DRIVER: Final = Driver(
    open=lambda _settings, world: partial(simulated_witness, world()), device_files=None
)
