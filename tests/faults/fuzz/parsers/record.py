"""Parsers of record files and their contents."""

import json
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from agent.command import sign
from agent.errors import ConfigError, NotGenuine, RecordDamaged
from agent.models import CaptureId, RecordLabel
from agent.record import credentials, exif, jumbf, receipt, sealing, segments, signing
from agent.record import file as recordfile
from agent.record.verify import inside, supporting_files
from agent.rule import manifest
from agent.trust import fleet
from doorstep_backend.office import claims
from tests.faults.fuzz.corpus import FOLDER
from tests.faults.fuzz.parsers.keys import (
    AUTHORITY,
    AUTHORITY_PEM,
    CAPTURE_ID,
    DEVICE,
    KEY,
    KEYS,
    SIGNERS,
)
from tests.faults.fuzz.parsers.parser import Parser
from tests.faults.fuzz.shapes import Shape
from tests.support.factory import MOMENT, RecordMaker, signed_by_hand
from tests.support.sealed import IDENTITIES

_LARGEST_BODY: Final = 33_554_432
"""Longest upload that the backend takes."""

_FILE_LIMIT: Final = 16_777_216
"""Longest file of receipts and lists that `doorstep verify` reads."""


@cache
def _label() -> RecordLabel:
    made = RecordMaker(DEVICE, key=KEY, chain=CAPTURE_ID, boot_id=CAPTURE_ID)
    return made._label("photo", recordfile.describe(b""))  # noqa: SLF001 - the rigs' own builder


def record_with(body: bytes, media_type: str = recordfile.BODY_TYPE) -> bytes:
    """Return a record file around any body, signed."""
    label = replace(_label(), body=recordfile.describe(body, media_type))
    return recordfile.sign(label, body, KEY)


@cache
def _photo_with_exif() -> bytes:
    return (FOLDER / "exif" / "exif.jpg").read_bytes()


def _tar(body: bytes) -> object:
    """Open a body without the cost of a mutated label: the label is signed around any body."""
    label = replace(_label(), body=recordfile.describe(b""))
    return recordfile.open_checked(recordfile.CheckedRecord(label, "", KEY.public_key(), body))


def _packed(text: bytes) -> bytes:
    """Return a tar around any bytes as record.json."""
    body = recordfile.pack_body({}, _photo_with_exif(), MOMENT)
    header = recordfile.tarfile.TarInfo("record.json")  # type: ignore[attr-defined]  # its door
    header.size = len(text)
    block = header.tobuf(recordfile.tarfile.USTAR_FORMAT)  # type: ignore[attr-defined]
    return b"".join((block, text, bytes(-len(text) % 512), body[1024:]))


def _record(content: bytes) -> recordfile.RecordFile:
    return recordfile.unpack(content, IDENTITIES)


def _record_json(text: bytes) -> object:
    """Read everything in a record.json, as verify and the backend do."""
    opened = _record(record_with(_packed(text)))
    claims.circle(opened.record.get("position"))
    claims.read(replace(opened, label=replace(opened.label, kind="time")))
    return claims.read(opened), inside.look(opened, AUTHORITY)


def _photo(content: bytes) -> object:
    """Read a photo as verify does."""
    return exif.read(content), segments.picture_px(content)


def _credentials(content: bytes) -> object:
    found = credentials.read(content, AUTHORITY_PEM.decode())
    return found and [str(one) for one in (found.capture, found.source, found.reasons)]


def signed(content: bytes, typ: str | None) -> str:
    """Return the JWS of a payload, whatever it says; a JWS stays as it is."""
    if content.startswith((b"{", b"[")) and typ is not None:
        header = {"alg": "ES256", "kid": next(iter(KEYS)), "typ": typ}
        return signed_by_hand(header, content, KEY)
    return content.decode("latin-1")


def _label_line(content: bytes) -> object:
    """Read a payload, signed by the key in its header; read anything else as a label line."""
    if not content.startswith(b"{"):
        return recordfile.open_label(content)
    header = {"alg": "ES256", "kid": next(iter(KEYS)), "jwk": signing.jwk(KEY.public_key())}
    line = signed_by_hand(header, content, KEY).encode()
    found = recordfile.open_label(line)
    return found, recordfile.respelled_digest(line + b"\n"), recordfile.file_digests(line + b"\n")


