"""A simulated light and buzzer: a line in the log for each signal."""

import logging
import time
from collections import deque
from typing import Final

from hardware.change_detector import ChangeDetector
from hardware.driver import Driver
from hardware.indicator import Colour, Signal
from hardware.patterns import DARK, light_at

_log = logging.getLogger(__name__)


class SimulatedIndicator:
    """An indicator that logs what a driver would see.

    `shown` has the last signals, each with its CLOCK_MONOTONIC ns.
    """

    def __init__(self) -> None:
        self.shown: Final[deque[tuple[Signal, int]]] = deque(maxlen=256)
        self._logged: Final = ChangeDetector[Signal | None](None)
        self._closed = False

    @property
    def light(self) -> Colour:
        """Colour of the light now."""
        if self._closed or not self.shown:
            return DARK
        signal, since_ns = self.shown[-1]
        return light_at(signal, (time.monotonic_ns() - since_ns) / 1e9)

    def show(self, signal: Signal) -> None:
        """Note the signal; log it when it is another one."""
        self.shown.append((signal, time.monotonic_ns()))
        if self._logged.changed(signal):
            _log.info("event=light signal=%s", signal)

    def close(self) -> None:
        """Turn dark; safe to call twice."""
        self._closed = True


DRIVER: Final = Driver(open=lambda _settings, _world: SimulatedIndicator(), device_files=None)
