"""A chart of dead leaves: discs that lie on each other, sharp edges in every direction and size."""

from typing import Final

import cv2  # noqa: TID251 - paints pictures
import numpy as np

from agent.capture.quality import Pixels

SIZE_PX: Final = (640, 480)
_LEAVES: Final = 6_000
_RADII_PX: Final = (3.0, 120.0)
_SHIFT_BITS: Final = 4


def dead_leaves(seed: int) -> Pixels:
    """Return height x width x 3 uint8 grey leaves; radii are as frequent as 1 by their cube.

    Source: ISO/TS 19567-2, texture analysis by circles of random size and grey.
    """
    rng = np.random.default_rng(seed)
    least, most = _RADII_PX
    radii = (least**-2 - rng.random(_LEAVES) * (least**-2 - most**-2)) ** -0.5
    centres = rng.random((_LEAVES, 2)) * SIZE_PX
    greys = rng.integers(40, 216, _LEAVES)
    chart = np.full((SIZE_PX[1], SIZE_PX[0]), 128, np.uint8)
    for centre, radius, grey in zip(centres, radii, greys, strict=True):
        x, y, r = (round(float(length) * 2**_SHIFT_BITS) for length in (*centre, radius))
        cv2.circle(chart, (x, y), r, int(grey), cv2.FILLED, cv2.LINE_AA, _SHIFT_BITS)
    return chart[..., None].repeat(3, axis=2)
