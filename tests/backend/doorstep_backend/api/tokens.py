"""The tokens of other systems: shown once, and kept as a digest, with scopes and an end."""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Conflict, Database, Row, Schema, statements
from doorstep_backend.pages.accounts import digest

PREFIX: Final = "doorstep_"
"""Beginning of each token, by which scanners find one in a repository or a log."""

_TOKEN: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")

TOKENS: Final = Schema(
    "api_tokens",
    [
        statements("""CREATE TABLE api_tokens (
            name TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,
            ends TEXT NOT NULL)""")
    ],
)
"""In `orders`. `scopes` are separated by blanks, as in RFC 6749 section 3.3."""


class Scope(StrEnum):
    """A permission of a token."""

    ORDERS = "orders:write"
    ROUTES = "routes:write"
    OUTCOMES = "outcomes:read"


class TokenNameTakenError(ValueError):
    """A name that another token has."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret.

    Attributes:
        name: of the system that has it, for the log and for the office.
    """

    name: str
    scopes: frozenset[Scope]
    ends: datetime


class Tokens:
    """The tokens in the office's ledger. Each change is durable when the call returns."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        ledger.migrate(TOKENS)

    def add(self, name: str, scopes: Collection[Scope], ends: datetime) -> str:
        """Make a token, and return its secret, which is not kept. Raises TokenNameTakenError."""
        secret = PREFIX + secrets.token_urlsafe(32)
        row = (name, digest(secret), " ".join(sorted(scopes)), rfc3339(ends))
        try:
            self._ledger.execute("INSERT INTO api_tokens VALUES (?, ?, ?, ?)", row)
        except Conflict as error:
            raise TokenNameTakenError(f"{name}: another token has this name") from error
        return secret

    def find(self, secret: str) -> Token | None:
        """Return the token of this secret, also one that has ended; None without one.

        Only digests are compared, so the time that this takes tells nothing about a secret.
        """
        if not _TOKEN.fullmatch(secret):
            return None
        query = "SELECT * FROM api_tokens WHERE digest = ?"
        row = self._ledger.execute(query, (digest(secret),)).fetchone()
        return None if row is None else _token(row)

    def listed(self) -> list[Token]:
        """Return every token, by name."""
        return [_token(row) for row in self._ledger.execute("SELECT * FROM api_tokens ORDER BY 1")]

    def revoke(self, name: str) -> None:
        """End a token at once, and free its name. Raises LookupError."""
        delete = "DELETE FROM api_tokens WHERE name = ?"
        if self._ledger.execute(delete, (name,)).rowcount == 0:
            raise LookupError(f"no token {name}: `tokens list` names all")


def _token(row: Row) -> Token:
    scopes = frozenset(map(Scope, row["scopes"].split()))
    return Token(row["name"], scopes, from_rfc3339(row["ends"]))
