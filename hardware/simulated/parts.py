"""The small parts of a simulated board: indicator, lamp, power, and who vouches for its clock."""

import logging
import time
from collections import deque
from typing import Final

from hardware.clock import ClockSource
from hardware.indicator import Colour, Signal
from hardware.patterns import DARK, light_at
from hardware.power import PowerReading
from hardware.simulated.world import World
from hardware.told import Told

_log = logging.getLogger(__name__)


class SimulatedIndicator:
    """Says in the log what a driver would see.

    `shown` has the last signals, each with its CLOCK_MONOTONIC ns.
    """

    def __init__(self) -> None:
        self.shown: Final[deque[tuple[Signal, int]]] = deque(maxlen=256)
        self._logged: Final = Told[Signal | None](None)
        self._closed = False

    @property
    def light(self) -> Colour:
        """What is lit now."""
        if self._closed or not self.shown:
            return DARK
        signal, since_ns = self.shown[-1]
        return light_at(signal, (time.monotonic_ns() - since_ns) / 1e9)

    def show(self, signal: Signal) -> None:
        """Note the signal; log it when it is another one."""
        self.shown.append((signal, time.monotonic_ns()))
        if self._logged.is_news(signal):
            _log.info("event=light signal=%s", signal)

    def close(self) -> None:
        """Dark; safe to call twice."""
        self._closed = True


class SimulatedLamp:
    """Lights the scenes of the simulated camera."""

    def __init__(self, world: World) -> None:
        self._world: Final = world
        self._lit: Final = Told(last=False)

    def on(self) -> None:
        """Light it."""
        self._switch(lit=True)

    def off(self) -> None:
        """Put it out."""
        self._switch(lit=False)

    def close(self) -> None:
        """Put it out; safe to call twice."""
        self.off()

    def _switch(self, *, lit: bool) -> None:
        if self._lit.is_news(lit):
            self._world.light_lamp(lit, time.monotonic_ns())
            _log.info("event=lamp lit=%s", str(lit).lower())


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


def simulated_witness(world: World) -> ClockSource:
    """Return who vouches for the system clock as the script has it."""
    return ClockSource(world.state(time.monotonic_ns()).clock)
