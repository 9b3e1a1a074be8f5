"""Sharpness as release 2026.11.1 measured it, along x and y and of one pairing, to compare with."""

from typing import Final

import cv2  # noqa: TID251 - measures pictures
import numpy as np
from numpy.typing import NDArray

from agent.capture.quality import Pixels, luma
from agent.config import Thresholds

THRESHOLDS: Final = Thresholds(version="2026.11", blurred_below=60.0)

_COARSE: Final = 8
_CONTRAST_FLOOR: Final = 10.0


def sharpness(pixels: Pixels) -> float:
    """Return the product of two diagonal neighbours' second derivatives, by the coarse gradient."""
    height, width = (side // _COARSE * _COARSE for side in pixels.shape[:2])
    gray = luma(pixels[:height, :width])
    coarse = cv2.resize(gray, (width // _COARSE, height // _COARSE), interpolation=cv2.INTER_AREA)
    return 1000 * min(
        _fine(gray, x, y) / (_mean_square(_derivative(coarse, x, y)) + _CONTRAST_FLOOR)
        for x, y in ((1, 0), (0, 1))
    )


def _fine(gray: Pixels, x: int, y: int) -> float:
    one, other = (
        _derivative(np.ascontiguousarray(gray[first::2, first::2]), 2 * x, 2 * y)
        for first in (0, 1)
    )
    return float(np.vdot(one, other)) / one.size


def _derivative(gray: NDArray[np.generic], x: int, y: int) -> NDArray[np.float32]:
    return np.asarray(cv2.Sobel(gray, cv2.CV_32F, x, y, ksize=1), np.float32)  # type: ignore[arg-type]


def _mean_square(values: NDArray[np.float32]) -> float:
    return float(np.vdot(values, values)) / values.size
