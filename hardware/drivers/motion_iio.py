"""An accelerometer of Linux's Industrial I/O, read from sysfs; the rule is in `hardware/lift.py`.

A thread reads it a dozen times a second: this works with each accelerometer that the kernel has,
without a device file, and without an interrupt, which not every driver of the kernel gives. It
takes 1.6 ms of a processor each second (x86-64, November 2026).
Not run on hardware; tested on a copy of sysfs, and in the virtual device by the kernel's driver.
"""

import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from hardware.driver import Driver
from hardware.lift import SILENT_S, Acceleration, Feeling, LiftRule, SensorFault
from hardware.settings import MotionSettings

POLL_S: Final = 0.08
"""Time between two readings: with the filter of the sensor, 9 ms, a lift is felt within 0.1 s.

Source of the 9 ms: MPU-6050 register map, RM-MPU-6000A-00, register 26, 21 Hz.
"""

RETRY_S: Final = 0.5
"""Time until a sensor that did not answer is looked for again: before it counts as silent."""

HUNG_S: Final = 10.0
"""Time without a reading after which the thread counts as hung: a busy processor takes less."""

CLOSE_S: Final = 3.0
"""Longest wait for the thread at the end: a bus that is stuck takes a second for each axis.

Source: the default of the kernel's i2c_register_adapter, i2c-core-base.c.
"""

DEVICES: Final = "bus/iio/devices/iio:device*"
"""Source: the kernel's Documentation/ABI/testing/sysfs-bus-iio."""

_LONGEST: Final = 32
"""Bytes of a number that are read: a raw value has up to 11, a scale up to 20."""

_MOST_MPS2: Final = 1000.0
"""More than any accelerometer for hands measures: 100 g."""


class Accelerometer:
    """The first accelerometer of the system; opened again after each failure."""

    def __init__(self, sysfs: Path) -> None:
        self._sysfs: Final = sysfs
        self._files: Final = ExitStack()
        self._axes: list[tuple[int, float]] = []

    @property
    def is_open(self) -> bool:
        """True if it answered the newest question."""
        return bool(self._axes)

    def read(self) -> Acceleration | None:
        """Read all axes; None if the sensor does not answer, or no number that can be meant."""
        try:
            self._axes = self._axes or self._open()
            x, y, z = (int(os.pread(file, _LONGEST, 0)) * scale for file, scale in self._axes)
        except (OSError, ValueError, OverflowError):
            self.close()
            return None
        return (x, y, z) if max(abs(x), abs(y), abs(z)) <= _MOST_MPS2 else None

    def close(self) -> None:
        """Close its files; safe to call twice."""
        self._axes = []
        self._files.close()

    def _open(self) -> list[tuple[int, float]]:
        """Open the axes; return each one's file, and m/s² for each unit."""
        found = min(self._sysfs.glob(f"{DEVICES}/in_accel_x_raw"), default=None)
        if found is None:
            raise FileNotFoundError(self._sysfs / DEVICES)
        axes = []
        for axis in "xyz":
            file = os.open(found.with_name(f"in_accel_{axis}_raw"), os.O_RDONLY | os.O_CLOEXEC)
            self._files.callback(os.close, file)
            axes.append((file, _scale(found.parent, axis)))
        return axes


class IioMotion:
    """The accelerometer as `hardware.motion.Motion`.

    A sensor that is missing is a trouble until it appears: presses do not need it.
    """

    def __init__(self, settings: MotionSettings) -> None:
        self._sysfs: Final = settings.sysfs
        self._closed: Final = threading.Event()
        self._on_lift: Callable[[], None] | None = None
        self._feeling = Feeling(time.monotonic(), None, None)
        self._thread: Final = threading.Thread(target=self._watch, name="motion", daemon=True)
        self._thread.start()

    def lifted(self) -> bool | None:
        """Return the newest state; None if the sensor, or the thread that reads it, is silent."""
        return None if self._is_late(SILENT_S) else self._feeling.lifted

    def listen(self, on_lift: Callable[[], None]) -> None:
        """Call `on_lift` at each lift from now on, and when a sensor at rest fails."""
        self._on_lift = on_lift

    def trouble(self) -> str | None:
        """Return why the sensor is not believed; None while it is."""
        fault = SensorFault.SILENT if self._is_late(HUNG_S) else self._feeling.fault
        return None if fault is None else f"accelerometer {fault}"

    def close(self) -> None:
        """End the thread; safe to call twice. One that hangs in a read is left behind."""
        self._closed.set()
        self._thread.join(CLOSE_S)

    def _is_late(self, limit_s: float) -> bool:
        return time.monotonic() - self._feeling.at_s > limit_s

    def _watch(self) -> None:
        rule, sensor = LiftRule(time.monotonic()), Accelerometer(self._sysfs)
        while not self._closed.wait(POLL_S if sensor.is_open else RETRY_S):
            was_at_rest = self._feeling.lifted is False
            felt = sensor.read()
            self._feeling = rule.feel(time.monotonic(), felt)
            begins = was_at_rest and self._feeling.lifted is not False
            if begins and self._on_lift is not None and not self._closed.is_set():
                self._on_lift()
        sensor.close()


def _scale(device: Path, axis: str) -> float:
    """Return the scale of an axis: its own, or that of all axes."""
    own = device / f"in_accel_{axis}_scale"
    scale = float((own if own.exists() else device / "in_accel_scale").read_text())
    if not 0 < scale < math.inf:
        raise ValueError(scale)
    return scale


DRIVER: Final = Driver(open=lambda settings, _world: IioMotion(settings), device_files=None)