@dataclass(frozen=True)
class _Item:
    capture_id: CaptureId = CAPTURE_ID
    sha256: str = "0" * 64
    bytes: int = 512_000


def _receipt(content: bytes) -> object:
    seen: list[Any] = []
    for typ, read in (
        (receipt.RECEIPT_TYPE, lambda token: receipt.verified_receipt(token, _Item(), SIGNERS)),
        (receipt.REFUSAL_TYPE, lambda token: receipt.verified_refusal(token, _Item(), SIGNERS)),
        (receipt.ERASURE_TYPE, lambda token: receipt.verified_erasure(token, CAPTURE_ID, SIGNERS)),
    ):
        try:
            seen.append(read(signed(content, typ)))
        except NotGenuine as error:
            seen.append(error)
    return seen


def _manifest(content: bytes) -> object:
    return manifest.read(signed(content, manifest.TYPE), KEYS, DEVICE)


def _fleet(content: bytes) -> object:
    token = signed(content, fleet.TYPE)
    fleet.tag([token], KEY.public_key())
    return fleet.document_in_force([token], KEY.public_key())


def _to_sign(content: bytes) -> object:
    """Sign a document as each kind that a backend signs."""
    seen: list[Any] = []
    for kind in sign.Kind:
        try:
            seen.append(sign.signed(kind, content, KEY, MOMENT))
        except NotGenuine as error:
            seen.append(error)
    return seen


def _jwk(content: bytes) -> object:
    return signing.from_jwk(json.loads(content))


def _in_a_file(content: bytes) -> Path:
    path = Path(tempfile.gettempdir()) / f"{CAPTURE_ID}.jws"
    path.write_bytes(content)
    return path


def _revoked(content: bytes) -> object:
    """Read the list without verifying it, and with the fleet key."""
    path = _in_a_file(signed(content, supporting_files.REVOKED_TYPE).encode("latin-1"))
    return supporting_files.read_listed(path, None), supporting_files.read_listed(
        path, KEY.public_key()
    )


def _receipts_file(content: bytes) -> object:
    return supporting_files.read_receipts([_in_a_file(content)], [])


RECORD: Final = (
    Parser("age", lambda body: sealing.open_sealed(body, IDENTITIES), (sealing.Unopened,)),
    Parser("record", _record, (RecordDamaged, sealing.Unopened), most_bytes=_LARGEST_BODY),
    Parser("label", _label_line, (RecordDamaged,), Shape.JWS, recordfile.LABEL_LIMIT_BYTES),
    Parser("label-payload", _label_line, (RecordDamaged,), Shape.JSON, 5_000),
    Parser(
        "tar",
        _tar,
        (RecordDamaged,),
        Shape.TAR,
        _LARGEST_BODY,
    ),
    Parser("record-json", _record_json, (RecordDamaged,), Shape.JSON, 200_000),
    Parser("exif", _photo, (ValueError,), Shape.JPEG, _LARGEST_BODY),
    Parser("jumbf", jumbf.form, (NotGenuine,), Shape.JPEG, _LARGEST_BODY),
    Parser("c2pa", _credentials, (), Shape.JPEG, _LARGEST_BODY),
    Parser("receipt", _receipt, (), Shape.JWS, 65_536),
    Parser("receipt-payload", _receipt, (), Shape.JSON, 40_000),
    Parser("manifest", _manifest, (NotGenuine,), Shape.JWS, manifest.TOKEN_LIMIT_CHARS + 1),
    Parser("manifest-payload", _manifest, (NotGenuine,), Shape.JSON, 400_000),
    Parser("fleet", _fleet, (NotGenuine,), Shape.JWS, fleet.TOKEN_LIMIT_CHARS + 1),
    Parser("fleet-payload", _fleet, (NotGenuine,), Shape.JSON, 40_000),
    Parser("to-sign", _to_sign, (), Shape.JSON, 400_000),
    Parser("jwk", _jwk, (NotGenuine, ValueError, RecursionError), Shape.JSON, 8_192),
    Parser("revoked", _revoked, (NotGenuine, ConfigError), Shape.JWS, _FILE_LIMIT),
    Parser("revoked-payload", _revoked, (NotGenuine, ConfigError), Shape.JSON, 400_000),
    Parser("receipts-file", _receipts_file, (), Shape.JWS, _FILE_LIMIT),
)
"""Parsers of record files; manifest and list have shorter payloads, as a trusted key signs them."""
