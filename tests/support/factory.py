"""Small builders of records with real keys, signed, packed and linked as a device does it."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from agent.models import Body, CaptureId, RecordKind, RecordLabel, rfc3339
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record import sealing, signing
from agent.record.sealing import Recipients

_NOBODY: Final = 65534
MOMENT = datetime(2026, 12, 1, 9, 15, 2, tzinfo=UTC)


def new_id() -> CaptureId:
    return CaptureId(str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Made:
    """A record as a file would hold it."""

    label: RecordLabel
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
class RecordMaker:
    """Makes the records of one chain, one after the other; sealed if it has recipients."""

    device_id: str = "van-7"
    chain: str = field(default_factory=lambda: str(uuid.uuid4()))
    key: signing.PrivateKey = field(default_factory=signing.new_key)
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: int = 0
    prev: str | None = None
    sealed_to: Recipients | None = None

    @classmethod
    def begun(cls, device_id: str = "van-7", **fields: Any) -> "RecordMaker":
        """Return a maker whose `chain_start` is made, as a device makes it first: 2 is next.

        A folder without that record looks as if it had been pruned. A chain whose number 1 is
        anything else is none of a device's, and `verify` says so.
        """
        maker = cls(device_id, **fields)
        maker.make(RecordKind.CHAIN_START, {"why": "the first start", "manifest": "off"})
        return maker

    def make(
        self,
        kind: str = RecordKind.PHOTO,
        record: Mapping[str, Any] | None = None,
        photo: bytes | None = None,
        **changes: Any,
    ) -> Made:
        """Make the next record; `changes` replace fields of its label before it is signed."""
        if kind == RecordKind.PHOTO and photo is None:
            photo = b"\xff\xd8 no real picture \xff\xd9"
        body = recordfile.pack_body(record or {"manifest": "off"}, photo, MOMENT)
        media_type = recordfile.BODY_TYPE
        if self.sealed_to is not None:
            body, media_type = sealing.seal(body, self.sealed_to), sealing.SEALED_TYPE
        told = recordfile.describe(body, media_type)
        label = replace(self._label(kind, told), **changes)
        made = Made(label, recordfile.sign(label, body, self.key))
        self.seq, self.prev = label.seq, made.label_sha256
        return made

    def _label(self, kind: str, body: Body) -> RecordLabel:
        return RecordLabel(
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
            body=body,
        )


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def signed_by_hand(header: object, payload: bytes, key: signing.PrivateKey) -> str:
    """Sign any header (bytes as they are) and payload as a JWS, without the code under test."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = f"{encoded(text)}.{encoded(payload)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Source: NIST SP 800-186, section 3.2.1.3."""


def is_high(token: str) -> bool:
    """Return True if its signature has the s that is over half the order."""
    return int.from_bytes(decoded(token.rpartition(".")[2])[32:], "big") > P256_ORDER // 2


def respelled(token: str) -> str:
    """Return the same JWS with the other signature that verifies: (r, n - s) in place of (r, s)."""
    signed, _, signature = token.rpartition(".")
    raw = decoded(signature)
    other = P256_ORDER - int.from_bytes(raw[32:], "big")
    return f"{signed}.{encoded(raw[:32] + other.to_bytes(32, 'big'))}"


def respelled_file(content: bytes) -> bytes:
    """Return the same record file with the other signature in its label."""
    line, _, body = content.partition(b"\n")
    return respelled(line.decode()).encode() + b"\n" + body


def with_other_spelling(made: Made) -> Made:
    return Made(made.label, respelled_file(made.content))


def queue(folder: Path, boot_id: str = "boot-1") -> tuple[Layout, Database, Outbox]:
    """Make an empty queue in `folder`, with its schema."""
    layout = Layout(folder / "state", folder / "run")
    layout.make()
    database = Database(layout, migrates=True)
    return layout, database, Outbox(database, boot_id)


def add(outbox: Outbox, made: Made, due_s: float = 0.0, *, adopted: bool = False) -> Made:
    """Queue a record as capture does once its file is in place."""
    digest = hashlib.sha256(made.content).hexdigest()
    file = (len(made.content), digest)
    outbox.add(made.label, made.label_sha256, file, due_s=due_s, adopted=adopted)
    return made


@contextmanager
def owned_by_a_user() -> Iterator[Path]:
    """Make a folder of a user whom modes can keep out: not of root."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(folder, _NOBODY, -1)
            os.seteuid(_NOBODY)
        try:
            yield Path(folder)
        finally:
            if is_root:
                os.seteuid(0)


@contextmanager
def small_disk(
    folder: Path, size_mb: int = 16, block_bytes: int = 4096, *, reserve_pct: int = 0
) -> Iterator[Path]:
    """Mount a real ext4 file system of a few megabytes while the block runs.

    It has blocks of 4 KB, as on a card; mkfs takes 1 KB for disks as small as this, and by default
    keeps 5 % for root.
    """
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.fail("a small disk needs root, and mkfs.ext4: apt install e2fsprogs mount")
    image, mounted = folder / "disk.img", folder / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(size_mb * 1_000_000)
    options = ["-q", "-F", "-m", str(reserve_pct), "-b", str(block_bytes)]
    subprocess.run(["mkfs.ext4", *options, image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)


def remount(mounted: Path, option: str) -> None:
    """Remount with `ro`, `rw`, or `abort`: ext4 aborts when its card fails while files are open."""
    subprocess.run(["mount", "-o", f"remount,{option}", mounted], check=True)


def fill(folder: Path) -> Path:
    """Write zeros until not one byte more fits; the file to delete for room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(65_536)):
            pass
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 512):
            pass
    return filler
