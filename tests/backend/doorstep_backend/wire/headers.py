"""Readers of a device's tus headers, and the refusals of wrong ones."""

import base64
import re
from typing import Final
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent.models import SHA256
from doorstep_backend.wire.store import Upload

TUS_VERSION: Final = "1.0.0"
"""Source: tus resumable upload protocol 1.0.x, Tus-Resumable."""

BODY_TYPE: Final = "application/offset+octet-stream"
"""Content-Type of every body that carries upload bytes. Source: tus 1.0.x, PATCH."""

MAX_UPLOAD_BYTES: Final = 33_554_432
"""Tus-Max-Size. Some 40 times a record with a photo."""

METADATA_KEYS: Final = frozenset({"capture_id", "sha256", "filetype"})
"""Upload-Metadata has these and nothing else: proxies log headers."""

METADATA_LIMIT: Final = 2048
"""Bytes of Upload-Metadata: eight times what a device sends, and kept as long as the upload."""

TOO_LONG: Final = "the body is longer than what is left of the upload; nothing of it was kept"
"""Why a body is answered 413."""


def check_version(request: Request) -> None:
    """Raise 412 unless the device speaks our version of tus."""
    if request.headers.get("Tus-Resumable") != TUS_VERSION:
        raise HTTPException(412, f"Tus-Resumable must be {TUS_VERSION}", {"Tus-Version": "1.0.0"})


def announced(request: Request) -> Upload:
    """Read what a POST creates. Raises 400 for missing or malformed headers, 413 when too big."""
    length = number(request, "Upload-Length")
    if length > MAX_UPLOAD_BYTES:
        raise HTTPException(413, f"Upload-Length {length} is over {MAX_UPLOAD_BYTES}")
    header = request.headers.get("Upload-Metadata", "")
    metadata = _metadata(header)
    if set(metadata) != METADATA_KEYS:
        raise HTTPException(400, f"Upload-Metadata must have {', '.join(sorted(METADATA_KEYS))}")
    if not SHA256.fullmatch(metadata["sha256"]):
        raise HTTPException(400, "sha256 in Upload-Metadata must be 64 lower-case hex digits")
    return Upload(uuid(metadata["capture_id"]), length, metadata["sha256"], header)


def uuid(text: str) -> str:
    """Return `text` if it is a UUID in canonical form. Raises 400 otherwise."""
    try:
        canonical = str(UUID(text))
    except ValueError:
        canonical = None
    if canonical != text:
        raise HTTPException(400, "capture_id must be a UUID, lower-case with hyphens")
    return text


def number(request: Request, name: str) -> int:
    """Return a header that counts bytes. Raises 400 when it does not."""
    text = request.headers.get(name, "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise HTTPException(400, f"{name} must be a number of bytes")
    return int(text)


def check_body(request: Request, room: int) -> None:
    """Raise 415 for a body of another type, 413 for one announced as longer than `room` bytes."""
    if request.headers.get("Content-Type") != BODY_TYPE:
        raise HTTPException(415, f"Content-Type must be {BODY_TYPE}")
    length = body_length(request)
    if length is not None and length > room:
        raise HTTPException(413, TOO_LONG)


def body_length(request: Request) -> int | None:
    """Return the announced bytes of the body; 0 without a body, None if it is chunked."""
    if "Transfer-Encoding" in request.headers:
        return None
    return int(request.headers.get("Content-Length", "0"))


def _metadata(header: str) -> dict[str, str]:
    pairs = [pair.strip().partition(" ") for pair in header.split(",") if pair.strip()]
    if len(header) > METADATA_LIMIT or len(pairs) > len(METADATA_KEYS):
        raise HTTPException(400, f"Upload-Metadata: {METADATA_LIMIT} bytes, each key once")
    try:
        return {key: base64.b64decode(text, validate=True).decode() for key, _, text in pairs}
    except ValueError as error:  # not base64, not ASCII, not UTF-8
        raise HTTPException(400, "Upload-Metadata has a value that is not base64") from error
