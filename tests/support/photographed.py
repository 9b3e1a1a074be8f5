"""Records with a real photo: EXIF, Content Credentials and record.json that tell of one press."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import numpy as np

from agent import __version__
from agent.capture import record_json
from agent.capture.record_json import BUTTON, Provenance, StoredPhoto
from agent.models import UNASSIGNED, QualityReport, QualityVerdict, RecordKind, RecordLabel
from agent.record import certificates, sealing
from agent.record import file as recordfile
from agent.record.certificates import CertificateChain
from agent.record.credentials import PhotoSigner, Source
from agent.record.exif import Exif, stamp
from hardware.camera import Frame
from hardware.clock import ClockSource, Moment
from hardware.position import Fix
from hardware.power import PowerReading
from tests.support.authority import Authority, new_authority
from tests.support.factory import MOMENT, Made, RecordMaker
from tests.support.sealed import RECIPIENTS

PLAIN = b"\xff\xd8\xff\xdb\x00\x43\x00" + b"\x10" * 64
PLAIN += b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
PLAIN += b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00 picture \xff\xd9"
"""Segments as in a JPEG; nobody looks at what they would show."""

FIXED: Final = Fix(
    lat_deg=52.5200066,
    lon_deg=-13.404954,
    alt_m=34.2,
    eph_m=9.5,
    hdop=1.1,
    satellites=9,
    mode=3,
    speed_mps=0.0,
    utc=MOMENT - timedelta(seconds=0.4),
    received_ns=0,
)

PLACE: Final[dict[str, Any]] = {
    "place_deg": (FIXED.lat_deg, FIXED.lon_deg),
    "alt_m": FIXED.alt_m,
    "accuracy_m": FIXED.eph_m,
    "hdop": FIXED.hdop,
    "satellites": str(FIXED.satellites),
    "mode": str(FIXED.mode),
    "datum": "WGS-84",
    "method": "GPS",
    "fix_utc": FIXED.utc,
    "status": "A",
}
"""Tags of that place."""

NO_PLACE: Final[dict[str, Any]] = dict.fromkeys(PLACE) | {"status": "V"}

PROVENANCE: Final = Provenance(simulated=False, manifest="off")
POWER: Final = PowerReading(64, external=False, under_voltage=False)
REPORT: Final = QualityReport(QualityVerdict.OK, {"mean_pct": 41.0}, "2026.12")

MODELS: Final = {
    Source.CAPTURE: "Doorstep picamera2",
    Source.COMPOSITE: "Doorstep v4l2",
    Source.ALGORITHM: "Doorstep simulated",
}
"""The camera in the EXIF, by the origin in the Content Credentials."""


def frame_of(label: RecordLabel) -> Frame:
    """Return the frame of a press: its exposure of 8 ms ends 20.3 ms after the press."""
    ended_ns = label.monotonic_ns + 20_300_000
    return Frame(np.zeros((8, 8, 3), np.uint8), 8000, 2.104, 410.0, ended_ns)


def fix_of(label: RecordLabel, **changes: Any) -> Fix:
    """Return FIXED as a receiver reported it 0.4 s before the press."""
    return replace(FIXED, **{"received_ns": label.monotonic_ns - 400_000_000} | changes)


def moment_of(label: RecordLabel) -> Moment:
    utc, clock = datetime.fromisoformat(label.utc), ClockSource(label.clock)
    return Moment(utc, label.monotonic_ns, label.boot_id, clock, 0.1)


def claim_of(label: RecordLabel) -> dict[str, Any]:
    """Return the text of the Content Credentials, as capture writes it."""
    moment, fix = moment_of(label), fix_of(label)
    return record_json.capture_claim(label.capture_id, label.device_id, moment, fix)


def record_of(
    label: RecordLabel, picture: bytes, frame: Frame, fix: Fix | None, missing: str | None
) -> dict[str, Any]:
    """Return record.json as capture writes it.

    `missing` says why the Content Credentials are missing.
    """
    digest = hashlib.sha256(picture).hexdigest()
    kept = StoredPhoto(digest, len(picture), frame, False, label.monotonic_ns, missing)
    return record_json.photo_record(
        PROVENANCE, BUTTON, kept, REPORT, stop=UNASSIGNED, fix=fix, power=POWER, retake_of=None
    )


@dataclass
class Camera:
    """A device of a fleet: its records have a photo each; the authority is the fleet's."""

    maker: RecordMaker = field(default_factory=RecordMaker.begun)
    authority: Authority = field(default_factory=new_authority)
    seals: bool = False

    @cached_property
    def chain(self) -> CertificateChain:
        key = self.maker.key.public_key()
        return (self.authority.issue(key, self.maker.device_id, evidence=True),)

    @property
    def certificate_pem(self) -> bytes:
        return certificates.pem(self.chain)

    def facts(self, label: RecordLabel) -> Exif:
        """Return EXIF as the device writes it, 12.3 ms after the press, exposed for 8 ms."""
        utc = datetime.fromisoformat(label.utc) + timedelta(milliseconds=20.3)
        return Exif(
            taken=utc,
            digitized=utc,
            modified=utc,
            unique_id=UUID(label.capture_id).hex,
            serial=label.device_id,
            software=f"doorstep {__version__}",
            size_px=(8, 8),
            exposure_us=8000,
            iso=210,
            **PLACE,
        )

    def make(
        self,
        *,
        exif: Mapping[str, Any] | None = None,
        claim: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
        photo: Mapping[str, Any] | None = None,
        signs: bool = True,
        signatures: int = 1,
        signer: "Camera | None" = None,
        plain: bytes = PLAIN,
        tail: bytes = b"",
        kind: str = RecordKind.PHOTO,
        source: Source = Source.CAPTURE,
        stamps: bool = True,
    ) -> Made:
        """Make the next record; the arguments replace what the device would write."""
        label = self.maker._label(kind, recordfile.describe(b""))  # noqa: SLF001 - the label that will be signed
        facts = replace(self.facts(label), model=MODELS[source])
        picture = stamp(plain, replace(facts, **exif or {})) if stamps else plain
        if signs:
            by = signer or self
            said = claim_of(label) | dict(claim or {})
            for _ in range(signatures):
                picture = PhotoSigner(by.maker.key, by.chain).sign(picture, source, said)
        picture += tail
        why = None if signs else "switched off"
        inside = record_of(label, picture, frame_of(label), fix_of(label), why)
        inside["photo"] |= dict(photo or {})
        inside |= dict(record or {})
        body = recordfile.pack_body(inside, picture, MOMENT)
        media_type = recordfile.BODY_TYPE
        if self.seals:
            body, media_type = sealing.seal(body, RECIPIENTS), sealing.SEALED_TYPE
        label = replace(label, body=recordfile.describe(body, media_type))
        made = Made(label, recordfile.sign(label, body, self.maker.key))
        self.maker.seq, self.maker.prev = label.seq, made.label_sha256
        return made
