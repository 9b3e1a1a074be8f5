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

Pixels = NDArray[np.uint8]
Detail = NDArray[np.float32]

WHITE_LEVEL: Final = 250
"""Luma from which a pixel counts as clipped. Source: 255 less what JPEG's ringing takes away."""

SIDE_MIN_PX: Final = 64
"""Shortest side that can be judged. Source: a block has 48 px."""

BLOCK_PX: Final = 48
"""Side of the blocks in which detail is summed. Source: 48 divides the device's frame; with sides
of 32 to 64, verdicts on photographs are nearly the same (tests/bench/quality, 2026-11)."""

FINE_WEIGHT: Final = 6.0
"""Weight of the fine view's detail in its comparison with the coarse view's.

Lines of print have little detail in the middle view, so the fine view may speak for it. An edge
would need 8; 6 is less, and half of the noise is taken off, because some noise is left. Source:
only with this weight is a printed page sharp; photographs are judged the same without it
(tests/bench/quality, 2026-11)."""

CONTRAST_FLOOR: Final = 25.0
"""Added to the detail of the coarser view, so that grain on nothing is not sharp. Source: with 6
to 25, verdicts on photographs are the same (tests/bench/quality, 2026-11)."""

_FLAT_SHARE: Final = 3
_BRIGHTNESS_BANDS: Final = 6
"""Noise is the detail of the flattest third of the blocks, in each of six bands of brightness.

Source: noise depends on brightness; with a quarter to a third, and with four to nine bands,
verdicts on photographs are the same (tests/bench/quality, 2026-11)."""

_THUMBNAIL_PX: Final = (64, 36)
_GAUSSIAN_MEDIAN: Final = 0.6745
_NOISE_ROWS: Final = 32

_STRIP_ROWS: Final = 96
"""Rows of a view that are computed at once, a multiple of every block's: their floats take 1.3 MB,
not 9. 48 rows take a sixth more time, 144 hardly less (x86-64, 2026-11)."""

_ANGLES: Final = np.radians(np.arange(0, 180, 7.5))
_ALONG: Final[Detail] = np.stack(
    [
        np.cos(_ANGLES) ** 4,
        np.sin(2 * _ANGLES) ** 2,
        np.sin(_ANGLES) ** 4,
        2 * np.cos(_ANGLES) ** 2 * np.sin(2 * _ANGLES),
        2 * np.sin(2 * _ANGLES) * np.sin(_ANGLES) ** 2,
        2 * np.cos(_ANGLES) ** 2 * np.sin(_ANGLES) ** 2,
    ],
    axis=1,
).astype(np.float32)
_ORDERS: Final = ((2, 0), (1, 1), (0, 2))
_PRODUCTS: Final = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))
"""24 directions: the weights of the products of xx, xy and yy in the square of the second
derivative along each.

Source: Freeman and Adelson, The Design and Use of Steerable Filters, 1991."""


