"""The limits of tries to sign in."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.models import rfc3339
from agent.network import network_of
from doorstep_backend.engines.sql import Database, Schema, statements

WINDOW: Final = timedelta(minutes=15)
"""Time for which a try counts: long for a guesser, short for a forgetful person."""

PER_PLACE: Final = 5
"""Tries of one account from one browser that it knows, or from one network address."""

PER_ADDRESS: Final = 50
"""Tries from one network address: ten accounts, since many customers share one."""

PER_NAME: Final = 50
"""Tries of one account by all browsers that it does not know: 4,800 a day.

A password of eight letters outlives that. Who would lock others out of a name needs ten addresses,
and shuts out no browser that has been signed in. Source: OWASP, device cookies.
"""

_LONGEST_NAME: Final = 100
"""Length to which a name is cut: no account has such a name."""

TRIES: Final = Schema(
    "sign_in_tries",
    [
        statements("""
CREATE TABLE sign_in_tries (
    made TEXT NOT NULL, what TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX sign_in_tries_of ON sign_in_tries (what);
CREATE INDEX sign_in_tries_by ON sign_in_tries (made);
CREATE INDEX sign_in_tries_at ON sign_in_tries (at)
""")
    ],
)
"""In `orders`: by whom a try was, and each limit that it counts towards. Both are digests: some
people type their password where the name goes.
"""


@dataclass(frozen=True, slots=True)
class Try:
    """A try to sign in.

    Attributes:
        address: of the network.
        browser: what this browser was given at an earlier sign-in to this account; else empty.
    """

    name: str
    address: str
    browser: str

    def place(self) -> tuple[str, str, str]:
        """Return what makes two tries the same person's, as far as anybody can tell."""
        return self.name[:_LONGEST_NAME], network_of(self.address), self.browser

    def limits(self) -> dict[tuple[str, ...], int]:
        """Return what the try counts towards, with how many tries each may have."""
        name, network, _ = self.place()
        if self.browser:
            return {("browser", self.browser): PER_PLACE}
        return {
            ("place", name, network): PER_PLACE,
            ("address", network): PER_ADDRESS,
            ("name", name): PER_NAME,
        }


@dataclass(frozen=True, slots=True)
class TokenTry:
    """A request with an unknown token; it locks out neither people nor right tokens.

    Attributes:
        address: of the network.
    """

    address: str

    def place(self) -> tuple[str, ...]:
        """Return what makes two tries the same system's."""
        return "token", network_of(self.address)

    def limits(self) -> dict[tuple[str, ...], int]:
        """Return what the try counts towards, with how many tries that may have."""
        return {self.place(): PER_ADDRESS}


class SignInLimit:
    """The count of tries, made before each, so that many at once count too, at any instance.

    A name that nobody has counts like any other, so that the limit tells nothing.
    """

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        ledger.migrate(TRIES)

    def book(self, made: Try | TokenTry, now: datetime) -> bool:
        """Return whether this try may be made; if so it is counted."""
        limits = made.limits()
        count = "SELECT count(*) FROM sign_in_tries WHERE what = ?"
        into = "INSERT INTO sign_in_tries VALUES (?, ?, ?)"
        with self._ledger.exclusive_transaction("sign_in_tries"):
            self.forget_ended(now)
            for what, most in limits.items():
                if self._ledger.execute(count, (_digest(what),)).fetchone()[0] >= most:
                    return False
            rows = [(_digest(made.place()), _digest(what), rfc3339(now)) for what in limits]
            self._ledger.executemany(into, rows)
        return True

    def forget_ended(self, now: datetime) -> None:
        """Delete tries that count no more."""
        over = rfc3339(now - WINDOW)
        self._ledger.execute("DELETE FROM sign_in_tries WHERE at <= ?", (over,))

    def succeeded(self, by: Try) -> None:
        """Forget the tries of an account from there: its own person signed in."""
        gone = "DELETE FROM sign_in_tries WHERE made = ?"
        self._ledger.execute(gone, (_digest(by.place()),))


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
