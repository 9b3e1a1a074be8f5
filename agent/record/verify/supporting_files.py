"""The files beside the records: certificates, receipts, and the fleet's list of revoked keys."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.errors import ConfigError, NotGenuine, UnknownSigner
from agent.models import from_rfc3339
from agent.record import certificates, signing
from agent.record.certificates import Certificate, CertificateChain
from agent.record.file import UUID4
from agent.record.receipt import Keys, Signer
from hardware.foreign import read_file

REVOKED_TYPE: Final = "doorstep-revoked"
"""`typ` of the list. Source: RFC 8725 section 3.11."""

_FILE_LIMIT_BYTES: Final = 16_777_216
"""Longest file of receipts or certificates that is read: twenty thousand receipts."""

_LIST_LIMIT_CHARS: Final = 1_048_576
"""Longest list of revoked keys that is looked at: eight thousand devices.

The list is parsed before its signature is verified, if there is a key: 14 MB took 329 MB and 1.3 s.
"""

_RECEIPTS_LIMIT: Final = 20_000
"""Most receipts in one file: half a year of one driver's deliveries."""

_TOKEN_LIMIT_CHARS: Final = 65_536
"""Longest receipt that is looked at; ours have 400."""


@dataclass(frozen=True, slots=True)
class FleetList:
    """The fleet's list for those who check its records.

    Attributes:
        revoked: time from which a device's signing key is not believed, by thumbprint.
        keys: keys that may sign receipts, without compromised ones.
        is_pinned: True if its own signature was checked.
    """

    revoked: Mapping[str, datetime]
    keys: Keys
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class SupportingFiles:
    """The files that records are compared with, except the records; missing ones are not checked.

    Attributes:
        authorities: the fleet's; empty if none was given.
        certificates: of devices, not believed yet.
        receipts: JWS by the id of their record, not believed yet; None if none were looked for.
        listed: None if no list was given.
        unusable: files without their expected contents, and the reasons.
        passed_over: names of other files in the folder, which were ignored.
    """

    authorities: CertificateChain = ()
    certificates: Sequence[Certificate] = ()
    receipts: Mapping[str, Sequence[str]] | None = None
    listed: FleetList | None = None
    unusable: Sequence[str] = ()
    passed_over: Sequence[str] = ()


def read_certificates(paths: Sequence[Path], unusable: list[str]) -> list[Certificate]:
    """Read the certificates in PEM files; a file without one goes to `unusable`."""
    found: list[Certificate] = []
    for path in sorted(paths):
        try:
            text = content(path)
            if b"-----BEGIN PUBLIC KEY-----" not in text:  # those are for --key and --fleet-key
                found.extend(certificates.read_pem(text))
        except (NotGenuine, ValueError) as error:
            unusable.append(f"{path.name}: {error}")
    return found


def read_receipts(paths: Sequence[Path], unusable: list[str]) -> Mapping[str, Sequence[str]]:
    """Read the backend's signatures by record: one JWS per line, in any number of files."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        try:
            tokens = _tokens(path)
        except ValueError as error:
            unusable.append(f"{path.name}: {error}")
            continue
        wrong: list[str] = []
        for token in tokens:
            try:
                about = _about(token)
                found[about].append(token)
                if about != path.stem and re.fullmatch(UUID4, path.stem):
                    wrong.append("about another record than its name says")
            except NotGenuine as error:
                wrong.append(str(error))
        if wrong:
            unusable.append(f"{path.name}: {len(wrong)} of {len(tokens)}: {wrong[0]}")
    return found


def _tokens(path: Path) -> list[str]:
    """Return the receipts in a file; raise ValueError as `content`, or above _RECEIPTS_LIMIT."""
    tokens = _text(path).split(maxsplit=_RECEIPTS_LIMIT)
    if len(tokens) > _RECEIPTS_LIMIT:
        raise ValueError(f"more than {_RECEIPTS_LIMIT} receipts: put them into several files")
    return tokens


def _about(token: str) -> str:
    if len(token) > _TOKEN_LIMIT_CHARS:
        raise NotGenuine("too long for a receipt")
    capture_id = signing.unverified_payload(token).get("capture_id")
    if not isinstance(capture_id, str):
        raise NotGenuine("not about a record")
    return capture_id


def read_listed(path: Path, fleet_key: signing.PublicKey | None) -> FleetList:
    """Read the list; without `fleet_key` it is taken at its word.

    Raises:
        ConfigError: it cannot be read.
        NotGenuine: by another key, of another type, or not as it should be.
    """
    try:
        token = _text(path).strip()
    except ValueError as error:
        raise ConfigError(f"{path}: not a list of revoked keys (JWS): {error}") from error
    if len(token) > _LIST_LIMIT_CHARS:
        raise NotGenuine(f"{path}: too long for a list of revoked keys")
    try:
        if fleet_key is None:
            payload = signing.unverified_payload(token, typ=REVOKED_TYPE)
        else:
            key = {signing.thumbprint(fleet_key): fleet_key}
            payload = signing.verify(token, key, typ=REVOKED_TYPE)
        return _listed(payload, is_pinned=fleet_key is not None)
    except UnknownSigner as error:
        raise NotGenuine(f"{path}: signed by another key than --fleet-key") from error
    except ValueError as error:
        raise NotGenuine(f"{path}: {error}") from error


def _listed(payload: Mapping[str, Any], *, is_pinned: bool) -> FleetList:
    if type(payload.get("v")) is not int or payload["v"] != 1:
        raise ValueError("a list of another format than this program reads")
    revoked: dict[str, datetime] = {}
    for entry in _entries(payload, "revoked"):
        since = from_rfc3339(entry.get("since"))
        kid = str(entry.get("kid"))
        revoked[kid] = min(since, revoked.get(kid, since))
    keys = {}
    for entry in _entries(payload, "receipt_keys"):
        key, until = signing.from_jwk(entry.get("jwk")), entry.get("until")
        ends = None if until is None else from_rfc3339(until)
        keys[signing.thumbprint(key)] = Signer(key, ends)
    return FleetList(revoked, keys, is_pinned)


def _entries(payload: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the entries; lists from before receipt keys were in them have none."""
    found = payload.get(name, [])
    if not isinstance(found, list):
        raise ValueError(f"{name} is not a list")  # noqa: TRY004 - one way out
    for entry in found:
        if not isinstance(entry, dict):
            raise ValueError(f"{name} has an entry that is no object")  # noqa: TRY004
        yield entry


def _text(path: Path) -> str:
    """Read a text. Raises ValueError, as `content` does."""
    try:
        return content(path).decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("not text") from None


def content(path: Path) -> bytes:
    """Read a file. Raises ValueError: not a plain file, too big, or unreadable."""
    try:
        if not path.is_file():
            raise ValueError("not a plain file")
        return read_file(path, _FILE_LIMIT_BYTES)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
