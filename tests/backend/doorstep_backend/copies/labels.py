"""Finds the codes of parcels' labels, and what is printed around them."""

from collections.abc import Iterator
from math import ceil, dist, hypot, sqrt
from typing import Final

import cv2  # noqa: TID251 - as in area.py
import numpy as np
import zxingcpp  # noqa: TID251 - agent/capture/barcodes.py says what codes read, not where they are
from numpy.typing import NDArray

from agent.capture.barcodes import FORMATS
from doorstep_backend.copies.area import Area, Pixels
from hardware.camera import Luma

AROUND: Final = 1.0
"""Around a code of bars, of its longer side: a label of 4 x 6 inches has one as wide as itself."""

AROUND_SQUARE: Final = 3.0
"""Around a square code, of its side: 25 to 30 mm on the same label."""

TURNS_DEG: Final = (0, 30, 60)
"""Bars are read within 15 degrees of lying or standing (barcodes.py): so a parcel may lie askew."""


MOST_TURNED_PX: Final = 28_000_000
"""Pixels of a turned picture that is searched: as many as a turned one of 4608 x 2592 has, the
largest of a device's camera. zxing-cpp takes several times that memory: a picture of 24 megapixels,
in 61 KB, took 291 MB besides the picture itself when it was searched whole.
"""


def areas(pixels: Pixels) -> list[Area]:
    """Return what is around each code that can be read; a larger picture is searched reduced.

    Names and addresses themselves are not searched. What is only nearly a code is left: door
    handles are (zxing-cpp's `return_errors`).
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    share = searched_share(*grey.shape)
    if share < 1.0:
        height, width = (max(1, int(share * side)) for side in grey.shape)
        grey = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    found = [one for turn_deg in TURNS_DEG for one in _turned(grey, turn_deg)]
    return [one.scaled(1 / share) for one in found]


def searched_share(height: int, width: int) -> float:
    """Return the share of its sides to which a picture of so many pixels is reduced, at most 1."""
    return min(1.0, sqrt(MOST_TURNED_PX) / hypot(width, height))


def _turned(grey: Luma, turn_deg: int) -> Iterator[Area]:
    """Return the areas of what is read in the picture when it is turned about its middle."""
    height, width = grey.shape
    side = ceil(hypot(width, height)) if turn_deg else 0
    size_px = (max(side, width), max(side, height))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1.0)
    turn[:, 2] += np.array(((size_px[0] - width) / 2, (size_px[1] - height) / 2))
    turned = cv2.warpAffine(grey, turn, size_px) if turn_deg else np.ascontiguousarray(grey)
    back = cv2.invertAffineTransform(turn)
    for code in zxingcpp.read_barcodes(turned, formats=FORMATS):
        place = code.position
        corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        yield _around(np.array([(one.x, one.y, 1) for one in corners]) @ back.T)


def _around(corners: NDArray[np.float64]) -> Area:
    wide, high = dist(corners[0], corners[1]), dist(corners[0], corners[3])
    is_square = max(wide, high) < 1.5 * min(wide, high)
    first, last = corners.min(axis=0), corners.max(axis=0)
    code = Area(*(round(float(edge)) for edge in (*first, *last)))
    return code.grown(AROUND_SQUARE if is_square else AROUND)
