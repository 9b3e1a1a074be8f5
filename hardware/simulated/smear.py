"""Motion during an exposure: a picture smeared along any path; pure."""

from collections.abc import Sequence
from typing import Final, TypeVar

import cv2  # noqa: TID251 - one of the importers
import numpy as np
from numpy.typing import NDArray

_Light = TypeVar("_Light", NDArray[np.float32], NDArray[np.uint16])

Path = list[tuple[float, float]]

_STEPS_PER_PX: Final = 8
"""Places counted in each pixel of a path's length: more of them change no weight by 0.01."""

_ARC_STEP_DEG: Final = 2.0
"""Turn from point to point of an arc: a circle 100 px across is off by less than 0.01 px."""


def line(length_px: float, direction_deg: float) -> Path:
    """Return a straight path; direction 0 is to the right, 90 is down."""
    angle = np.radians(direction_deg)
    x, y = length_px / 2 * np.cos(angle), length_px / 2 * np.sin(angle)
    return [(-x, -y), (x, y)]


def arc(across_px: float, sweep_deg: float, direction_deg: float) -> Path:
    """Return a part of a circle.

    Args:
        across_px: largest distance between two of the arc's points.
        sweep_deg: part of the circle, up to 360; 0 is a line.
        direction_deg: direction of motion in the arc's middle, counted as for a line.
    """
    if sweep_deg < _ARC_STEP_DEG:
        return line(across_px, direction_deg)
    radius_px = across_px / 2 / np.sin(np.radians(min(sweep_deg, 180.0) / 2))
    turns = np.linspace(-sweep_deg / 2, sweep_deg / 2, int(sweep_deg / _ARC_STEP_DEG) + 2)
    angles = np.radians(direction_deg - 90.0 + turns)
    return list(zip(radius_px * np.cos(angles), radius_px * np.sin(angles), strict=True))


def moved(light: _Light, path_px: Sequence[tuple[float, float]]) -> _Light:
    """Smear linear light along a path that is travelled at even speed during the exposure.

    The picture as a whole does not move: the mean of the path is its origin.

    Args:
        light: height x width x channels, linear, float32 or uint16.
        path_px: corners of the path, x to the right and y down.
    """
    kernel = _kernel(_places(np.asarray(path_px, float)))
    return light if kernel.size == 1 else cv2.filter2D(light, -1, kernel)  # type: ignore[return-value]  # the type of the argument


def _places(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return places at even distances along a path, relative to their mean."""
    ways = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = int(np.ceil(ways[-1] * _STEPS_PER_PX)) + 1
    at = (np.arange(count) + 0.5) / count * ways[-1]
    places = np.stack([np.interp(at, ways, path[:, axis]) for axis in (0, 1)], axis=1)
    return np.asarray(places - places.mean(axis=0), np.float64)


def _kernel(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the share of light that falls on each pixel, split between the four nearest."""
    half = int(np.ceil(np.abs(places).max()))
    kernel = np.zeros((2 * half + 3, 2 * half + 3))
    corner = np.floor(places).astype(int)
    right, low = (places - corner).T
    for down, across, share in (
        (0, 0, (1 - right) * (1 - low)),
        (0, 1, right * (1 - low)),
        (1, 0, (1 - right) * low),
        (1, 1, right * low),
    ):
        at = corner + half + 1
        np.add.at(kernel, (at[:, 1] + down, at[:, 0] + across), share)
    # filter2D collects from around a pixel: light that moves to the right comes from the left.
    kernel = kernel[::-1, ::-1] / kernel.sum()
    return np.asarray(kernel, np.float32) if len(places) > 1 else np.ones((1, 1), np.float32)