def luma(pixels_bgr: Pixels) -> Pixels:
    """Return height x width luma of a height x width x 3 BGR picture, both uint8."""
    return np.asarray(cv2.cvtColor(pixels_bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def sharpness(frame_pixels_bgr: Pixels) -> float:
    """Return the ratio of fine to coarse detail, in the direction where it is least.

    A perfect edge has 100. Detail is the second derivative, squared, in views of a half, a quarter
    and a sixteenth of the size: fine, middle and coarse. It is measured along 24 directions,
    because a smear spares the edges that it follows. A ratio does not depend on contrast, light
    or subject. Fine to middle finds defocus, middle to coarse finds smears along lines and arcs,
    and the smaller one counts.

    Noise is everywhere, edges are not. So noise is measured where the picture is flat, and
    subtracted, and a cubic mean gives the blocks with the strongest edges the most weight.

    Args:
        frame_pixels_bgr: height x width x 3, uint8; rows and columns after the last whole block of
            48 px do not count.

    Raises:
        ValueError: not such a picture, or a side shorter than 64 px.
    """
    _check(frame_pixels_bgr)
    return _sharpness(_half(frame_pixels_bgr))


def _sharpness(half: Pixels) -> float:
    height, width = (side * 2 // BLOCK_PX * BLOCK_PX // 2 for side in half.shape)
    fine_view = half[:height, :width]
    middle_view = _reduced(fine_view, 2)
    coarse_view = _reduced(middle_view, 4)
    fine = _products(fine_view, BLOCK_PX // 2, every=2)
    middle = _products(middle_view, BLOCK_PX // 4)
    coarse = _products(coarse_view, BLOCK_PX // 16)
    brightness = _reduced(coarse_view, BLOCK_PX // 16).ravel()
    fine, middle, noise = _without_noise(fine, middle, brightness)
    details = [_strongest(blocks) for blocks in (fine, middle, coarse)]
    defocus = 2 * details[0] / (details[1] + CONTRAST_FLOOR)
    print_like = FINE_WEIGHT * (details[0] - noise / 2)
    motion = np.maximum(4 * details[1], print_like) / (details[2] + CONTRAST_FLOOR)
    return 100 * float(min(defocus.min(), motion.min()))


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
    half = _half(frame_pixels_bgr)
    scores = {
        "mean_pct": cv2.mean(half)[0] / 2.55,
        "clipped_pct": 100 * np.count_nonzero(half >= WHITE_LEVEL) / half.size,
        "spread_pct": _spread_pct(half),
        "noise": _noise(half),
        "sharpness": _sharpness(half) if known_sharpness is None else known_sharpness,
    }
    rounded = {name: round(score, 2) for name, score in scores.items()}
    return QualityReport(_verdict(rounded, thresholds), rounded, thresholds.version)


def _verdict(scores: Mapping[str, float], thresholds: Thresholds) -> QualityVerdict:
    """Return the first verdict that applies: each check needs a picture that passed the others."""
    if scores["mean_pct"] < thresholds.dark_below_pct:
        return QualityVerdict.DARK
    if scores["clipped_pct"] > thresholds.clipped_above_pct:
        return QualityVerdict.CLIPPED
    if scores["spread_pct"] < thresholds.covered_below_pct:
        return QualityVerdict.COVERED
    if scores["sharpness"] < thresholds.blurred_below:
        return QualityVerdict.BLURRED
    if scores["noise"] > thresholds.noisy_above:
        return QualityVerdict.NOISY
    return QualityVerdict.OK


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


def _half(pixels_bgr: Pixels) -> Pixels:
    """Return luma of half the size; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in pixels_bgr.shape[:2])
    return _reduced(luma(pixels_bgr[:height, :width]), 2)


def _reduced(view: Pixels, reduction: int) -> Pixels:
    size_px = (view.shape[1] // reduction, view.shape[0] // reduction)
    return np.asarray(cv2.resize(view, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _products(view: Pixels, side: int, every: int = 1) -> Detail:
    """Return the mean products of the second derivatives xx, xy and yy: 6 x blocks.

    Args:
        view: height x width, both multiples of `side`.
        side: a block's, in pixels of the view.
        every: 1 to use each row, 2 for every other row: a quarter of the time less, and no other
            verdict.
    """
    sums: list[list[Detail]] = []
    for top in range(0, len(view), _STRIP_ROWS):
        rows = view[max(0, top - 1) : top + _STRIP_ROWS + 1]  # with one more row on either side
        inner = slice(min(top, 1), min(top, 1) + min(_STRIP_ROWS, len(view) - top), every)
        whole = (cv2.Sobel(rows, cv2.CV_32F, x, y, ksize=3, scale=0.25) for x, y in _ORDERS)
        bends = [bend[inner].reshape(-1, side // every, view.shape[1]) for bend in whole]
        columns = (np.einsum("brx,brx->bx", bends[i], bends[j]) for i, j in _PRODUCTS)
        sums.append([column.reshape(-1, side).sum(axis=1) for column in columns])
    return np.asarray(np.concatenate(sums, axis=1) * (every / side**2), np.float32)


def _without_noise(
    fine: Detail, middle: Detail, brightness: Pixels
) -> tuple[Detail, Detail, float]:
    """Subtract from each block's products those of the flattest blocks of its brightness.

    Returns:
        The blocks of both views, ordered by brightness, and the mean of what was subtracted from
        the fine view, along one direction.
    """
    before = fine[[0, 2]].mean()
    order = np.argsort(brightness, kind="stable")
    fine, middle = fine[:, order], middle[:, order]
    views = (np.array_split(blocks, _BRIGHTNESS_BANDS, axis=1) for blocks in (fine, middle))
    for bands in zip(*views, strict=True):  # parts of the arrays, not copies
        strength = bands[1][0] + 2 * bands[1][1] + bands[1][2]
        flat = np.argsort(strength, kind="stable")[: -(-len(strength) // _FLAT_SHARE)]
        for band in bands if flat.size else ():
            np.subtract(band, band[:, flat].mean(axis=1, keepdims=True), out=band)
    return fine, middle, float(before - fine[[0, 2]].mean())


def _strongest(products: Detail) -> Detail:
    """Return the detail along each direction: the cubic mean of the blocks."""
    along = np.maximum(_ALONG @ products, 0)
    return np.asarray(np.cbrt((along * along * along).mean(axis=1)), np.float32)


def _check(pixels: Pixels) -> None:
    is_bgr = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    if not is_bgr or min(pixels.shape[:2]) < SIDE_MIN_PX:
        raise ValueError(
            f"quality: {pixels.dtype} {pixels.shape} is not uint8 height x width x 3 "
            f"of at least {SIDE_MIN_PX} px a side"
        )
