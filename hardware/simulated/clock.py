"""Who vouches for a simulated board's clock; the clock itself is the system's."""

import time

from hardware.clock import ClockSource
from hardware.simulated.world import World


def simulated_witness(world: World) -> ClockSource:
    """Return who vouches for the system clock as the script has it."""
    return ClockSource(world.state(time.monotonic_ns()).clock)
