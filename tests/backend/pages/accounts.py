"""Who can sign in; of a password only its Argon2id hash is kept."""

import base64
from collections.abc import Iterable
from typing import Final

import anyio
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from tests.backend.office.access import Agent, Customer, Dispatch, Viewer
from tests.backend.office.demo import Account
from tests.backend.office.ledger import Connection

SCHEMA: Final = """CREATE TABLE IF NOT EXISTS accounts (
    who TEXT PRIMARY KEY, role TEXT NOT NULL CHECK (role IN ('customer', 'agent', 'dispatch')),
    hash TEXT NOT NULL) STRICT"""

HASHER: Final = PasswordHasher()
"""argon2-cffi's defaults. Source: RFC 9106 section 4, the second recommended choice: 64 MiB."""


class Accounts:
    """The accounts in the office's ledger. Each change is durable when the call returns."""

    def __init__(self, ledger: Connection, hasher: PasswordHasher = HASHER) -> None:
        self._ledger = ledger
        self._hasher = hasher
        self._nobodys = _nobodys_hash(hasher)
        self._one_at_a_time = anyio.CapacityLimiter(1)  # 64 MiB each
        ledger.execute(SCHEMA)

    def add(self, account: Account) -> None:
        """Add an account, or give one a new password."""
        row = (account.who, account.role, self._hasher.hash(account.password))
        self._ledger.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)", row)

    def add_all(self, accounts: Iterable[Account]) -> None:
        for account in accounts:
            self.add(account)

    async def check(self, who: str, password: str) -> Viewer | None:
        """Whose name and password these are; a name that nobody has takes as long as any other."""
        query = "SELECT role, hash FROM accounts WHERE who = ?"
        row = self._ledger.execute(query, (who,)).fetchone()
        known = row["hash"] if row else self._nobodys
        fits = await anyio.to_thread.run_sync(
            self._fits, known, password, limiter=self._one_at_a_time
        )
        return _viewer(row["role"], who) if row and fits else None

    def _fits(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except VerifyMismatchError:
            return False


def _nobodys_hash(hasher: PasswordHasher) -> str:
    """The hash of no password, which costs as much to check as any of this hasher's."""
    salt, digest = (base64.b64encode(bytes(n)).rstrip(b"=").decode() for n in (16, hasher.hash_len))
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def _viewer(role: str, who: str) -> Viewer:
    match role:
        case "customer":
            return Customer(who)
        case "agent":
            return Agent(who)
        case _:
            return Dispatch()
