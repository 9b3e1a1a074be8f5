"""The fleet document: which keys may sign what, as the fleet key says; pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.errors import NotGenuine
from agent.models import from_rfc3339
from agent.record import signing
from agent.record.receipt import Keys, Signer
from agent.record.sealing import NoRecipients, Recipients
from agent.record.signing import PublicKey
from agent.trust import LINKS_LIMIT

TYPE: Final = "doorstep-fleet"
"""`typ` in the header of the JWS. Source: RFC 8725 section 3.11."""

TOKEN_LIMIT_CHARS: Final = 65_536
"""Longest JWS that is looked at: a hundred keys and two certificates are half of it."""

KEYS_LIMIT: Final = 100
"""Most keys of one kind: retired ones stay listed, and a yearly change is known for a century."""

VERSION_LIMIT: Final = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly. Source: RFC 8259 section 6."""


@dataclass(frozen=True, slots=True)
class FleetDocument:
    """A version of the fleet document.

    Attributes:
        version: rises with every change.
        receipt_keys: keys that may sign receipts and refusals, by thumbprint, without revoked ones.
        manifest_keys: the same for manifests.
        revoked: thumbprints of compromised keys: their signatures count for nothing, whatever their
            date, since a thief of a key chooses the date.
        recipients: recipients that bodies are sealed to; None in a document from before sealing.
        next_fleet_key: a key that may sign the next version, as the one that signed this may.
        next_ca: another certificate authority to trust, PEM.
    """

    version: int
    receipt_keys: Keys
    manifest_keys: Keys
    revoked: frozenset[str]
    recipients: Recipients | None
    next_fleet_key: PublicKey | None
    next_ca: str | None


def read(token: str, signers: Sequence[PublicKey]) -> FleetDocument:
    """Verify one document, signed by one of `signers`.

    Raises:
        NotGenuine: by another key, of another type, or not as it should be.
    """
    if len(token) > TOKEN_LIMIT_CHARS:
        raise NotGenuine(f"too long for a fleet document: over {TOKEN_LIMIT_CHARS} characters")
    keys = {signing.thumbprint(key): key for key in signers}
    payload = signing.verify(token, keys, typ=TYPE)
    if type(payload.get("v")) is not int or payload["v"] != 1:
        raise NotGenuine("signed, but a fleet document of another format than this agent reads")
    revoked = frozenset(_revoked(payload))
    next_key = payload.get("next_fleet_key")
    return FleetDocument(
        version=_version(payload),
        receipt_keys=_keys(payload, "receipt_keys", revoked),
        manifest_keys=_keys(payload, "manifest_keys", revoked),
        revoked=revoked,
        recipients=_recipients(payload),
        next_fleet_key=None if next_key is None else _public(next_key, "next_fleet_key"),
        next_ca=_text_or_none(payload, "next_ca"),
    )


def document_in_force(tokens: Sequence[str], pinned: PublicKey) -> FleetDocument:
    """Return the document in force, the last of `tokens`.

    The first is signed by the `pinned` key, each later one by that of the one before it or by the
    next key that it names.

    Raises:
        NotGenuine: one does not follow from the one before it, or there is none.
    """
    return _steps(tokens, pinned)[-1][0]


def extended_chain(tokens: Sequence[str], token: str, pinned: PublicKey) -> tuple[str, ...]:
    """Return the tokens to keep once `token` is in force too: the links to its key, and itself.

    The same document again changes nothing. Ignore the present tokens if they do not follow from
    the `pinned` key: root gave the device another one.

    Raises:
        NotGenuine: `token` does not follow from the present ones, or is not newer.
    """
    try:
        before, signer = _steps(tokens, pinned)[-1]
    except NotGenuine:
        document_in_force([token], pinned)
        return (token,)
    if tokens[-1] == token:
        return tuple(tokens)
    found = read(token, _allowed(before, signer))
    if found.version <= before.version:
        words = f"version {found.version} is not newer than {before.version}, the present one"
        raise NotGenuine(words)
    if before.recipients is not None and found.recipients is None:
        raise NotGenuine("signed, but it names no recipients, and the present document does")
    is_same_signer = _signer(token, _allowed(before, signer)) == signer
    kept = (*tokens[:-1], token) if is_same_signer else (*tokens, token)
    if len(kept) > LINKS_LIMIT:
        raise NotGenuine(f"the fleet key changed more than {LINKS_LIMIT} times; enrol again")
    return kept


