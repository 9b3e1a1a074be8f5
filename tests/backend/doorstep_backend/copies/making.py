"""Makes a copy from a device's JPEG: decoded, looked at, blurred where it must be."""

from typing import Final

import cv2  # noqa: TID251 - as in area.py
import numpy as np

from agent.capture import jpeg
from doorstep_backend.copies import labels
from doorstep_backend.copies.area import Pixels, blurred
from doorstep_backend.copies.faces import FaceFinder
from doorstep_backend.copies.shows import Shows
from doorstep_backend.office import picture

QUALITY_PCT: Final = 90
"""Quality of a picture that is drawn again: no worse than a device's own, by default 85."""

OF_A_FACE: Final = 3
"""Colours across a face, and as many down: nine fit any person, and the rest cannot be restored."""

OF_A_LABEL: Final = 8
"""Colours across a parcel label and its surroundings: the parcel stays visible, its print not."""


class NotMade(RuntimeError):
    """There is no copy: whether there are faces is not known, so nothing is to be shown."""


def made(photo: bytes, shows: Shows, finder: FaceFinder) -> bytes:
    """Make the picture for people; it is the same bit for bit if there is nothing to blur.

    Raises:
        ValueError: it is no picture that can be shown (picture.py).
        NotMade: OpenCV gave up on it.
    """
    copy = picture.customer_copy(photo)
    try:
        hidden = _hidden(copy, shows, finder)
    except cv2.error as error:
        raise NotMade(f"OpenCV gave up: {' '.join(error.err.split())}") from error
    return copy if hidden is None else picture.drawn_anew(copy, jpeg.encode(hidden, QUALITY_PCT))


def _hidden(copy: bytes, shows: Shows, finder: FaceFinder) -> Pixels | None:
    """Return the pixels with the hidden areas blurred; None if there are none."""
    how = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(copy, np.uint8), how)
    if pixels is None:
        raise NotMade("it cannot be decoded")
    whole = np.asarray(pixels, np.uint8)
    faces = finder.areas(whole)
    printed = labels.areas(whole) if shows is Shows.NO_LABEL else []
    if not faces and not printed:
        return None
    return blurred(blurred(whole, printed, OF_A_LABEL), faces, OF_A_FACE)
