"""Pixels -> QualityReport: is this photo good enough to be evidence? Pure.

It says what it can tell from one picture: darkness, clipping, a lens covered as a whole, noise and
blur. A covered corner, a parcel out of the picture or a missing parcel it cannot tell.
"""

from collections.abc import Mapping
from typing import Final

import cv2  # noqa: TID251 - one of the importers
import numpy as np
from numpy.typing import NDArray

from agent.config import Thresholds
from agent.models import QualityReport, QualityVerdict

WHITE_LEVEL: Final = 250
"""Luma from which a pixel counts as clipped. Source: 255 less what JPEG's ringing takes away."""

SIDE_MIN_PX: Final = 64
"""Shortest side that can be judged. Source: the coarse view has a sixth of it, 10 px."""

COARSE: Final = 6
"""Reduction of the view that blur is measured against. Source: eleven photographs, smeared over
12 px: an eighth lets a score differ 1.7 times by direction, a sixth 1.4; a quarter leaves 1.2 times
between the smeared and the sharp ones, a sixth 1.7 (tests/bench/quality, 2026-11)."""

CONTRAST_FLOOR: Final = 6.0
"""Added to the coarse bends, so that grain on nothing is not sharp. Source: a quarter of the least
that a sharp door showed, 25: by lamp (scenes, 2026-11)."""

_SHARPNESS_UNIT: Final = 1000
_THUMBNAIL_PX: Final = (64, 36)
_GAUSSIAN_MEDIAN: Final = 0.6745
_NOISE_ROWS: Final = 8

_STRIP_ROWS: Final = 72
_STRIP_PITCH_ROWS: Final = 120
_MARGIN_ROWS: Final = 6
"""Sharpness looks at strips and leaves out their edges: half of the picture, in half the time.

Source: the photographs' scores move by 3 to 19 % (tests/bench/quality, 2026-11)."""

_ANGLES: Final = np.radians(np.arange(0, 180, 7.5))
_BEND_ALONG: Final = np.stack(
    [np.cos(_ANGLES) ** 2, np.sin(2 * _ANGLES), np.sin(_ANGLES) ** 2], axis=1
)
"""24 directions: what xx, xy and yy weigh in the second derivative along each.

Source: Freeman and Adelson, The Design and Use of Steerable Filters, 1991."""

Pixels = NDArray[np.uint8]
Bends = list[NDArray[np.float32]]


