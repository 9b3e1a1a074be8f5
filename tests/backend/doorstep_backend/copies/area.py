"""A part of a picture, and what is left of it when it is blurred."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import cv2  # noqa: TID251 - blurs what people are shown, in the backend alone
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""height x width x 3, BGR."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in pixels, without its right and lower edge; it may reach beyond the picture."""

    left: int
    top: int
    right: int
    bottom: int

    def grown(self, share: float) -> Self:
        """Return it larger by a share of its longer side, on every side."""
        more = round(share * max(self.right - self.left, self.bottom - self.top))
        return type(self)(self.left - more, self.top - more, self.right + more, self.bottom + more)

    def scaled(self, by: float) -> Self:
        """Return it in a picture whose sides are `by` times as long."""
        edges = (self.left, self.top, self.right, self.bottom)
        return type(self)(*(round(by * edge) for edge in edges))


def blurred(pixels: Pixels, areas: Iterable[Area], blocks: int) -> Pixels:
    """Return a copy in which each area has `blocks` x `blocks` colours, and no detail."""
    copy = pixels.copy()
    for area in areas:
        part = copy[max(0, area.top) : max(0, area.bottom), max(0, area.left) : max(0, area.right)]
        if part.size:
            few = cv2.resize(part, (blocks, blocks), interpolation=cv2.INTER_AREA)
            size_px = (part.shape[1], part.shape[0])
            part[:] = cv2.resize(few, size_px, interpolation=cv2.INTER_CUBIC)
    return copy
