"""The encoder from pixels to JPEG bytes in memory; it writes no file."""

import cv2  # noqa: TID251 - one of the importers
import numpy as np
from numpy.typing import NDArray


def encode(pixels_bgr: NDArray[np.uint8], quality_pct: int) -> bytes:
    """Encode a height x width x 3 uint8 BGR picture as a baseline JPEG.

    Args:
        pixels_bgr: up to 65,535 pixels a side.
        quality_pct: 1 to 100, as libjpeg counts.

    Raises:
        ValueError: not such a picture or quality, or OpenCV refused it; says which.
    """
    if pixels_bgr.dtype != np.uint8 or pixels_bgr.ndim != 3 or pixels_bgr.shape[2] != 3:
        raise ValueError(
            f"JPEG: pixels are {pixels_bgr.dtype} {pixels_bgr.shape}, "
            "not uint8 of height x width x 3"
        )
    if not 1 <= quality_pct <= 100:
        raise ValueError(f"JPEG: quality_pct: {quality_pct} is not from 1 to 100")
    try:
        done, encoded = cv2.imencode(".jpg", pixels_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality_pct])
    except cv2.error as error:
        raise ValueError(f"JPEG: OpenCV refused {pixels_bgr.shape}: {error.err}") from error
    if not done:
        raise ValueError(f"JPEG: OpenCV wrote nothing for {pixels_bgr.shape}")
    return encoded.tobytes()
