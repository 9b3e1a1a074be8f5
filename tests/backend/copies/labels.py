"""Finds the codes of parcels' labels, and what is printed around them."""

from typing import Final

import cv2  # noqa: TID251 - as in area.py
import numpy as np
import zxingcpp  # noqa: TID251 - agent/capture/barcodes.py says what codes read, not where they are

from agent.capture.barcodes import FORMATS
from tests.backend.copies.area import Area, Pixels

AROUND: Final = 1.0
"""Around a code of bars, of its longer side: a label of 4 x 6 inches has one as wide as itself."""

AROUND_SQUARE: Final = 3.0
"""Around a square code, of its side: 25 to 30 mm on the same label."""


def areas(pixels: Pixels) -> list[Area]:
    """Around each code that can be read; names and addresses themselves are not looked for.

    What is only nearly a code is left: door handles are (zxing-cpp's `return_errors`).
    """
    grey = np.ascontiguousarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    found = zxingcpp.read_barcodes(grey, formats=FORMATS)
    return [_around(code.position) for code in found]


def _around(place: zxingcpp.Position) -> Area:
    corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
    across, down = [one.x for one in corners], [one.y for one in corners]
    code = Area(min(across), min(down), max(across), max(down))
    wide, high = code.right - code.left, code.bottom - code.top
    is_square = max(wide, high) < 1.5 * min(wide, high)
    return code.grown(AROUND_SQUARE if is_square else AROUND)
