"""Eleven photographs that ship in packages."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - reads pictures
import numpy as np

from agent.capture.quality import Pixels

FRAME_PX: Final = (2304, 1296)
"""The device's frame. Wider photographs are reduced to its width and cut to its height; smaller
ones stay as they are, since enlarging softens."""

_MATE: Final = Path("/usr/share/backgrounds/mate")

PLACES: Final = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "brick": ("skimage", "data/brick.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "elephants": (None, "abstract/Elephants.jpg"),
    "wood": (None, "nature/Wood.jpg"),
    "wings": (None, "nature/TwoWings.jpg"),
}
"""The package, or None for Debian's mate-backgrounds, and the file in it."""


def photograph(name: str) -> Pixels:
    """Return the photograph as the device would hold it: height x width x 3, uint8, BGR."""
    package, file = PLACES[name]
    path = (_folder(package) if package else _MATE) / file
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise FileNotFoundError(f"{path}: scripts/test installs what has it")
    return _framed(np.asarray(pixels, np.uint8))


def _folder(package: str) -> Path:
    """Where a package lies; it is not imported, which would take a second."""
    spec = find_spec(package)
    assert spec is not None, package
    assert spec.origin is not None, package
    return Path(spec.origin).parent


def _framed(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    if width <= FRAME_PX[0]:
        return pixels
    size_px = (FRAME_PX[0], round(height * FRAME_PX[0] / width))
    reduced = np.asarray(cv2.resize(pixels, size_px, interpolation=cv2.INTER_AREA), np.uint8)
    top = max(0, (len(reduced) - FRAME_PX[1]) // 2)
    return reduced[top : top + FRAME_PX[1]]
