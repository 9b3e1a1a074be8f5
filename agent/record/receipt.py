"""What the backend signed about a record: a receipt or a refusal, and whether it is about ours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.errors import NotGenuine
from agent.models import Item, from_rfc3339
from agent.record import signing

Keys = Mapping[str, signing.PublicKey]
"""The keys that may sign, by thumbprint."""

REASON_LIMIT: Final = 200
"""Longest reason that is kept, in characters: two lines on a terminal."""

_RECEIVED, _REFUSED, _REASON = "received_at", "refused_at", "reason"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The backend has the record; `token` is the JWS, `received` when it took it in."""

    token: str
    received: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """The backend refused the record; `token` is the JWS, `refused` when."""

    token: str
    refused: datetime
    reason: str


def read_receipt(token: str, item: Item, keys: Keys) -> Receipt:
    """Verify a receipt: signed by one of `keys`, for exactly this id, digest and size.

    Raises:
        NotGenuine: anything else, a refusal included.
    """
    payload = _verified(token, item, keys)
    if _REFUSED in payload or _REASON in payload:
        raise NotGenuine("signed, but a refusal and not a receipt")
    return Receipt(token, _utc(payload, _RECEIVED))


def read_refusal(token: str, item: Item, keys: Keys) -> Refusal:
    """Verify a refusal, as `read_receipt` does.

    Raises:
        NotGenuine: anything else, a receipt included.
    """
    payload = _verified(token, item, keys)
    reason = payload.get(_REASON)
    if _RECEIVED in payload or not isinstance(reason, str) or not reason:
        raise NotGenuine("signed, but not a refusal with a reason")
    return Refusal(token, _utc(payload, _REFUSED), reason[:REASON_LIMIT])


def _verified(token: str, item: Item, keys: Keys) -> dict[str, Any]:
    payload = signing.verify(token, keys)
    ours = {"v": 1, "capture_id": item.capture_id, "sha256": item.sha256, "bytes": item.bytes}
    for name, value in ours.items():
        found = payload.get(name)
        if type(found) is not type(value) or found != value:  # True == 1 and 1.0 == 1
            raise NotGenuine(f"signed, but for another record: its {name} is not ours")
    return payload


def _utc(payload: Mapping[str, Any], name: str) -> datetime:
    try:
        return from_rfc3339(payload.get(name))
    except ValueError as error:
        raise NotGenuine(f"signed, but {name} is {error}") from error


def read_keys(paths: Iterable[Path]) -> Keys:
    """The public keys in these PEM files.

    Raises:
        ConfigError: one cannot be read.
    """
    keys = [signing.read_public_key(path) for path in paths]
    return {signing.thumbprint(key): key for key in keys}
