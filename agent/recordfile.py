"""The record file: a signed label line and a tar body; pure over bytes.

`tail -n +2 f.rec | tar xv` opens one with public tools.
Hashes and signatures are over bytes as stored; nothing is serialised twice.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from agent import signing
from agent.errors import NotGenuine, RecordDamaged
from agent.models import Body, CaptureId, Label

BODY_TYPE: Final = "application/x-tar"
"""Media type of the body. Source: the record format, design section 5."""

LABEL_LIMIT_BYTES: Final = 8192
"""Longest label line that is read: ten times what we write, so that garbage is told early."""

_ID: Final = "capture_id"


@dataclass(frozen=True, slots=True)
class RecordFile:
    """One record file, opened and verified.

    Attributes:
        label: line 1.
        label_sha256: hex digest of line 1 without its newline; the next record's `prev`.
        key: the device's public key as the label carries it.
        record: record.json.
        photo: photo.jpg; None in a record without one.
    """

    label: Label
    label_sha256: str
    key: signing.PublicKey
    record: dict[str, Any]
    photo: bytes | None


def pack_body(record: Mapping[str, Any], photo: bytes | None, moment: datetime) -> bytes:
    """Pack an uncompressed ustar of record.json and photo.jpg, ended by two zero blocks.

    tarfile itself would pad to 10 KB.
    """
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
    members = {"record.json": text} | ({"photo.jpg": photo} if photo is not None else {})
    blocks = bytearray()
    for name, content in members.items():
        member = tarfile.TarInfo(name)
        member.size, member.mtime = len(content), int(moment.timestamp())
        blocks += member.tobuf(tarfile.USTAR_FORMAT)
        blocks += content + bytes(-len(content) % tarfile.BLOCKSIZE)
    return bytes(blocks + bytes(2 * tarfile.BLOCKSIZE))


def describe(body: bytes) -> Body:
    """What a label says of `body`."""
    return Body(BODY_TYPE, len(body), hashlib.sha256(body).hexdigest())


def seal(label: Label, body: bytes, key: signing.PrivateKey) -> bytes:
    """Join the signed label and the body into the bytes of a record file."""
    return signing.sign(label.payload(), key, embed_key=True).encode() + b"\n" + body


def label_digest(content: bytes) -> str:
    """SHA-256 of line 1 without its newline: the next record's `prev`."""
    return hashlib.sha256(content.split(b"\n", 1)[0]).hexdigest()


def open_label(line: bytes) -> tuple[Label, signing.PublicKey]:
    """Verify a label against the key it carries; `line` is without its newline.

    Raises:
        RecordDamaged: not a label, or altered.
    """
    try:
        token = line.decode("ascii")
        key = signing.embedded_key(token)
        payload = signing.verify(token, {signing.thumbprint(key): key})
    except (NotGenuine, UnicodeDecodeError) as error:
        raise RecordDamaged(f"the label does not verify: {error}") from error
    return _label(payload), key


def _label(payload: dict[str, Any]) -> Label:
    known = {name: payload.get(name) for name in (field.name for field in fields(Label))}
    try:
        body = dict(known["body"] or {})
        known["body"] = Body(str(body["type"]), int(body["bytes"]), str(body["sha256"]))
        known[_ID] = CaptureId(str(UUID(str(known[_ID]))))
        label = Label(**known)  # type: ignore[arg-type]  # checked by _check right below
        _check(label)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordDamaged(f"signed, but not a label: {error}") from error
    return label


def _check(label: Label) -> None:
    texts = (label.device_id, label.chain, label.boot_id, label.kind, label.utc, label.clock)
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("a text field is missing or empty")
    if label.v != 1:
        raise ValueError(f"version {label.v!r} is unknown; this program reads version 1")
    if not isinstance(label.seq, int) or label.seq < 1:
        raise ValueError(f"seq {label.seq!r} is not a positive number")
    if (label.seq == 1) != (label.prev is None):
        raise ValueError("prev must be null at seq 1 and nowhere else")


def unpack(content: bytes) -> RecordFile:
    """Open a record file and verify its label, its body's digest and its contents.

    Raises:
        RecordDamaged: anything does not verify; the message says what.
    """
    line, newline, body = content.partition(b"\n")
    if not newline or len(line) > LABEL_LIMIT_BYTES:
        raise RecordDamaged("cut off: no label line at its start")
    label, key = open_label(line)
    if describe(body) != label.body:
        raise RecordDamaged(
            f"the body is not what the label says: {len(body)} bytes, {label.body.bytes} expected"
        )
    record, photo = _open_body(body)
    return RecordFile(label, hashlib.sha256(line).hexdigest(), key, record, photo)


def _open_body(body: bytes) -> tuple[dict[str, Any], bytes | None]:
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as archive:
            members = {
                member.name: file.read()
                for member in archive
                if (file := archive.extractfile(member)) is not None
            }
        record = json.loads(members["record.json"])
    except (tarfile.TarError, KeyError, ValueError, RecursionError) as error:
        raise RecordDamaged(f"signed, but the body does not open: {error}") from error
    if not isinstance(record, dict):
        raise RecordDamaged("signed, but record.json is not a JSON object")
    return record, members.get("photo.jpg")
