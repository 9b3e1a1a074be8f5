"""GPSProcessingMethod: whether a receiver or a person said where the photo was taken."""

from datetime import UTC, datetime

import numpy as np
import piexif  # noqa: TID251 - somebody else's reader
import pytest

from agent.capture import jpeg
from agent.capture.exif import stamp
from agent.capture.photo_facts import GpsFacts, PhotoFacts


@pytest.mark.parametrize("method", ["GPS", "MANUAL"])
def test_the_photo_says_who_gave_its_position(method: str) -> None:
    """A position from the configuration is not called a receiver's; EXIF has MANUAL for it."""
    facts = PhotoFacts(
        capture_id="0b9ff0d2-6a0e-4a53-9d29-0c4f5b0c8c11",
        device_id="van-17",
        make="Raspberry Pi",
        model="imx708",
        software="doorstep",
        utc=datetime(2026, 12, 1, 9, 15, tzinfo=UTC),
        width_px=64,
        height_px=48,
        exposure_us=None,
        gain=None,
        position=GpsFacts(52.5, 13.4, 3, method=method),
    )

    stamped = stamp(jpeg.encode(np.zeros((48, 64, 3), np.uint8), 85), facts)

    written = piexif.load(stamped)["GPS"][piexif.GPSIFD.GPSProcessingMethod]
    assert written == b"ASCII\x00\x00\x00" + method.encode()
