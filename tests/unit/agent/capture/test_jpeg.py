"""Encoding is OpenCV's; what it gets and what it says is ours."""

import cv2  # noqa: TID251 - an independent reader of what was encoded
import numpy as np
import pytest

from agent.capture import jpeg


def test_a_picture_comes_back_as_it_was() -> None:
    """Colours in their order, within what JPEG loses."""
    pixels = np.full((48, 64, 3), (200, 120, 40), np.uint8)

    decoded = cv2.imdecode(np.frombuffer(jpeg.encode(pixels, 85), np.uint8), cv2.IMREAD_COLOR)

    assert decoded is not None
    assert np.abs(decoded.astype(int) - pixels).max() <= 4


def test_lower_quality_is_smaller() -> None:
    """The setting reaches the encoder."""
    pixels = np.random.default_rng(3).integers(0, 256, (96, 128, 3), dtype=np.uint8)

    assert (
        len(jpeg.encode(pixels, 30)) < len(jpeg.encode(pixels, 85)) < len(jpeg.encode(pixels, 100))
    )


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 4), (0, 64, 3), (2, 65_536, 3)])
def test_invalid_jpeg_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    """Grey, with alpha, empty, or longer than the format can say."""
    with pytest.raises(ValueError, match=r"JPEG: .*\("):
        jpeg.encode(np.zeros(shape, np.uint8), 85)


@pytest.mark.parametrize("quality_pct", [0, 101, -5])
def test_invalid_quality_is_refused(quality_pct: int) -> None:
    """OpenCV would clamp it in silence."""
    with pytest.raises(ValueError, match=f"quality_pct: {quality_pct} is not from 1 to 100"):
        jpeg.encode(np.zeros((8, 8, 3), np.uint8), quality_pct)
