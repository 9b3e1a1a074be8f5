"""The accounts of people who sign in; of a password only its Argon2id hash is kept."""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import anyio
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from agent.models import rfc3339
from doorstep_backend.engines.sql import Database, Schema, statements
from doorstep_backend.office.access import Customer, CustomerService, Dispatch, Viewer, viewer_name
from doorstep_backend.wire.asking import in_page_thread

ROLES: Final = ("customer", "agent", "dispatch")
"""Roles of an account."""

ACCOUNTS: Final = Schema(
    "accounts",
    [
        statements("""
CREATE TABLE accounts (
    who TEXT PRIMARY KEY, role TEXT NOT NULL CHECK (role IN ('customer', 'agent', 'dispatch')),
    hash TEXT NOT NULL);
CREATE TABLE browsers (
    browser TEXT PRIMARY KEY, ends TEXT NOT NULL,
    who TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE);
""")
    ],
)
"""`browsers` holds a digest of what each was given; a new password makes all of them unknown."""

HASHER: Final = PasswordHasher()
"""argon2-cffi's defaults. Source: RFC 9106 section 4, the second recommended choice: 64 MiB."""

KNOWN_FOR: Final = timedelta(days=90)
"""Time for which a browser is known after a sign-in: longer than a holiday."""

MOST_WAITING: Final = 20
"""People whose password is checked, or who wait for that: about 2 s on the machine of the test."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in.

    Attributes:
        who: the customer's id, the agent's number or the dispatcher's name.
    """

    role: str
    who: str
    password: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who gave the password of an account.

    Attributes:
        standing: what the account was then: its role and hash.
    """

    viewer: Viewer
    who: str
    standing: tuple[str, str]


class Accounts:
    """The accounts in the office's ledger. Each change is durable when the call returns."""

    def __init__(self, ledger: Database, hasher: PasswordHasher = HASHER) -> None:
        self._ledger = ledger
        self._hasher = hasher
        self._nobodys = _nobodys_hash(hasher)
        self._one_at_a_time = anyio.CapacityLimiter(1)  # 64 MiB each
        self._trying = 0
        ledger.migrate(ACCOUNTS)

    def add(self, account: Account) -> None:
        """Add an account, or give one a new role and password; its sessions and browsers end."""
        row = (account.who, account.role, self._hasher.hash(account.password))
        with self._ledger.exclusive_transaction():  # sessions, grants and codes end too
            self.remove(account.who)
            self._ledger.execute("INSERT INTO accounts VALUES (?, ?, ?)", row)

    def add_all(self, accounts: Iterable[Account]) -> None:
        """Add each account, as `add` does; one that fails leaves those before it."""
        for account in accounts:
            self.add(account)

    def keep_all(self, accounts: Iterable[Account]) -> None:
        """Add those that are not there just so; the others stay, and so do their sessions."""
        for account in accounts:
            found = self.find(account.who)
            role, known = found.standing if found else ("", self._nobodys)
            if role != account.role or not self._fits(known, account.password):
                self.add(account)

    def remove(self, who: str) -> bool:
        """Remove an account and its sessions, with what they opened; False without one."""
        codes = """DELETE FROM one_time_codes
            WHERE number IN (SELECT number FROM orders WHERE customer = ?)"""
        cases = "DELETE FROM cases WHERE opened_by = ? AND closed_at IS NULL"
        with self._ledger.exclusive_transaction():
            gone = self._ledger.execute("DELETE FROM accounts WHERE who = ?", (who,))
            self._ledger.execute("DELETE FROM grants WHERE agent = ?", (who,))
            self._ledger.execute(cases, (viewer_name(Dispatch(who)),))
            self._ledger.execute(codes, (who,))
        return gone.rowcount == 1

    def find(self, who: str) -> SignedIn | None:
        """Return an account as it is now; None if it is missing. No password was checked."""
        row = self._ledger.execute("SELECT * FROM accounts WHERE who = ?", (who,)).fetchone()
        return row and SignedIn(viewer_of(row["role"], who), who, (row["role"], row["hash"]))

    @contextmanager
    def password_slot(self) -> Iterator[bool]:
        """Count a password that is to be checked; give False if too many wait for that already."""
        self._trying += 1
        try:
            yield self._trying <= MOST_WAITING
        finally:
            self._trying -= 1

    async def check(self, who: str, password: str) -> SignedIn | None:
        """Return whose name and password these are; an unknown name takes as long as any other."""
        found = await in_page_thread(self.find, who)
        known = found.standing[1] if found else self._nobodys
        fits = await anyio.to_thread.run_sync(
            self._fits, known, password, limiter=self._one_at_a_time
        )
        return found if fits and await in_page_thread(self.find, who) == found else None

    def remember_browser(self, by: SignedIn, now: datetime) -> str:
        """Return what to give a browser in which this account has just been signed in.

        The browser stays unknown if the account has changed since its password was given.
        """
        given = secrets.token_urlsafe(32)
        self._ledger.execute("DELETE FROM browsers WHERE ends <= ?", (rfc3339(now),))
        row = (digest(given), rfc3339(now + KNOWN_FOR), by.who)
        with unchanged(self._ledger, by) as is_so:
            if is_so:
                self._ledger.execute("INSERT INTO browsers VALUES (?, ?, ?)", row)
        return given

    def is_known_browser(self, who: str, given: str, now: datetime) -> bool:
        """Return whether a browser that shows this was signed in to this account before."""
        query = "SELECT 1 FROM browsers WHERE browser = ? AND who = ? AND ends > ?"
        row = (digest(given), who, rfc3339(now))
        return self._ledger.execute(query, row).fetchone() is not None

    def _fits(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except VerifyMismatchError:
            return False


@contextmanager
def unchanged(ledger: Database, by: SignedIn) -> Iterator[bool]:
    """Hold an account, and give whether it is as it was when its password was given.

    Until the end of the block no other process changes or removes the account: a row that refers
    to it is either refused, or deleted with it. A comparison within the INSERT is not enough. The
    INSERT reads the old account, and its foreign key a moment later finds the new one of this name.
    """
    query = "SELECT role, hash FROM accounts WHERE who = ?"
    with ledger.row_locked(query, (by.who,)) as found:
        yield found == by.standing


def digest(given: str) -> str:
    """Return what is kept of a secret that a browser was given: its SHA-256, in hex."""
    return hashlib.sha256(given.encode()).hexdigest()


def _nobodys_hash(hasher: PasswordHasher) -> str:
    """Return a hash of no password, which costs as much to check as any of this hasher's."""
    salt, digest = (base64.b64encode(bytes(n)).rstrip(b"=").decode() for n in (16, hasher.hash_len))
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def viewer_of(role: str, who: str) -> Viewer:
    """Return the viewer that is signed in by this account."""
    match role:
        case "customer":
            return Customer(who)
        case "agent":
            return CustomerService(who)
        case _:
            return Dispatch(who)
