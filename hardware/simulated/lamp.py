"""A simulated lamp: it lights what the simulated camera sees."""

import logging
import time
from typing import Final

from hardware.change_detector import ChangeDetector
from hardware.driver import Driver
from hardware.simulated.world import World

_log = logging.getLogger(__name__)


class SimulatedLamp:
    """A lamp that lights the scenes of the simulated camera."""

    def __init__(self, world: World) -> None:
        self._world: Final = world
        self._lit: Final = ChangeDetector(last=False)

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
        if self._lit.changed(lit):
            self._world.light_lamp(lit, time.monotonic_ns())
            _log.info("event=lamp lit=%s", str(lit).lower())


DRIVER: Final = Driver(open=lambda _settings, world: SimulatedLamp(world()), device_files=None)
