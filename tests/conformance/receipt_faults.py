"""Faults of receipts: which mistake of a signer makes a device refuse one."""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

from agent.errors import NotGenuine, UnknownSigner
from agent.record.receipt import Keys

SIGNATURE_BYTES: Final = 64
"""Length of an ES256 signature. Source: RFC 7518 section 3.4."""

DER_SEQUENCE: Final = b"\x30"
"""First byte of a signature in DER. Source: RFC 3279 section 2.2.3."""


def explained(token: str, keys: Keys, error: NotGenuine) -> str:
    """Return the fault of a receipt that a device refused with this error."""
    parts = token.split(".")
    signature = _decoded(parts[-1])
    if len(parts) == 3 and len(signature) != SIGNATURE_BYTES and signature[:1] == DER_SEQUENCE:
        return (
            "its signature is in DER, and ES256 needs the 64 bytes of r and s "
            "(Node: dsaEncoding 'ieee-p1363')"
        )
    if isinstance(error, UnknownSigner):
        return (
            f"its header has the kid {_members(parts).get('kid')!r}; the right key has the "
            f"RFC 7638 thumbprint {' or '.join(sorted(keys))}"
        )
    return str(error)


def subject(token: str) -> object:
    """Return the capture id in an unverified receipt; None if it cannot be read."""
    return _members(token.split(".")[1:2]).get("capture_id")


def _members(parts: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object in the first part of a JWS; empty if it is invalid."""
    try:
        found = json.loads(_decoded("".join(parts[:1])))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _decoded(text: str) -> bytes:
    """Return the content of base64url; nothing if it is invalid."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
