"""Records with a real photo: EXIF, Content Credentials and record.json that tell of one press."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from agent import __version__
from agent.capture.exif import stamp
from agent.capture.photo_facts import GpsFacts, PhotoFacts
from agent.models import Kind, Label
from agent.record import certificates, sealing
from agent.record import file as recordfile
from agent.record.certificates import Chain
from agent.record.credentials import PhotoSigner, Source
from tests.support.authority import Authority, new_authority
from tests.support.factory import MOMENT, Made, RecordMaker
from tests.support.sealed import RECIPIENTS

PLAIN = b"\xff\xd8\xff\xdb\x00\x43\x00" + b"\x10" * 64
PLAIN += b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
PLAIN += b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00 picture \xff\xd9"
"""Segments as in a JPEG; nobody looks at what they would show."""

PLACE = {
    "lat_deg": 52.5200066,
    "lon_deg": -13.404954,
    "alt_m": 34.2,
    "accuracy_m": 9.5,
    "hdop": 1.1,
    "satellites": 9,
    "mode": 3,
    "age_s": 0.4,
    "utc": "2026-12-01T09:15:01.600Z",
}

FIXED: Final = GpsFacts(
    52.5200066, -13.404954, 3, 34.2, 9.5, 1.1, 9, MOMENT - timedelta(seconds=0.4)
)
"""The same place as EXIF has it."""


MODELS: Final = {
    Source.CAPTURE: "Doorstep picamera2",
    Source.COMPOSITE: "Doorstep v4l2",
    Source.ALGORITHM: "Doorstep simulated",
}
"""The camera in the EXIF, by the origin in the Content Credentials."""


@dataclass
class Camera:
    """A device of a fleet: its records have a photo each; the authority is the fleet's."""

    maker: RecordMaker = field(default_factory=RecordMaker.begun)
    authority: Authority = field(default_factory=new_authority)
    seals: bool = False

    @cached_property
    def chain(self) -> Chain:
        key = self.maker.key.public_key()
        return (self.authority.issue(key, self.maker.device_id, evidence=True),)

    @property
    def certificate_pem(self) -> bytes:
        return certificates.pem(self.chain)

    def facts(self, label: Label) -> PhotoFacts:
        """EXIF as the device writes it, 12.3 ms after the press, exposed for 8 ms."""
        return PhotoFacts(
            capture_id=label.capture_id,
            device_id=label.device_id,
            make="Doorstep",
            model="",
            software=f"doorstep {__version__}",
            utc=datetime.fromisoformat(label.utc) + timedelta(milliseconds=20.3),
            width_px=8,
            height_px=8,
            exposure_us=8000,
            gain=2.104,
            position=FIXED,
        )

    def make(
        self,
        *,
        exif: Mapping[str, Any] | None = None,
        claim: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
        photo: Mapping[str, Any] | None = None,
        signs: bool = True,
        signer: "Camera | None" = None,
        plain: bytes = PLAIN,
        tail: bytes = b"",
        kind: str = Kind.PHOTO,
        source: Source = Source.CAPTURE,
        stamps: bool = True,
    ) -> Made:
        """The next record; what is given replaces what the device would say there."""
        label = self.maker._label(kind, recordfile.describe(b""))  # noqa: SLF001 - the label that will be signed
        facts = replace(self.facts(label), model=MODELS[source])
        picture = stamp(plain, replace(facts, **exif or {})) if stamps else plain
        if signs:
            by = signer or self
            said = self.claim(label) | dict(claim or {})
            picture = PhotoSigner(by.maker.key, by.chain).sign(picture, source, said)
        picture += tail
        told = self.told(picture, signs=signs) | dict(photo or {})
        inside = {"position": PLACE, "photo": told, "agent": __version__, "manifest": "off"} | dict(
            record or {}
        )
        body = recordfile.pack_body(inside, picture, MOMENT)
        media_type = recordfile.BODY_TYPE
        if self.seals:
            body, media_type = sealing.seal(body, RECIPIENTS), sealing.SEALED_TYPE
        label = replace(label, body=recordfile.describe(body, media_type))
        made = Made(label, recordfile.sign(label, body, self.maker.key))
        self.maker.seq, self.maker.prev = label.seq, made.label_sha256
        return made

    def claim(self, label: Label) -> dict[str, Any]:
        names = ("lat_deg", "lon_deg", "accuracy_m", "age_s")
        return {
            "v": 1,
            "capture_id": label.capture_id,
            "device": label.device_id,
            "utc": label.utc,
            "clock": label.clock,
            "boot_id": label.boot_id,
            "monotonic_ns": label.monotonic_ns,
            "position": {name: PLACE[name] for name in names},
        }

    def told(self, picture: bytes, *, signs: bool) -> dict[str, Any]:
        why = {} if signs else {"credentials_missing": "switched off"}
        return {
            "sha256": hashlib.sha256(picture).hexdigest(),
            "bytes": len(picture),
            "width_px": 8,
            "height_px": 8,
            "exposure_us": 8000,
            "gain": 2.1,
            "exposed_after_press_ms": 12.3,
            "credentials": signs,
            **why,
        }
