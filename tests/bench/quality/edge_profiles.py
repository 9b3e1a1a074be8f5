"""A score of sharpness to compare the product's with: how steep the edges are."""

from collections.abc import Callable
from typing import Final

import cv2  # noqa: TID251 - measures pictures
import numpy as np
from numpy.typing import NDArray

from agent.capture.quality import Pixels, luma

Floats = NDArray[np.float32]

BLURRED_BELOW: Final = 100.0

_EDGES: Final = 1_500
_SLOPE_MIN: Final = 1.0
"""Least slope of an edge in the coarse view, so that nothing has no edges."""

_MARGIN: Final = 6
"""Width of the coarse view's border in which no edge counts: a line reaches as far."""

_ALONG: Final = np.array([-5, -3, -1, 1, 3, 5], np.float32)
"""Places along an edge where lines cross it, in pixels of the half view.

A line and the next but one are 8 px of the picture apart: noise of a Bayer sensor reaches 2 px,
denoising 5 px, a JPEG's block 8 px.
"""

_WIDEST: Final = 4
_ACROSS: Final = np.arange(-6 - _WIDEST, 7 + _WIDEST, dtype=np.float32)
"""Places on a line: 6 px to both sides, and more for the widest difference."""

_ANGLES: Final = np.radians(np.arange(0, 180, 22.5))
_DIRECTIONS: Final = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1).astype(np.float32)
_NARROWNESS: Final = 8
_SHARE_MIN: Final = 0.01
"""Least share of the edges for a direction to count."""

_CONTRAST_FLOOR: Final = 200.0
_CONTRAST_POWER: Final = 1.5


def sharpness(pixels_bgr: Pixels) -> float:
    """Return the sharpness of the sharper edges, in the direction where it is least.

    Six lines cross each of the strongest edges. Differences along a line are compared with those
    over twice as many pixels. Each difference is multiplied with that of a line 8 px further along
    the same edge, whose noise is independent, so the mean product is free of noise. Most pictures
    also have soft edges, so a high quantile counts. The constants were chosen by the half `tune`
    (2026-11).
    """
    half = _halved(luma(pixels_bgr))
    centres, normals = _strongest(half)
    if not normals.size:
        return 0.0
    near = np.abs(_DIRECTIONS @ normals) ** _NARROWNESS
    near = near[near.sum(axis=1) > _SHARE_MIN * near.sum()]
    lines = _crossed(half, centres, normals)
    smear = _least(lines, _slopes, 2, near, 0.85) / 0.393
    focus = _least(lines, _bends, 1, near, 0.95) / 0.163
    curve = _least(lines, _bends, 2, near, 0.95) / 0.273
    return 100 * min(smear, focus, curve)


def _halved(gray: Pixels) -> Pixels:
    size_px = (gray.shape[1] // 2, gray.shape[0] // 2)
    return np.asarray(cv2.resize(gray, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _strongest(half: Pixels) -> tuple[Floats, Floats]:
    """Return edges: their places in the half view and their unit normals, each 2 x edges."""
    coarse = cv2.GaussianBlur(_halved(half), (0, 0), 1)
    slopes = np.stack([cv2.Sobel(coarse, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))])
    strength = np.hypot(*slopes)
    peaks = strength >= np.maximum(cv2.dilate(strength, np.ones((3, 3), np.uint8)), _SLOPE_MIN)
    y, x = np.nonzero(peaks[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN])
    strongest = np.argsort(strength[y + _MARGIN, x + _MARGIN])[-_EDGES:]
    y, x = y[strongest] + _MARGIN, x[strongest] + _MARGIN
    return np.stack([x, y]).astype(np.float32) * 2 + 0.5, slopes[:, y, x] / strength[y, x]


def _crossed(half: Pixels, centres: Floats, normals: Floats) -> Floats:
    """Return the levels on the lines across edges: edges x lines x places."""
    along = np.stack([-normals[1], normals[0]])[..., None] * _ALONG
    places = (centres[..., None] + along)[..., None] + normals[..., None, None] * _ACROSS
    x, y = places.reshape(2, -1, len(_ACROSS))
    levels = cv2.remap(half, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return levels.reshape(places.shape[1:]).astype(np.float32)


def _slopes(before: Floats, _: Floats, after: Floats) -> Floats:
    return after - before


def _bends(before: Floats, at: Floats, after: Floats) -> Floats:
    return before + after - 2 * at


def _least(
    lines: Floats,
    difference: Callable[[Floats, Floats, Floats], Floats],
    step: int,
    near: Floats,
    share: float,
) -> float:
    """Return a quantile of the edges' fine-to-wide ratios, in the direction where it is least."""
    fine, wide = (_common(lines, difference, one) for one in (step, 2 * step))
    wide = np.maximum(wide, _CONTRAST_FLOOR)
    ratios = fine / wide
    order = np.argsort(ratios)
    weights = np.cumsum((near * wide**_CONTRAST_POWER)[:, order], axis=1)
    places = (weights < share * weights[:, -1:]).sum(axis=1)
    return float(ratios[order[places]].min())


def _common(
    lines: Floats, difference: Callable[[Floats, Floats, Floats], Floats], step: int
) -> Floats:
    """Return each edge's mean product of differences on a line and on the next line but one."""
    end = len(_ACROSS) - _WIDEST
    details = difference(*(lines[..., _WIDEST + by : end + by] for by in (-step, 0, step)))
    products = np.einsum("els,els->e", details[:, :-2], details[:, 2:])
    return np.asarray(products / (len(_ALONG) - 2), np.float32)
