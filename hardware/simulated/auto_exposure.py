"""The automatic exposure of a Raspberry Pi's camera, frame by frame; pure.

Source: libcamera 0.7.1, src/ipa/rpi/controller/rpi/agc_channel.cpp: `computeGain` (of a scene that
is lit evenly), `computeTargetExposure` and `filterExposure`, which 0.4.0 has too. An exposure here
is exposure time in us times gain. Three things are left out: how an exposure is divided into time
and gain, flicker periods, and the fast reduction by digital gain, which the tunings of our sensors
never ask for.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from hardware.simulated.scenes import (
    EXPOSURE_LUX_US,
    EXPOSURE_MAX_US,
    EXPOSURE_MIN_US,
    GAIN_MAX,
)
from hardware.simulated.sensor import FULL_WELL_E, read_noise_e

DELAY: Final = 3
"""Frames until a control acts. Source: libcamera's vblankDelay of the IMX708, the longest of its
delays (0.7.1, camera_sensor_properties.cpp)."""

FIRST_US: Final = 1_000.0
"""Exposure of a process's first frame. Source: `default_exposure_time`, at gain 1."""

TARGET: Final = 0.16
"""Mean brightness that is aimed at, as a share of white. Source: y_target of imx708.json."""

LEAST_GAIN: Final = 0.2
"""Greatest correction downwards in one step. Source: the lower bound of imx708.json for the
brightest 2 %, which in a picture that is white are at 1."""

NOISE: Final = 0.4 * read_noise_e(FULL_WELL_E) / FULL_WELL_E
"""Mean brightness of a picture without light, at gain 1: read noise alone.

Values below black are cut off, which leaves a mean of 0.4 standard deviations.
"""

STABLE: Final = 0.02
"""Share of the exposure by which its target must differ to be followed. Source: `stable_region`."""

NEAR: Final = 0.2
"""Share within which a target is followed faster. Source: `filterExposure`."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The speed of the automatic.

    Attributes:
        speed: share of the way to the target that the exposure goes in a frame.
        startup_frames: number of a process's first frames, in which it goes all the way.
    """

    speed: float = 0.2
    startup_frames: int = 10


LIBCAMERA: Final = Tuning()
"""The defaults of agc_channel.cpp, which most sensors keep (the OV5647 and the IMX219 do)."""

IMX708: Final = Tuning(0.15, 5)
"""The Camera Module 3. Source: imx708.json of 0.4.0 and 0.7.1."""


class AutoExposure:
    """The exposure that a process chooses for its camera; it survives a stop of the camera."""

    def __init__(self, tuning: Tuning = LIBCAMERA, delay: int = DELAY) -> None:
        self._tuning: Final = tuning
        self._delay: Final = delay
        self._filtered = FIRST_US
        self._measured = 0
        self._coming: deque[float] = deque()
        self.start()

    @property
    def exposure(self) -> float:
        """The exposure of the present frame, us times gain."""
        return self._coming[0]

    def start(self) -> None:
        """Begin a stream: its first frames have the last chosen exposure."""
        self._coming = deque([self._filtered] * self._delay)

    def follow(self, lux: float) -> None:
        """Set the exposure that this light needs, as if the light had long been so."""
        self._filtered = limited(EXPOSURE_LUX_US / lux)
        self.start()

    def measure(self, brightness: float) -> None:
        """Choose an exposure by the mean brightness of the present frame, 0 to 1, and go on."""
        self._measured += 1
        gain = max(TARGET / brightness, LEAST_GAIN)
        target = limited(self.exposure * gain)
        self._filtered = self._towards(target)
        self._coming.popleft()
        self._coming.append(self._filtered)

    def _towards(self, target: float) -> float:
        if self._measured <= self._tuning.startup_frames:
            return target
        if 1 - STABLE < target / self._filtered < 1 + STABLE:
            return self._filtered
        speed = self._tuning.speed
        if (1 - NEAR) * target < self._filtered < (1 + NEAR) * target:
            speed **= 0.5
        return speed * target + (1 - speed) * self._filtered


def brightness(exposure: float, lux: float) -> float:
    """Return the mean brightness of an evenly lit picture, 0 to 1 (white)."""
    return min(1.0, TARGET * exposure * lux / EXPOSURE_LUX_US + NOISE)


def measured_lux(exposure: float, lux: float) -> float:
    """Return the illuminance as libcamera estimates it (lux.cpp): by brightness and exposure.

    So the estimate is too low from a white picture, and too high from a black one.
    """
    return brightness(exposure, lux) * EXPOSURE_LUX_US / (TARGET * exposure)


def limited(exposure: float) -> float:
    """Return the nearest exposure within the sensor's limits, us times gain."""
    return min(max(exposure, EXPOSURE_MIN_US), EXPOSURE_MAX_US * GAIN_MAX)
