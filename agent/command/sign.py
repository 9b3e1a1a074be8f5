"""`doorstep sign`: signs a document of a backend, if the device's own reader accepts it."""

import argparse
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, assert_never

from agent.command.shared import named, read_input
from agent.errors import ExitCode, NotGenuine
from agent.models import DEVICE_ID, LARGEST_RECORD_BYTES, SHA256, CaptureId, from_rfc3339, rfc3339
from agent.queue.disk import write_new
from agent.record import receipt, signing
from agent.record.file import UUID4
from agent.record.receipt import Described
from agent.rule import manifest
from agent.trust import fleet
from hardware.foreign import read_json

_LIMIT_BYTES: Final = manifest.TOKEN_LIMIT_CHARS
"""Longest document that is read: the JWS of a longer one would be too long for a device."""

_MODE: Final = 0o600
"""A manifest has the places of a day's doors."""


class Kind(StrEnum):
    """The kind of a document that a backend signs."""

    RECEIPT = "receipt"
    REFUSAL = "refusal"
    MANIFEST = "manifest"
    FLEET = "fleet"


_TYPES: Final[Mapping[Kind, str]] = {
    Kind.RECEIPT: receipt.RECEIPT_TYPE,
    Kind.REFUSAL: receipt.REFUSAL_TYPE,
    Kind.MANIFEST: manifest.TYPE,
    Kind.FLEET: fleet.TYPE,
}

_RECORD: Final = frozenset({"v", "capture_id", "sha256", "bytes"})

_MEMBERS: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.RECEIPT: _RECORD | {"received_at"},
    Kind.REFUSAL: _RECORD | {"refused_at", "reason"},
    Kind.MANIFEST: frozenset({"v"} | {field.name for field in fields(manifest.Manifest)}),
    Kind.FLEET: frozenset({"v"} | {field.name for field in fields(fleet.FleetDocument)}),
}
"""All members of each kind. A device ignores others, so a misspelt `revoked` would revoke none."""

_KEY: Final = frozenset({"jwk", "until"})

_ENTRIES: Final[Mapping[str, frozenset[str]]] = {
    "stops": frozenset(field.name for field in fields(manifest.RouteStop)),
    "receipt_keys": _KEY,
    "manifest_keys": _KEY,
    "revoked": frozenset({"kid", "since"}),
}
"""All members of an entry in these lists; no name and no street of a person is in a stop."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep sign KIND FILE`, with the given key."""
    key = signing.read_private_key(arguments.key)
    content = read_input(arguments.document, _LIMIT_BYTES)
    try:
        token = signed(Kind(arguments.kind), content, key, datetime.now(UTC))
    except NotGenuine as error:
        words = str(error).removeprefix("signed, but ")
        raise NotGenuine(f"{named(arguments.document)}: {words}") from error
    if arguments.out is not None:
        write_new(arguments.out, token.encode(), _MODE)
    else:  # a device refuses a JWS and a newline, and servers send a file as it is
        print(token, end="\n" if sys.stdout.isatty() else "")
    return ExitCode.DONE


def signed(kind: Kind, content: bytes, key: signing.PrivateKey, now: datetime) -> str:
    """Sign a document (JSON), and read it as a device does; missing members are filled.

    Raises:
        NotGenuine: a device would refuse it, or ignore a part of it.
    """
    document = _parsed(content)
    _check_names(document, _MEMBERS[kind])
    document = _defaults(kind, document, now) | document
    try:
        token = signing.sign(document, key, typ=_TYPES[kind])
    except UnicodeEncodeError as error:
        raise NotGenuine(f"a text has half a character, {error.object[error.start]!a}") from None
    _read(kind, token, document, key.public_key())
    return token


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        document = read_json(content)
    except ValueError as error:
        raise NotGenuine(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise NotGenuine("not a JSON object")
    return document


def _check_names(members: Mapping[str, Any], known: frozenset[str], where: str = "") -> None:
    for name, value in members.items():
        if name not in known:
            words = f"devices know no such member here, only {', '.join(sorted(known))}"
            raise NotGenuine(f"{where}{name}: {words}")
        for index, entry in enumerate(
            value if name in _ENTRIES and isinstance(value, list) else ()
        ):
            if isinstance(entry, dict):
                _check_names(entry, _ENTRIES[name], f"{name}[{index}].")


def _defaults(kind: Kind, document: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the members that have a default."""
    version = int(now.timestamp())
    match kind:
        case Kind.RECEIPT:
            return {"v": 1, "received_at": rfc3339(now)}
        case Kind.REFUSAL:
            return {"v": 1, "refused_at": rfc3339(now)}
        case Kind.FLEET:
            return {"v": 1, "version": version}
        case Kind.MANIFEST:
            begins = document.get("begins", rfc3339(now))
            found: dict[str, Any] = {"v": 1, "version": version, "begins": begins}
            with suppress(ValueError, OverflowError):  # the reader names `begins`, or `ends`
                found["ends"] = rfc3339(from_rfc3339(begins) + manifest.VALIDITY_LIMIT)
            return found
        case _:
            assert_never(kind)


def _read(kind: Kind, token: str, document: Mapping[str, Any], key: signing.PublicKey) -> None:
    """Read a signed document as a device does; raise NotGenuine as the device's reader."""
    keys = receipt.signers_without_end(key)
    match kind:
        case Kind.RECEIPT:
            receipt.verified_receipt(token, _reference(document), keys)
        case Kind.REFUSAL:
            receipt.verified_refusal(token, _reference(document), keys)
        case Kind.FLEET:
            fleet.read(token, [key])
        case Kind.MANIFEST:
            device_id = _text(document, "device_id", DEVICE_ID, "a device's id")
            manifest.read(token, receipt.public(keys), device_id)
        case _:
            assert_never(kind)


def _reference(document: Mapping[str, Any]) -> Described:
    size = document.get("bytes")
    if type(size) is not int or not 0 < size <= LARGEST_RECORD_BYTES:
        raise NotGenuine(f"bytes: not the size of a file, from 1 to {LARGEST_RECORD_BYTES:,}")
    capture_id = _text(
        document, "capture_id", re.compile(UUID4, re.ASCII), "a UUIDv4 in lower case"
    )
    sha256 = _text(document, "sha256", SHA256, "64 hexadecimal digits in lower case")
    return Described(CaptureId(capture_id), sha256, size)


def _text(document: Mapping[str, Any], name: str, pattern: re.Pattern[str], what: str) -> str:
    found = document.get(name)
    if not isinstance(found, str) or not pattern.fullmatch(found):
        raise NotGenuine(f"{name}: not {what}")
    return found
