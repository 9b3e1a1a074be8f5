"""What a hand, a lens and a sensor do to a picture: smear, softness, grain."""

from typing import Final

import cv2  # noqa: TID251 - measures pictures
import numpy as np
from numpy.typing import NDArray

from agent.capture.quality import Pixels

DIRECTIONS_DEG: Final = (0.0, 22.5, 45.0, 67.5, 90.0, 112.5, 135.0, 157.5)
"""Eight directions; a smear to the other side is the same smear."""

_GAMMA: Final = 2.2
_EDGE_PX: Final = 32
_LINEAR: Final = (np.linspace(0, 1, 256) ** _GAMMA).astype(np.float32)


def smeared(pixels: Pixels, length_px: float, direction_deg: float) -> Pixels:
    """Smear along a line, as a hand does that moves evenly during the exposure.

    It happens in light, not in grey levels, and to each frequency by the sinc of its way along the
    line: no direction is favoured by the grid, as it would be by a kernel of pixels.
    """
    size = [cv2.getOptimalDFTSize(side + 2 * _EDGE_PX) for side in pixels.shape[:2]]
    x, y = np.cos(np.radians(direction_deg)), np.sin(np.radians(direction_deg))
    way = np.fft.fftfreq(size[0])[:, None] * y + np.fft.rfftfreq(size[1])[None, :] * x
    weakened = np.sinc(length_px * way).astype(np.float32)
    height, width = pixels.shape[:2]
    rows, columns = size[0] - height - _EDGE_PX, size[1] - width - _EDGE_PX
    around = (_EDGE_PX, rows, _EDGE_PX, columns)
    light = cv2.copyMakeBorder(_LINEAR[pixels], *around, cv2.BORDER_REFLECT)
    moved = np.empty(light.shape, np.float32)
    for channel in range(3):
        moved[..., channel] = np.fft.irfft2(np.fft.rfft2(light[..., channel]) * weakened, s=size)
    return _seen(moved[_EDGE_PX : _EDGE_PX + height, _EDGE_PX : _EDGE_PX + width])


def softened(pixels: Pixels, sigma_px: float) -> Pixels:
    """Soften like a lens out of focus, in light."""
    return _seen(np.asarray(cv2.GaussianBlur(_LINEAR[pixels], (0, 0), sigma_px), np.float32))


def grained(pixels: Pixels, deviation: float) -> Pixels:
    """Add grey noise with this standard deviation, in grey levels of 255."""
    if deviation == 0:
        return pixels
    grain = np.random.default_rng(1).normal(0, deviation, (*pixels.shape[:2], 1))
    return np.clip(np.rint(pixels + grain), 0, 255).astype(np.uint8)


def _seen(light: NDArray[np.float32]) -> Pixels:
    return np.asarray(np.rint(255 * np.clip(light, 0, 1) ** (1 / _GAMMA)), np.uint8)
