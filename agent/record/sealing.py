"""Sealing: a body that its recipients can open, and the device that sealed it cannot.

age with X25519 recipients; the only importer of pyrage. Source: age-encryption.org/v1.
A person who keeps a copy of today's records can open it if X25519 is ever broken: the library does
not know age's post-quantum recipients (`age1pq1...`) yet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import pyrage  # noqa: TID251 - the only importer

from agent.errors import ConfigError, NotGenuine
from hardware.foreign import SMALL_BYTES, read_file

SEALED_TYPE: Final = "application/age"
"""Media type of a sealed body. Source: age's own specification; IANA lists none."""

LEAST: Final = 2
"""Office and escrow: with one of them alone, a lost identity would be the loss of every photo."""

MOST: Final = 20
"""Each adds some 200 bytes to every record."""

HEADER_LIMIT_BYTES: Final = 4096
"""Longest age header that is opened: with `MOST` recipients `seal` makes 2235 bytes at most.

The version has 22 bytes, each X25519 stanza 98, the line of the MAC 48. pyrage adds one stanza of
random bytes ("grease"), of up to 205. Source: https://age-encryption.org/v1, "Header"; the source
of the Rust crate `age`, `grease_the_joint`.
"""

STANZAS_LIMIT: Final = MOST + 1
"""Most stanzas in a header that is opened: one per recipient, and one of grease."""

_VERSION: Final = b"age-encryption.org/v1\n"
_STANZA: Final = b"\n-> "
_MAC: Final = b"\n--- "

_X25519: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_POST_QUANTUM: Final = "age1pq1"
_IDENTITY: Final = "AGE-SECRET-KEY-"
_SHOWN: Final = 24
"""Characters of a wrong recipient that are shown: enough to find it."""


class NoRecipients(ValueError):
    """Missing or wrong recipients; the message names them and the remedy."""


class Unopened(NotGenuine):
    """A sealed body that no identity opens: sealed to others, altered, or with a wrong header."""


class NotIdentities(ValueError):
    """A file that should have identities; the message repeats no secret."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """The recipients that can open new bodies, each alone.

    Attributes:
        names: as age writes them, `age1...`.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Check all names.

        Raises:
            NoRecipients: one is no X25519 recipient, one is there twice, or they are too few or
                too many.
        """
        for number, name in enumerate(names, 1):
            if problem := _problem(name):
                raise NoRecipients(f"recipient {number}: {problem}")
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise NoRecipients(f"{doubled[0][:_SHOWN]}... is there twice: give another one")
        if not LEAST <= len(names) <= MOST:
            words = "office and escrow at least, so that one lost identity loses no photo"
            raise NoRecipients(f"{len(names)} recipients, {LEAST} to {MOST} expected: {words}")
        return cls(tuple(names))


def _problem(name: str) -> str:
    """Return what is wrong with a name; a secret is not repeated."""
    if name.strip().upper().startswith(_IDENTITY):
        return "an identity, which is secret: give its recipient, as `age-keygen -y FILE` tells it"
    shown = f"{name[:_SHOWN]!r}..." if len(name) > _SHOWN else repr(name)
    if name.startswith(_POST_QUANTUM):
        return f"{shown} is a post-quantum one, which this release does not know: give an age1..."
    if any(char.isspace() for char in name):
        return f"{shown} has white space in it"
    try:
        pyrage.x25519.Recipient.from_str(name)
    except pyrage.RecipientError:
        return f"{shown} is not what `age-keygen` calls a public key"
    return "" if _X25519.fullmatch(name) else f"{shown} is not in lower case"


def seal(body: bytes, recipients: Recipients) -> bytes:
    """Seal a body to all of them; some 200 bytes longer for each, and never the same twice."""
    keys = [pyrage.x25519.Recipient.from_str(name) for name in recipients.names]
    return bytes(pyrage.encrypt(body, keys))


@dataclass(frozen=True, slots=True)
class AgeIdentity:
    """A key that opens bodies: a reader of records has it, and never a device."""

    recipient: str
    secret: pyrage.x25519.Identity = field(repr=False)


def read_identities(text: str) -> list[AgeIdentity]:
    """Read an identity file as `age-keygen` writes it: comments, and one identity per line.

    Raises:
        NotIdentities: there is none, or a line is invalid; the message repeats nothing of it.
    """
    found = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        try:
            secret = pyrage.x25519.Identity.from_str(line)
        except pyrage.IdentityError:
            raise NotIdentities(f"line {number} is no age identity ({_IDENTITY}1...)") from None
        found.append(AgeIdentity(str(secret.to_public()), secret))
    if not found:
        raise NotIdentities(f"there is no age identity in it ({_IDENTITY}1...)")
    return found


def read_identity_file(path: Path) -> list[AgeIdentity]:
    """Read the identity file that a command line names.

    Raises:
        ConfigError: it cannot be read, or has no identity; the message repeats nothing of it.
    """
    try:
        return read_identities(read_file(path, SMALL_BYTES).decode("ascii"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # NotIdentities, too long, or no text
        words = error if isinstance(error, NotIdentities) else "not an age identity file"
        raise ConfigError(f"{path}: {words}") from None


def open_sealed(body: bytes, identities: Sequence[AgeIdentity]) -> bytes:
    """Return what was sealed to one of these identities.

    pyrage parses a header in quadratic time while it holds Python's lock, so it never sees a
    header that is longer than `seal` makes one.

    Raises:
        Unopened: the body is sealed to others, was altered, or has a header that is too long.
    """
    if not identities:
        raise Unopened("sealed, and no identity was given")
    if not _is_header_bounded(body):
        raise Unopened("sealed: the age header is not one that a device writes")
    try:
        return bytes(pyrage.decrypt(body, [one.secret for one in identities]))
    except pyrage.DecryptError as error:
        raise Unopened(f"sealed: {error}") from None


def _is_header_bounded(body: bytes) -> bool:
    """Return whether the header ends within the limits; the line of its MAC is its last one.

    No other line of a header can begin like a MAC or a stanza: base64 has no `-`.
    """
    head = body[:HEADER_LIMIT_BYTES]
    end = head.find(_MAC)
    stanzas = head.count(_STANZA, 0, end)
    return head.startswith(_VERSION) and end >= 0 and stanzas <= STANZAS_LIMIT
