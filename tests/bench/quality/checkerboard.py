"""The score of sharpness of thresholds 2026.12, to compare the product's with."""

from typing import Final

import cv2  # noqa: TID251 - measures pictures
import numpy as np
from numpy.typing import NDArray

from agent.capture.quality import Pixels, luma

BLURRED_BELOW: Final = 95.0

_COARSE: Final = 6
_STRIP_ROWS: Final = 72
_STRIP_PITCH_ROWS: Final = 120
_MARGIN_ROWS: Final = 6
_CONTRAST_FLOOR: Final = 6.0
_ANGLES: Final = np.radians(np.arange(0, 180, 7.5))
_ALONG: Final = np.stack([np.cos(_ANGLES) ** 2, np.sin(2 * _ANGLES), np.sin(_ANGLES) ** 2], axis=1)


def sharpness(pixels_bgr: Pixels) -> float:
    """Return the ratio of fine to coarse detail, in the direction where it is least.

    Detail is the second derivative, squared; fine is a view of half the size, coarse one of a
    sixth. The fine view is made twice, of the white and of the black squares of a checkerboard,
    and multiplied: noise that is independent in neighbouring pixels has no part in it.
    """
    height, width = (side // _COARSE * _COARSE for side in pixels_bgr.shape[:2])
    fine, coarse = np.zeros((2, 3, 3))
    coarse_px = 0
    for top in range(0, height - 2 * _MARGIN_ROWS, _STRIP_PITCH_ROWS):
        gray = luma(pixels_bgr[top : min(top + _STRIP_ROWS, height), :width])
        is_white = np.indices(gray.shape).sum(axis=0) % 2 == 0
        squares = [
            np.asarray(cv2.pyrDown(np.where(chosen, gray, 0).astype(np.uint8)), np.uint8)
            for chosen in (is_white, ~is_white)
        ]
        white, black = (_bends(square, 2) for square in squares)
        fine += white @ black.T
        size_px = (width // _COARSE, len(gray) // _COARSE)
        view = cv2.resize(cv2.add(squares[0], squares[1]), size_px, interpolation=cv2.INTER_AREA)
        bends = _bends(np.asarray(view, np.uint8), _COARSE)
        coarse += bends @ bends.T
        coarse_px += bends.shape[1]
    # Each set has half of the light, and the half view three times the pixels a side.
    fine *= 4 / (_COARSE / 2) ** 2
    wide = _along(coarse / coarse_px) + _CONTRAST_FLOOR
    return 1_000 * float((_along(fine / coarse_px) / wide).min())


def _bends(view: Pixels, reduction: int) -> NDArray[np.float32]:
    margin = _MARGIN_ROWS // reduction
    orders = ((2, 0), (1, 1), (0, 2))
    whole = [cv2.Sobel(view, cv2.CV_32F, x, y, ksize=3, scale=0.25) for x, y in orders]
    return np.stack([bend[margin:-margin].ravel() for bend in whole])


def _along(products: NDArray[np.float64]) -> NDArray[np.float64]:
    along = np.einsum("di,ij,dj->d", _ALONG, products, _ALONG)
    return np.asarray(along, np.float64)
