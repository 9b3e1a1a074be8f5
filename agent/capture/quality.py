"""Pixels -> QualityReport: is this photo good enough to be evidence? Pure.

It says what it can tell from one picture: darkness, clipping, a lens covered as a whole, noise and
blur. A covered corner, a parcel out of the picture or a missing parcel it cannot tell.
"""

from collections.abc import Mapping
from typing import Final

import cv2  # noqa: TID251 - this is one of its doors
import numpy as np
from numpy.typing import NDArray

from agent.config import Thresholds
from agent.models import QualityReport, Verdict

WHITE_LEVEL: Final = 250
"""Luma from which a pixel counts as clipped. Source: 255 less what JPEG's ringing takes away."""

SIDE_MIN_PX: Final = 64
"""Shortest side that can be judged. Source: the coarse view has an eighth of it, 8 px."""

COARSE: Final = 8
"""Reduction of the view that blur is measured against. Source: a smear of 24 px takes about half
of this view's squared gradients and 98 % of the fine ones along it (scenes, 2026-11)."""

CONTRAST_FLOOR: Final = 10.0
"""Added to the coarse gradients, so that grain on nothing is not sharp. Source: a quarter of the
least that a door showed, 36: by lamp, smeared over 24 px (scenes, 2026-11)."""

_SHARPNESS_UNIT: Final = 1000
_THUMBNAIL_PX: Final = (64, 36)
_GAUSSIAN_MEDIAN: Final = 0.6745
_NOISE_ROWS: Final = 8
_AXES: Final = ((1, 0), (0, 1))
_MARGIN_ROWS: Final = 2
_BAND_ROWS: Final = 64
"""Sharpness goes band by band, in what the core's cache holds: fresh memory for whole pictures cost
half as much again (2304 x 1296, x86-64, 2026-11)."""

Pixels = NDArray[np.uint8]


def luma(pixels_bgr: Pixels) -> Pixels:
    """Return height x width luma of a height x width x 3 BGR picture, both uint8."""
    return np.asarray(cv2.cvtColor(pixels_bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def sharpness(frame_pixels_bgr: Pixels) -> float:
    """Return how much fine detail there is for the coarse detail there is; about 0 to 500.

    Fine detail is the second derivative of two disjoint pixel sets, multiplied: noise has no
    part in it, since it differs between the sets. Coarse detail is the gradient of a view an
    eighth in size; dividing by it takes contrast, light and subject out. Both are measured
    along x and along y, and the lesser counts: a smear spares the edges that it follows.

    Args:
        frame_pixels_bgr: height x width x 3, uint8; what is over after the last eighth is left out.

    Raises:
        ValueError: not such a picture, or a side shorter than 64 px.
    """
    _check(frame_pixels_bgr)
    height, width = (side // COARSE * COARSE for side in frame_pixels_bgr.shape[:2])
    pixels = frame_pixels_bgr[:height, :width]
    fine_sums: dict[tuple[int, int], float] = dict.fromkeys(_AXES, 0.0)
    coarse_bands = []
    for top in range(0, height, _BAND_ROWS):
        above, below = min(top, _MARGIN_ROWS), min(top + _BAND_ROWS, height)
        gray = luma(pixels[top - above : below + _MARGIN_ROWS])
        band = slice(above, above + below - top)
        for axis in _AXES:
            fine_sums[axis] += _fine_sum(gray, band, *axis)
        coarse_bands.append(_coarse(gray[band]))
    coarse = np.concatenate(coarse_bands)
    set_px = coarse.size * COARSE**2 / 4
    return _SHARPNESS_UNIT * min(
        fine_sum / set_px / (_mean_square(_derivative(coarse, *axis)) + CONTRAST_FLOOR)
        for axis, fine_sum in fine_sums.items()
    )


def assess(
    frame_pixels_bgr: Pixels, thresholds: Thresholds, known_sharpness: float | None = None
) -> QualityReport:
    """Judge one height x width x 3 uint8 BGR picture.

    Args:
        frame_pixels_bgr: the picture.
        thresholds: where a score becomes a verdict.
        known_sharpness: where it was measured already: more than half of the work.

    Raises:
        ValueError: not such a picture, or a side shorter than 64 px.
    """
    _check(frame_pixels_bgr)
    sample = np.ascontiguousarray(luma(frame_pixels_bgr)[::2, ::2])
    scores = {
        "mean_pct": float(sample.mean()) / 2.55,
        "clipped_pct": 100 * np.count_nonzero(sample >= WHITE_LEVEL) / sample.size,
        "spread_pct": _spread_pct(sample),
        "noise": _noise(sample),
        "sharpness": sharpness(frame_pixels_bgr) if known_sharpness is None else known_sharpness,
    }
    rounded = {name: round(score, 2) for name, score in scores.items()}
    return QualityReport(_verdict(rounded, thresholds), rounded, thresholds.version)


def _verdict(scores: Mapping[str, float], thresholds: Thresholds) -> Verdict:
    """Ask in this order: each check is only true of a picture that passed those before it."""
    if scores["mean_pct"] < thresholds.dark_below_pct:
        return Verdict.DARK
    if scores["clipped_pct"] > thresholds.clipped_above_pct:
        return Verdict.CLIPPED
    if scores["spread_pct"] < thresholds.covered_below_pct:
        return Verdict.COVERED
    if scores["noise"] > thresholds.noisy_above:
        return Verdict.NOISY
    if scores["sharpness"] < thresholds.blurred_below:
        return Verdict.BLURRED
    return Verdict.OK


def _spread_pct(gray: Pixels) -> float:
    """Return the standard deviation of a thumbnail after taking out its slow changes.

    What lies on the lens is out of focus: it has slow changes only.
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


def _fine_sum(gray: Pixels, band: slice, x: int, y: int) -> float:
    """Return the sum over the band of both pixel sets' second derivatives, multiplied."""
    half_band = slice(band.start // 2, band.stop // 2)
    upper, lower = (
        _derivative(np.ascontiguousarray(gray[first::2, first::2]), 2 * x, 2 * y)[half_band]
        for first in (0, 1)
    )
    return float(np.vdot(upper, lower))


def _coarse(gray: Pixels) -> Pixels:
    size_px = (gray.shape[1] // COARSE, gray.shape[0] // COARSE)
    return np.asarray(cv2.resize(gray, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _derivative(gray: Pixels, order_x: int, order_y: int) -> NDArray[np.float32]:
    return np.asarray(cv2.Sobel(gray, cv2.CV_32F, order_x, order_y, ksize=1), np.float32)


def _mean_square(values: NDArray[np.float32]) -> float:
    return float(np.vdot(values, values)) / values.size


def _check(pixels: Pixels) -> None:
    is_bgr = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    if not is_bgr or min(pixels.shape[:2]) < SIDE_MIN_PX:
        raise ValueError(
            f"quality: {pixels.dtype} {pixels.shape} is not uint8 height x width x 3 "
            f"of at least {SIDE_MIN_PX} px a side"
        )
