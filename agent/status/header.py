"""`Doorstep-Status`: the status document in a header, so that it costs no request of its own."""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from agent.status.values import Status, compact
from hardware.foreign import read_json

NAME: Final = "Doorstep-Status"

LIMIT_CHARS: Final = 2_000
"""Longest header: what 1,500 bytes are in base64; with the others it stays below 4 KB."""

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


def encoded(document: Status | Mapping[str, Any]) -> str:
    """Encode the document as base64url of compact JSON, without padding (RFC 4648 section 5)."""
    text = compact(document).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decoded(header: str) -> dict[str, Any]:
    """Read a header; any JSON object is accepted.

    Raises:
        ValueError: the header is not one; the message quotes nothing.
    """
    if len(header) > LIMIT_CHARS:
        raise ValueError(f"{NAME} is longer than {LIMIT_CHARS} characters")
    if not _BASE64URL.fullmatch(header):
        raise ValueError(f"{NAME} is not base64url")
    try:
        found = read_json(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except ValueError as error:
        raise ValueError(f"{NAME} is not JSON; was it cut?") from error
    if not isinstance(found, dict):
        raise ValueError(f"{NAME} is not a JSON object")  # noqa: TRY004 - as the others
    return found
