"""The record file: a signed label line and a tar body; pure over bytes.

`tail -n +2 f.rec | tar xv` opens one with public tools; a sealed one with `age -d` in between.
Hashes and signatures are over bytes as stored; nothing is serialised twice.
"""

import hashlib
import json
import re
import reprlib
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from agent.errors import NotGenuine, RecordDamaged
from agent.models import SHA256, Body, RecordKind, RecordLabel, from_rfc3339, rfc3339
from agent.record import sealing, signing
from agent.record.sealing import SEALED_TYPE, AgeIdentity
from hardware.foreign import read_json

BODY_TYPE: Final = "application/x-tar"
"""Media type of the body: what shared-mime-info calls a tar; IANA lists none."""

LABEL_LIMIT_BYTES: Final = 8192
"""Longest label line that is read: ten times what we write, so that garbage is refused early."""

RECORD_JSON_LIMIT_BYTES: Final = 65_536
"""Longest record.json that is read: ours have 2 KB. Once parsed it takes up to 40 times its length.
"""

MEMBERS_LIMIT: Final = 16
"""Most files in a body that is opened: devices pack two, and 65,000 fit into one upload."""

_TEXT_LIMIT: Final = 128
"""Longest text in a label, in characters: our ids have 36, a device id at most 63."""

_NUMBER_LIMIT: Final = 2**63
"""Numbers in a label are below this: the queue keeps them as SQLite integers."""

_MTIME_LIMIT_S: Final = 8**11 - 1
"""Latest time that a ustar header holds, in Unix seconds. Source: POSIX, pax, ustar format."""

UUID4: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
"""A CaptureId as a regular expression. Source: RFC 9562, section 5.4."""


@dataclass(frozen=True, slots=True)
class CheckedRecord:
    """A record file whose body has the digest in its label; the body was not opened.

    Attributes:
        label: line 1.
        label_sha256: hex digest of line 1 without its newline; the next record's `prev`.
        key: the device's public key as the label carries it.
        body: as it was stored.
    """

    label: RecordLabel
    label_sha256: str
    key: signing.PublicKey
    body: bytes


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A record file, opened and verified.

    Attributes:
        label: line 1.
        label_sha256: hex digest of line 1 without its newline; the next record's `prev`.
        key: the device's public key as the label carries it.
        record: record.json.
        photo: photo.jpg; None in a record without one.
        others: names of other members of the body; devices put no others there.
    """

    label: RecordLabel
    label_sha256: str
    key: signing.PublicKey
    record: dict[str, Any]
    photo: bytes | None
    others: tuple[str, ...] = ()


def pack_body(record: Mapping[str, Any], photo: bytes | None, moment: datetime) -> bytes:
    """Pack an uncompressed ustar of record.json and photo.jpg, ended by two zero blocks.

    tarfile itself would pad to 10 KB. A `moment` that ustar cannot hold is clamped: a wrong clock
    costs no record.

    Raises:
        ValueError: `record` holds what JSON cannot, NaN for one.
    """
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    mtime_s = min(max(int(moment.timestamp()), 0), _MTIME_LIMIT_S)
    members = {"record.json": text} | ({"photo.jpg": photo} if photo is not None else {})
    blocks = []
    for name, content in members.items():
        member = tarfile.TarInfo(name)
        member.size, member.mtime = len(content), mtime_s
        blocks += [member.tobuf(tarfile.USTAR_FORMAT), content]
        blocks.append(bytes(-len(content) % tarfile.BLOCKSIZE))
    return b"".join([*blocks, bytes(2 * tarfile.BLOCKSIZE)])


def describe(body: bytes, media_type: str = BODY_TYPE) -> Body:
    """Describe `body`, as it is stored, for a label."""
    return Body(media_type, len(body), hashlib.sha256(body).hexdigest())


def sign(label: RecordLabel, body: bytes, key: signing.PrivateKey) -> bytes:
    """Join the signed label and the body into the bytes of a record file."""
    return signing.sign(label.payload(), key, embed_key=True).encode() + b"\n" + body


def label_digest(content: bytes) -> str:
    """Calculate the SHA-256 of line 1 without its newline: the next record's `prev`."""
    return hashlib.sha256(content[: content.index(b"\n")]).hexdigest()