def luma(pixels_bgr: Pixels) -> Pixels:
    """Return height x width luma of a height x width x 3 BGR picture, both uint8."""
    return np.asarray(cv2.cvtColor(pixels_bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def sharpness(frame_pixels_bgr: Pixels) -> float:
    """Return how much fine detail there is for the coarse detail there is; about 20 to 400.

    Detail is the second derivative, squared. It is asked along 24 directions, and the least counts:
    a smear spares the edges that it follows. Fine is a view of half the size, coarse one of a
    sixth; dividing by it takes contrast, light and subject out. The fine view is made twice, of
    the white and of the black squares of a checkerboard of pixels, and the two are multiplied:
    noise has no part in it, since it differs between them.

    Args:
        frame_pixels_bgr: height x width x 3, uint8; what is over after the last sixth is left out.

    Raises:
        ValueError: not such a picture, or a side shorter than 64 px.
    """
    _check(frame_pixels_bgr)
    height, width = (side // COARSE * COARSE for side in frame_pixels_bgr.shape[:2])
    squares = _checkerboard(width)
    fine, coarse, coarse_px = np.zeros((3, 3)), np.zeros((3, 3)), 0
    for top in range(0, height - 2 * _MARGIN_ROWS, _STRIP_PITCH_ROWS):
        gray = luma(frame_pixels_bgr[top : min(top + _STRIP_ROWS, height), :width])
        white, black = (_halved(gray & square[: len(gray)]) for square in squares)
        fine += _products(_bends(white, 2), _bends(black, 2))
        bends = _bends(_coarse(white, black), COARSE)
        coarse += _products(bends, bends)
        coarse_px += bends[0].size
    # Each set has half of the light, and the fine view COARSE / 2 times the pixels a side.
    fine *= 4 / (COARSE / 2) ** 2
    ratios = _along(fine / coarse_px) / (_along(coarse / coarse_px) + CONTRAST_FLOOR)
    return _SHARPNESS_UNIT * float(ratios.min())


def assess(
    frame_pixels_bgr: Pixels, thresholds: Thresholds, known_sharpness: float | None = None
) -> QualityReport:
    """Judge one height x width x 3 uint8 BGR picture.

    Args:
        frame_pixels_bgr: the picture.
        thresholds: the limits at which a score becomes a verdict.
        known_sharpness: the sharpness if it was measured before: more than half of the work.

    Raises:
        ValueError: not such a picture, or a side shorter than 64 px.
    """
    _check(frame_pixels_bgr)
    sample = luma(_every_other(frame_pixels_bgr))
    scores = {
        "mean_pct": float(sample.mean()) / 2.55,
        "clipped_pct": 100 * np.count_nonzero(sample >= WHITE_LEVEL) / sample.size,
        "spread_pct": _spread_pct(sample),
        "noise": _noise(sample),
        "sharpness": sharpness(frame_pixels_bgr) if known_sharpness is None else known_sharpness,
    }
    rounded = {name: round(score, 2) for name, score in scores.items()}
    return QualityReport(_verdict(rounded, thresholds), rounded, thresholds.version)


def _verdict(scores: Mapping[str, float], thresholds: Thresholds) -> QualityVerdict:
    """Ask in this order: each check is only true of a picture that passed those before it."""
    if scores["mean_pct"] < thresholds.dark_below_pct:
        return QualityVerdict.DARK
    if scores["clipped_pct"] > thresholds.clipped_above_pct:
        return QualityVerdict.CLIPPED
    if scores["spread_pct"] < thresholds.covered_below_pct:
        return QualityVerdict.COVERED
    if scores["noise"] > thresholds.noisy_above:
        return QualityVerdict.NOISY
    if scores["sharpness"] < thresholds.blurred_below:
        return QualityVerdict.BLURRED
    return QualityVerdict.OK


def _every_other(pixels: Pixels) -> Pixels:
    size_px = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return np.asarray(cv2.resize(pixels, size_px, interpolation=cv2.INTER_NEAREST), np.uint8)


def _spread_pct(gray: Pixels) -> float:
    """Return the standard deviation of a thumbnail after taking out its slow changes.

    A thing that covers the lens is out of focus: it has slow changes only.
    """
    thumbnail = cv2.resize(gray, _THUMBNAIL_PX, interpolation=cv2.INTER_AREA).astype(np.float32)
    return float((thumbnail - cv2.GaussianBlur(thumbnail, (0, 0), 3)).std()) / 2.55


def _noise(gray: Pixels) -> float:
    """Return the standard deviation of the noise: the median second difference along some rows.

    Most places in a picture are smooth, so the median sees noise where the mean sees edges.
    """
    rows = gray[::_NOISE_ROWS].astype(np.int16)
    bends = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    return float(np.median(bends)) / (_GAUSSIAN_MEDIAN * 6**0.5)


def _checkerboard(width: int) -> tuple[Pixels, Pixels]:
    white = np.zeros((_STRIP_ROWS, width), np.uint8)
    white[::2, ::2] = white[1::2, 1::2] = 255
    return white, ~white


def _halved(gray: Pixels) -> Pixels:
    return np.asarray(cv2.pyrDown(gray), np.uint8)


def _coarse(white: Pixels, black: Pixels) -> Pixels:
    size_px = (white.shape[1] * 2 // COARSE, white.shape[0] * 2 // COARSE)
    both = cv2.add(white, black)  # where numpy's sum of two halves of white is 0
    return np.asarray(cv2.resize(both, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _bends(view: Pixels, reduction: int) -> Bends:
    """Return the second derivatives xx, xy and yy, without what the strip's edges spoil."""
    margin = _MARGIN_ROWS // reduction
    orders = ((2, 0), (1, 1), (0, 2))
    whole = (cv2.Sobel(view, cv2.CV_32F, x, y, ksize=3, scale=0.25) for x, y in orders)
    return [np.asarray(bend, np.float32)[margin:-margin] for bend in whole]


def _products(ones: Bends, others: Bends) -> NDArray[np.float64]:
    return np.array([[np.vdot(one, other) for other in others] for one in ones])


def _along(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the products of the second derivatives along each direction."""
    along = np.einsum("di,ij,dj->d", _BEND_ALONG, products, _BEND_ALONG)
    return np.asarray(along, np.float64)


def _check(pixels: Pixels) -> None:
    is_bgr = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    if not is_bgr or min(pixels.shape[:2]) < SIDE_MIN_PX:
        raise ValueError(
            f"quality: {pixels.dtype} {pixels.shape} is not uint8 height x width x 3 "
            f"of at least {SIDE_MIN_PX} px a side"
        )