def tag(tokens: Sequence[str], pinned: PublicKey) -> str | None:
    """Return the ETag of the document in force, the last of `tokens`: its SHA-256.

    A backend that reads it answers with a document that follows, however old this one is. None if
    the tokens do not lead from the `pinned` key: then only the newest document helps.
    """
    try:
        document_in_force(tokens, pinned)
    except NotGenuine:
        return None
    return f'"{hashlib.sha256(tokens[-1].encode()).hexdigest()}"'


def _steps(tokens: Sequence[str], pinned: PublicKey) -> list[tuple[FleetDocument, PublicKey]]:
    """Return each document with the key that signed it."""
    if not tokens:
        raise NotGenuine("no fleet document has come yet")
    allowed: Sequence[PublicKey] = (pinned,)
    steps = []
    for token in tokens:
        fleet, signer = read(token, allowed), _signer(token, allowed)
        steps.append((fleet, signer))
        allowed = _allowed(fleet, signer)
    return steps


def _allowed(fleet: FleetDocument, signer: PublicKey) -> Sequence[PublicKey]:
    return (signer,) if fleet.next_fleet_key is None else (signer, fleet.next_fleet_key)


def _signer(token: str, allowed: Sequence[PublicKey]) -> PublicKey:
    return next(key for key in allowed if signing.thumbprint(key) == signing.key_id(token))


def _keys(payload: Mapping[str, Any], name: str, revoked: frozenset[str]) -> Keys:
    found = {}
    for index, entry in enumerate(_list(payload, name)):
        where = f"{name}[{index}]"
        if not isinstance(entry, dict):
            raise _wrong(where, "not an object")
        until = entry.get("until")
        try:
            ends = None if until is None else from_rfc3339(until)
        except ValueError as error:
            raise _wrong(f"{where}.until", str(error)) from None
        key = _public(entry.get("jwk"), f"{where}.jwk")
        found[signing.thumbprint(key)] = Signer(key, ends)
    if not any(kid not in revoked and signer.until is None for kid, signer in found.items()):
        raise _wrong(name, "no key in it is valid without an end")
    return {kid: signer for kid, signer in found.items() if kid not in revoked}


def _public(members: object, where: str) -> PublicKey:
    try:
        return signing.from_jwk(members)
    except NotGenuine as error:
        raise _wrong(where, str(error)) from None


def _revoked(payload: Mapping[str, Any]) -> list[str]:
    entries = _list(payload, "revoked") if "revoked" in payload else []
    kids = [entry.get("kid") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(kid, str) for kid in kids):
        raise _wrong("revoked", "an entry without a kid")
    return [str(kid) for kid in kids]


def _recipients(payload: Mapping[str, Any]) -> Recipients | None:
    found = _list(payload, "recipients") if payload.get("recipients") is not None else []
    if not all(isinstance(one, str) and one.isascii() for one in found):
        raise _wrong("recipients", "not a list of texts in ASCII")
    try:
        return Recipients.of(found) if found else None
    except NoRecipients as error:
        raise _wrong("recipients", str(error)) from None


def _list(payload: Mapping[str, Any], name: str) -> list[Any]:
    found = payload.get(name)
    if not isinstance(found, list) or len(found) > KEYS_LIMIT:
        raise _wrong(name, f"not a list of at most {KEYS_LIMIT}")
    return found


def _text_or_none(payload: Mapping[str, Any], name: str) -> str | None:
    found = payload.get(name)
    if found is not None and not (isinstance(found, str) and found.isascii()):
        raise _wrong(name, "neither a text in ASCII nor null")
    return found


def _version(payload: Mapping[str, Any]) -> int:
    found = payload.get("version")
    if type(found) is not int or not 1 <= found <= VERSION_LIMIT:
        raise _wrong("version", f"not a whole number from 1 to {VERSION_LIMIT}")
    return found


def _wrong(where: str, what: str) -> NotGenuine:
    return NotGenuine(f"signed, but the fleet document is malformed: {where}: {what}")