def respelled_digest(content: bytes) -> str:
    """Calculate the label's digest with its other valid signature (`signing.other_spelling`).

    The label must be verified: both digests are of the same label.
    """
    line = content[: content.index(b"\n")].decode("ascii")
    return hashlib.sha256(signing.other_spelling(line).encode()).hexdigest()


def file_digests(content: bytes) -> frozenset[str]:
    """Calculate the SHA-256 of the whole file, with either signature, for a verified label."""
    end = content.index(b"\n")
    other = hashlib.sha256(signing.other_spelling(content[:end].decode("ascii")).encode())
    other.update(memoryview(content)[end:])
    return frozenset({hashlib.sha256(content).hexdigest(), other.hexdigest()})


def open_label(line: bytes) -> tuple[RecordLabel, signing.PublicKey]:
    """Verify a label against the key it carries; `line` is without its newline.

    Raises:
        RecordDamaged: not a label, or altered.
    """
    try:
        token = line.decode("ascii")
        key = signing.embedded_key(token)
        payload = signing.verify(token, {signing.thumbprint(key): key})
    except UnicodeDecodeError as error:
        raise RecordDamaged("the record label does not verify: the label is not ASCII") from error
    except NotGenuine as error:
        raise RecordDamaged(f"the label does not verify: {error}") from error
    return _label(payload), key


def _label(payload: dict[str, Any]) -> RecordLabel:
    try:
        body = payload.get("body")
        if not isinstance(body, dict):
            raise ValueError("it has no body")  # noqa: TRY301, TRY004 - one way out for all of them
        _check(payload, body)
        known: dict[str, Any] = {
            field.name: payload.get(field.name) for field in fields(RecordLabel)
        }
        known["body"] = Body(body["type"], body["bytes"], body["sha256"])
        return RecordLabel(**known)
    except ValueError as error:
        raise RecordDamaged(f"signed, but not a label: {error}") from error


def _check(payload: dict[str, Any], body: dict[str, Any]) -> None:
    values = payload | {f"body.{name}": body.get(name) for name in ("type", "bytes", "sha256")}
    for name in ("v", "seq", "monotonic_ns", "body.bytes"):
        _require(name, values, _is_number)
    for name in ("device_id", "chain", "boot_id", "kind", "clock", "body.type"):
        _require(name, values, _is_text)
    _require("capture_id", values, UUID4)
    _require("utc", values, _is_utc)
    _require("body.sha256", values, SHA256.pattern)
    if values.get("about") is not None or values["kind"] == RecordKind.VOID:
        _require("about", values, UUID4)
    if values["v"] != 1:
        raise ValueError(f"version {values['v']} is unknown; this program reads version 1")
    if values["seq"] > 1:
        _require("prev", values, SHA256.pattern)
    elif values["seq"] != 1 or values.get("prev") is not None:
        raise ValueError("seq begins at 1, where prev is null")


def _require(name: str, values: dict[str, Any], form: str | Callable[[object], bool]) -> None:
    value = values.get(name)
    if isinstance(form, str):
        good = isinstance(value, str) and re.fullmatch(form, value, re.ASCII) is not None
    else:
        good = form(value)
    if not good:
        raise ValueError(f"{name} {reprlib.repr(value)} is not what a label has there")


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _NUMBER_LIMIT  # True is no number


def _is_utc(value: object) -> bool:
    """Return True for a time as devices write it: to the millisecond."""
    return rfc3339(from_rfc3339(value)) == value


def _is_text(value: object) -> bool:
    """Return True for printable text: it ends up on a terminal."""
    return isinstance(value, str) and 0 < len(value) <= _TEXT_LIMIT and value.isprintable()


