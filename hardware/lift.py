"""From accelerations to "lifted" or "at rest": pure over (time, acceleration).

The two mistakes cost differently. A device that seems lifted and is not streams, as every device
without a sensor does. A device that seems at rest in a hand makes its next press wait for a stopped
camera. So all doubt counts as lifted:

- A hand that holds still trembles, and turns the device against gravity. `MOVED_MPS2` is what an
  average hand reaches all the time, and far above the sensor's noise. A hand with half that tremor
  that turns by less than 0.3 degrees a second counts as rest after `STILL_S`. But before a press,
  the driver has just aimed, and the finger that moves to the button moves the device too.
- A hand or a belt that walks is always lifted.
- A van that drives or brakes is lifted: the seats of cars have 0.3 to 0.5 m/s² r.m.s. by ISO 2631-1
  (doi 10.1177/09574565261444069), and a routine stop peaks at 2.5 m/s² (Roenitz, Happer, Johal and
  Overgaard, "Characteristic vehicular deceleration for known hazards").
  No rule on top would tell this from a hand. While the van drives past a stop, the camera streams,
  as without a sensor. The same holds for an engine that idles, if its vibration reaches the device.
- A parked van that is left alone is at rest.

Not tried on a bench: no figure here was measured on a device.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Acceleration = tuple[float, float, float]
"""In m/s², gravity included, as IIO gives it."""

MOVED_MPS2: Final = 0.12
"""A reading that is this far from the mean of those before is a motion.

Five times the noise of an MPU-6050, which is 0.4 mg/√Hz, so 2.3 mg behind the kernel's filter of
20 Hz (PS-MPU-6000A-00, 6.2). The tremor of an outstretched hand most often peaks at 10 mg, or
0.1 m/s² (Arch. Neurol. 39, 1982, page 358: 1.5 to 35 mg in 97 people); a turn by 0.7 degrees moves
gravity by 0.12 m/s².
"""

STILL_S: Final = 5.0
"""Time without a motion after which the device is at rest.

As long as the mean looks back twice, so that a slow turn is seen. Each lift streams this much
longer: with 150 lifts a day 0.2 h.
"""

SILENT_S: Final = 1.0
"""Time without a reading after which a sensor is silent: a dozen readings."""

_FOLLOWS: Final = 1 / 32
"""Weight of a reading in the mean, which so looks back 2.5 s."""

_GRAVITY_MPS2: Final = 9.81
_GRAVITY_OFF_MPS2: Final = 1.5
"""Largest error of gravity: an MPU-6050's zero is off by up to 140 mg, its scale by 3 %.

Source: PS-MPU-6000A-00, 6.2: Z axis, tolerance and temperature.
"""


class SensorFault(StrEnum):
    """The reason why a sensor is not believed."""

    SILENT = "silent"
    STUCK = "stuck: readings never change"
    WRONG = "wrong: no gravity, or too much"


@dataclass(frozen=True, slots=True)
class Feeling:
    """The result of all readings until `at_s`; `lifted` is None before the first, or by a fault."""

    at_s: float
    lifted: bool | None
    fault: SensorFault | None


class LiftRule:
    """The readings of one sensor so far; all times are CLOCK_MONOTONIC in s.

    A sensor that was stuck or wrong is not believed any more: if a fault came and went with the
    hand, the status would show when the device is lifted.
    """

    def __init__(self, began_s: float) -> None:
        self._read_s = self._moved_s = self._changed_s = began_s
        self._mean: Acceleration | None = None
        self._newest: Acceleration | None = None
        self._caught: SensorFault | None = None

    def feel(self, now_s: float, felt: Acceleration | None) -> Feeling:
        """Take a reading, or None if the sensor gave none; a single missing one changes nothing."""
        if felt is not None:
            self._take(now_s, felt)
        fault = self._fault(now_s)
        if fault is not None or self._mean is None:
            return Feeling(now_s, None, fault)
        return Feeling(now_s, now_s - self._moved_s < STILL_S, None)

    def _take(self, now_s: float, felt: Acceleration) -> None:
        missed = now_s - self._read_s > SILENT_S
        self._read_s = now_s
        if felt != self._newest:
            self._newest, self._changed_s = felt, now_s
        if self._mean is None or missed or math.dist(felt, self._mean) > MOVED_MPS2:
            self._mean, self._moved_s = felt, now_s
        else:
            x, y, z = (
                old + (new - old) * _FOLLOWS for old, new in zip(self._mean, felt, strict=True)
            )
            self._mean = x, y, z

    def _fault(self, now_s: float) -> SensorFault | None:
        if now_s - self._read_s > SILENT_S:
            return SensorFault.SILENT
        if self._mean is not None and now_s - self._moved_s >= STILL_S:
            if now_s - self._changed_s >= STILL_S:
                self._caught = SensorFault.STUCK
            elif abs(math.hypot(*self._mean) - _GRAVITY_MPS2) > _GRAVITY_OFF_MPS2:
                self._caught = SensorFault.WRONG
        return self._caught
