"""A simulated light and buzzer: a line in the log for each signal."""

import logging
import time
from collections import deque
from typing import Final

from hardware.change_detector import ChangeDetector
from hardware.driver import Driver
from hardware.indicator import Colour, Signal
from hardware.patterns import DARK, begins_s, light_at, sounding_s

_log = logging.getLogger(__name__)


class SimulatedIndicator:
    """An indicator that logs what a driver would see.

    `shown` has the last signals, each with its CLOCK_MONOTONIC ns.
    """

    def __init__(self) -> None:
        self.shown: Final[deque[tuple[Signal, int]]] = deque(maxlen=256)
        self._logged: Final = ChangeDetector[Signal | None](None)
        self._since_s = 0.0
        self._closed = False

    @property
    def light(self) -> Colour:
        """Colour of the light now."""
        if self._closed or not self.shown:
            return DARK
        return light_at(self.shown[-1][0], time.monotonic() - self._since_s)

    def show(self, signal: Signal, *, silent: bool = False) -> None:
        """Note the signal; log it when it is another one, or sounds again."""
        before = self.shown[-1][0] if self.shown else None
        self._since_s = begins_s(time.monotonic(), before, self._since_s)
        self.shown.append((signal, time.monotonic_ns()))
        sounds = sounding_s(signal) > 0
        if self._logged.changed(signal) or (sounds and not silent):
            quiet = " silent=true" if sounds and silent else ""
            _log.info("event=light signal=%s%s", signal, quiet)

    def close(self) -> None:
        """Turn dark; safe to call twice."""
        self._closed = True


DRIVER: Final = Driver(open=lambda _settings, _world: SimulatedIndicator(), device_files=None)
