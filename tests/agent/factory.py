"""Small builders of records with real keys, signed, packed and linked as a device does it."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from agent import recordfile, signing
from agent.models import CaptureId, Kind, Label, rfc3339

MOMENT = datetime(2026, 12, 1, 9, 15, 2, tzinfo=UTC)


def new_id() -> CaptureId:
    return CaptureId(str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Made:
    """One record as a file would hold it."""

    label: Label
    content: bytes

    @property
    def line(self) -> bytes:
        return self.content.split(b"\n", 1)[0]

    @property
    def label_sha256(self) -> str:
        return recordfile.label_digest(self.content)

    def into(self, folder: Path) -> Path:
        path = folder / f"{self.label.capture_id}.rec"
        path.write_bytes(self.content)
        return path


@dataclass(slots=True)
class Device:
    """Makes the records of one chain, one after the other."""

    device_id: str = "van-7"
    chain: str = field(default_factory=lambda: str(uuid.uuid4()))
    key: signing.PrivateKey = field(default_factory=signing.new_key)
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: int = 0
    prev: str | None = None

    def make(
        self,
        kind: str = Kind.PHOTO,
        record: Mapping[str, Any] | None = None,
        photo: bytes | None = None,
        **changes: Any,
    ) -> Made:
        """The next record; `changes` replace fields of its label before it is signed."""
        if kind == Kind.PHOTO and photo is None:
            photo = b"\xff\xd8 no real picture \xff\xd9"
        body = recordfile.pack_body(record or {"manifest": "off"}, photo, MOMENT)
        label = replace(self._label(kind, body), **changes)
        made = Made(label, recordfile.seal(label, body, self.key))
        self.seq, self.prev = label.seq, made.label_sha256
        return made

    def _label(self, kind: str, body: bytes) -> Label:
        return Label(
            v=1,
            capture_id=new_id(),
            device_id=self.device_id,
            chain=self.chain,
            seq=self.seq + 1,
            prev=self.prev,
            boot_id=self.boot_id,
            kind=kind,
            about=None,
            utc=rfc3339(MOMENT),
            monotonic_ns=1_000_000 * (self.seq + 1),
            clock="gnss",
            body=recordfile.describe(body),
        )


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def signed_by_hand(header: object, payload: bytes, key: signing.PrivateKey) -> str:
    """A JWS with any header (bytes as they are) and payload, signed without the code under test."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = f"{encoded(text)}.{encoded(payload)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
