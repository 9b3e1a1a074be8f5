"""Blur by a hand and by a lens, in linear light and not in grey levels."""

from typing import Final

import cv2  # noqa: TID251 - measures pictures
import numpy as np
from numpy.typing import NDArray

from agent.capture.quality import Pixels
from hardware.simulated.sensor import GAMMA
from hardware.simulated.smear import line, moved

Light = NDArray[np.float32]

DIRECTIONS_DEG: Final = (0.0, 22.5, 45.0, 67.5, 90.0, 112.5, 135.0, 157.5)
"""Eight directions; a smear to the other side is the same smear."""

_LINEAR: Final = (np.linspace(0, 1, 256) ** GAMMA).astype(np.float32)
_DISC_STEPS: Final = 8


def light_of(pixels: Pixels) -> Light:
    """Return the linear light that a picture shows; 1.0 is white."""
    return np.asarray(_LINEAR[pixels], np.float32)


def smeared(pixels: Pixels, length_px: float, direction_deg: float) -> Pixels:
    """Smear along a line, as a hand does if it moves evenly during the exposure."""
    return _seen(moved(light_of(pixels), line(length_px, direction_deg)))


def softened(pixels: Pixels, sigma_px: float) -> Pixels:
    """Soften by a Gaussian."""
    return _seen(np.asarray(cv2.GaussianBlur(light_of(pixels), (0, 0), sigma_px), np.float32))


def defocused(light: Light, radius_px: float) -> Light:
    """Spread every point over a disc, as a lens out of focus does."""
    half = int(np.ceil(radius_px + 0.5))
    steps = (np.arange(-half * _DISC_STEPS, (half + 1) * _DISC_STEPS) + 0.5) / _DISC_STEPS - 0.5
    inside = np.hypot(*np.meshgrid(steps, steps)) <= radius_px
    side = 2 * half + 1
    kernel = inside.reshape(side, _DISC_STEPS, side, _DISC_STEPS).mean(axis=(1, 3))
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.float32)


def _seen(light: Light) -> Pixels:
    return np.asarray(np.rint(255 * np.clip(light, 0, 1) ** (1 / GAMMA)), np.uint8)