def check(content: bytes) -> CheckedRecord:
    """Verify a record file's label, and its body against it: all that a device does with one.

    Raises:
        RecordDamaged: one of the two does not verify; the message says what.
    """
    line, newline, body = content.partition(b"\n")
    if not newline or len(line) > LABEL_LIMIT_BYTES:
        raise RecordDamaged("cut off: no label line at its start")
    label, key = open_label(line)
    return check_body(line, label, key, body)


def check_body(
    line: bytes, label: RecordLabel, key: signing.PublicKey, body: bytes
) -> CheckedRecord:
    """Compare the body with its opened label; raises as `check` does."""
    _compare(body, label.body)
    return CheckedRecord(label, hashlib.sha256(line).hexdigest(), key, body)


def _compare(body: bytes, told: Body) -> None:
    if len(body) != told.bytes:
        sizes = f"{len(body)} bytes, {told.bytes} expected"
        raise RecordDamaged(f"the body is not what the label says: {sizes}")
    if hashlib.sha256(body).hexdigest() != told.sha256:
        raise RecordDamaged("the body is not what the label says: its digest differs")


def unpack(content: bytes, identities: Sequence[AgeIdentity] = ()) -> RecordFile:
    """Open a record file: verify its label, its body's digest and its contents.

    Raises:
        Unopened: it is sealed, and none of `identities` opens it; the label verifies.
        RecordDamaged: anything does not verify; the message says what.
    """
    return open_checked(check(content), identities)


def open_checked(found: CheckedRecord, identities: Sequence[AgeIdentity] = ()) -> RecordFile:
    """Open a record file that was checked; raises as `unpack` does."""
    body, media_type = found.body, found.label.body.type
    if media_type == SEALED_TYPE:
        body = sealing.open_sealed(body, identities)
    elif media_type != BODY_TYPE:
        known = f"{BODY_TYPE} and {SEALED_TYPE}"
        raise RecordDamaged(f"its body is {media_type}; this program opens {known}")
    record, photo, others = _open_body(body)
    return RecordFile(found.label, found.label_sha256, found.key, record, photo, others)


def _open_body(body: bytes) -> tuple[dict[str, Any], bytes | None, tuple[str, ...]]:
    try:
        members = dict(_members(body))
        if len(members["record.json"]) > RECORD_JSON_LIMIT_BYTES:
            raise ValueError(f"record.json has over {RECORD_JSON_LIMIT_BYTES} bytes")  # noqa: TRY301 - one way out
        record = read_json(members["record.json"])
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise RecordDamaged(f"signed, but the body does not open: {error}") from error
    if not isinstance(record, dict):
        raise RecordDamaged("signed, but record.json is not a JSON object")
    others = tuple(name for name in members if name not in {"record.json", "photo.jpg"})
    return record, members.get("photo.jpg"), others


def _members(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield plain files; `tarfile.open` would follow links, long names, sparse maps and loops."""
    seen, offset = set[str](), 0
    while (header := body[offset : offset + tarfile.BLOCKSIZE]).strip(b"\0"):
        member = tarfile.TarInfo.frombuf(header, "ascii", "strict")
        start = offset + tarfile.BLOCKSIZE
        if member.type != tarfile.REGTYPE or not 0 <= member.size <= len(body) - start:
            raise ValueError(f"{member.name!r} is not a whole plain file")
        if member.name in seen or not re.fullmatch(r"[\w-]+\.[\w.-]+", member.name, re.ASCII):
            raise ValueError(f"{member.name!r} is there twice, or its name is no plain one")
        if len(seen) == MEMBERS_LIMIT:
            raise ValueError(f"it has more than {MEMBERS_LIMIT} files")
        seen.add(member.name)
        yield member.name, body[start : start + member.size]
        offset = start + member.size + -member.size % tarfile.BLOCKSIZE
    if body[offset:] != bytes(2 * tarfile.BLOCKSIZE):
        raise ValueError("it does not end in two zero blocks")
