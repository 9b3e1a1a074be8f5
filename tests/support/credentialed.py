"""A fleet whose devices sign photos, and a photo to sign."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import numpy as np

from agent.capture.jpeg import encode
from agent.record import signing
from agent.record.certificates import CertificateChain
from agent.record.credentials import PhotoSigner, Source
from agent.record.exif import Exif, stamp
from tests.support.authority import Authority, new_authority

CAPTURE: Final[dict[str, Any]] = {
    "v": 1,
    "capture_id": "0b0f9b0e-3c1c-4a43-9f1c-3f4f6a3f2b11",
    "device": "van-0042",
    "utc": "2026-12-01T09:15:02.123Z",
    "clock": "gnss",
    "boot_id": "5d3f3a52-43e9-47b1-b7a1-0f6a2f6b6f0a",
    "monotonic_ns": 81_234_567_890,
    "position": {"lat_deg": 52.5200066, "lon_deg": 13.404954, "accuracy_m": 9.5, "age_s": 0.4},
}


def photo(width_px: int = 160, height_px: int = 90) -> bytes:
    """Make a JPEG with EXIF, as it is before it is signed."""
    slope = np.add.outer(np.arange(height_px), np.arange(width_px)) % 256
    return stamped(encode(np.repeat(slope[:, :, None], 3, axis=2).astype(np.uint8), 85))


def stamped(jpeg: bytes) -> bytes:
    """Add EXIF."""
    exif = Exif(
        taken=datetime(2026, 12, 1, 9, 15, 2, 123_000, UTC),
        unique_id="0b0f9b0e3c1c4a439f1c3f4f6a3f2b11",
        serial="van-0042",
        model="Doorstep simulated",
        size_px=(160, 90),
        place_deg=(52.5200066, 13.404954),
    )
    return stamp(jpeg, exif)


@dataclass(frozen=True)
class CertifiedDevice:
    """A device with an evidence certificate, by the fleet's authority or one below it."""

    authority: Authority = field(default_factory=new_authority)
    key: signing.PrivateKey = field(default_factory=signing.new_key)
    device_id: str = "van-0042"

    @cached_property
    def chain(self) -> CertificateChain:
        leaf = self.authority.issue(self.key.public_key(), self.device_id, evidence=True)
        return (leaf, *self.authority.above)

    @cached_property
    def signer(self) -> PhotoSigner:
        return PhotoSigner(self.key, self.chain)

    def sign(self, picture: bytes | None = None, source: Source = Source.CAPTURE) -> bytes:
        """Sign the picture, or a small one, with a manifest."""
        return self.signer.sign(picture or photo(), source, CAPTURE | {"device": self.device_id})
