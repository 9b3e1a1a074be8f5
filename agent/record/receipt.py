"""The backend's signed statements on a record: receipt, refusal, erasure; and their checks."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from agent.errors import NotGenuine
from agent.models import CaptureId, from_rfc3339
from agent.record import signing
from agent.record.file import UUID4


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that may sign statements dated before `until`; None while the key is in use."""

    key: signing.PublicKey
    until: datetime | None = None


Keys = Mapping[str, Signer]
"""Those who may sign, by thumbprint."""

RECEIPT_TYPE: Final = "doorstep-receipt"
"""`typ` in the header of the JWS: the same keys may sign other things. Source: RFC 8725 3.11."""

REFUSAL_TYPE: Final = "doorstep-refusal"
"""Type of a refusal."""

ERASURE_TYPE: Final = "doorstep-erased"
"""Type of a statement that a record's body was erased."""

REASON_LIMIT: Final = 200
"""Longest reason that is kept, in characters: two lines on a terminal."""

_RECEIVED, _REFUSED, _REASON = "received_at", "refused_at", "reason"


class RecordReference(Protocol):
    """The record that something should be about: an item of the queue, or a file at hand."""

    @property
    def capture_id(self) -> CaptureId: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def bytes(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Described:
    """A record as a file or a statement describes it."""

    capture_id: CaptureId
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt: the backend has the record. `token` is the JWS, `received` the time of arrival."""

    token: str
    received: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """The backend refused the record; `token` is the JWS, `refused` when."""

    token: str
    refused: datetime
    reason: str


def verified_receipt(token: str, item: RecordReference, keys: Keys) -> Receipt:
    """Return a receipt that one of `keys` signed, for exactly this id, digest and size.

    Its type may be left out if all members are there.

    Raises:
        NotGenuine: anything else, a refusal included.
    """
    payload = _verified(token, item, keys, RECEIPT_TYPE)
    if _REFUSED in payload or _REASON in payload:
        raise NotGenuine("signed, but a refusal and not a receipt")
    return Receipt(token, _dated(payload, _RECEIVED, token, keys))


def verified_refusal(token: str, item: RecordReference, keys: Keys) -> Refusal:
    """Return a refusal, verified as `verified_receipt` does.

    Raises:
        NotGenuine: anything else, a receipt included.
    """
    payload = _verified(token, item, keys, REFUSAL_TYPE)
    reason = payload.get(_REASON)
    if _RECEIVED in payload or not isinstance(reason, str) or not reason:
        raise NotGenuine("signed, but not a refusal with a reason")
    return Refusal(token, _dated(payload, _REFUSED, token, keys), reason[:REASON_LIMIT])


def verified_erasure(token: str, capture_id: CaptureId, keys: Keys) -> datetime:
    """Return when a record's body was erased, by a verified statement.

    Raises:
        NotGenuine: anything else.
    """
    payload = signing.verify(token, public(keys), typ=ERASURE_TYPE)
    if payload.get("v") != 1 or payload.get("capture_id") != capture_id:
        raise NotGenuine("signed for another record")
    return _dated(payload, "erased_at", token, keys)


def claimed_id(token: str) -> CaptureId:
    """Return the record that a receipt is for, as it says; nothing is verified but the id's form.

    Raises:
        NotGenuine: it is no JWS, or names no record.
    """
    capture_id = str(signing.unverified_payload(token).get("capture_id"))
    if not re.fullmatch(UUID4, capture_id):
        raise NotGenuine("names no record")
    return CaptureId(capture_id)


def claimed_date(token: str) -> datetime | None:
    """Return when the backend received the record, as the receipt says; None without a date."""
    try:
        return from_rfc3339(signing.unverified_payload(token).get(_RECEIVED))
    except (NotGenuine, ValueError):
        return None


def verified_for_id(token: str, capture_id: CaptureId, keys: Keys) -> Receipt:
    """Return a verified receipt for this id; its digest and size are compared with nothing.

    Capture compared them when the receipt came.
    """
    said = signing.unverified_payload(token)
    sha256, size = said.get("sha256"), said.get("bytes")
    if not isinstance(sha256, str) or type(size) is not int:
        raise NotGenuine("signed for no digest and size")
    return verified_receipt(token, Described(capture_id, sha256, size), keys)


_CALLED: Final = {
    "v": "of another version",
    "capture_id": "of another id",
    "sha256": "with another digest",
    "bytes": "of another size",
}


def _verified(token: str, item: RecordReference, keys: Keys, own_type: str) -> dict[str, Any]:
    payload = signing.verify(token, public(keys))
    if signing.has_type(token):
        signing.check_type(token, own_type)
    ours = {"v": 1, "capture_id": item.capture_id, "sha256": item.sha256, "bytes": item.bytes}
    for name, value in ours.items():
        found = payload.get(name)
        if type(found) is not type(value) or found != value:  # True == 1 and 1.0 == 1
            raise NotGenuine(f"signed for a record {_CALLED[name]}")
    return payload


def _dated(payload: Mapping[str, Any], name: str, token: str, keys: Keys) -> datetime:
    try:
        at = from_rfc3339(payload.get(name))
    except ValueError as error:
        raise NotGenuine(f"signed, but {name} is {error}") from error
    check_date(at, token, keys)
    return at


def check_date(at: datetime, token: str, keys: Keys) -> None:
    """Raise NotGenuine where the key that signed `token`, one of `keys`, was retired by `at`."""
    until = keys[signing.key_id(token)].until
    if until is not None and at >= until:
        raise NotGenuine(f"signed by a key that was retired on {until:%Y-%m-%d}, and dated later")


def public(keys: Keys) -> Mapping[str, signing.PublicKey]:
    """Return the keys alone."""
    return {kid: signer.key for kid, signer in keys.items()}


def read_keys(paths: Iterable[Path]) -> Keys:
    """Read the public keys in these PEM files.

    Raises:
        ConfigError: one cannot be read.
    """
    return signers_without_end(*(signing.read_public_key(path) for path in paths))


def signers_without_end(*keys: signing.PublicKey) -> Keys:
    """Return these keys as signers without an end."""
    return {signing.thumbprint(key): Signer(key) for key in keys}
