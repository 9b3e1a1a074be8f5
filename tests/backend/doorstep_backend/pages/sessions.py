"""The sessions, the forms that they may send, and the photos that they may ask for.

All instances of a backend share them, and they outlive instances. Of a cookie only its digest is
kept: a thief of the database, or of a backup, cannot sign in with it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Database, Schema, statements
from doorstep_backend.office.access import Nobody, Viewer
from doorstep_backend.pages.accounts import SignedIn, digest, unchanged, viewer_of

IDLE: Final = timedelta(minutes=30)
"""A session ends so long after the last page. A phone left on a table is closed by then."""

LONGEST: Final = timedelta(hours=12)
"""A session ends so long after its sign-in. A shift is as long."""

USED_EVERY: Final = timedelta(minutes=1)
"""Accuracy of the last use: not every page is to wait for a disk."""

PHOTO_ADDRESS: Final = timedelta(minutes=5)
"""Time for which the address of a photo opens it: enough to load a page on a slow connection."""

SESSIONS: Final = Schema(
    "sessions",
    [
        statements("""
CREATE TABLE sessions (
    cookie TEXT PRIMARY KEY, who TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    began TEXT NOT NULL, used TEXT NOT NULL);
CREATE INDEX sessions_by_account ON sessions (who)
""")
    ],
)
"""In `orders`, after the accounts. `cookie` is a digest; a session goes with its account, of which
a new role or password makes another one.
"""


class Sessions:
    """Sessions by the cookie that names them; a cookie is 256 random bits and says nothing.

    A cookie is also the key of what is made for its session alone: instances need no key in common.
    Its browser is the only one that has it, and could ask for the same on a page.
    """

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        ledger.migrate(SESSIONS)

    def visitor(self) -> str:
        """Make a cookie for a person who is not signed in, so that their sign-in form is theirs."""
        return secrets.token_urlsafe(32)

    def open(self, by: SignedIn, now: datetime) -> str:
        """Begin a session under a new cookie, which is returned.

        It opens nothing where the account is not any more as it was when its password was given.
        """
        self.forget_ended(now)
        cookie, at = secrets.token_urlsafe(32), rfc3339(now)
        row = (digest(cookie), by.who, at, at)
        with unchanged(self._ledger, by) as is_so:
            if is_so:
                self._ledger.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", row)
        return cookie

    def forget_ended(self, now: datetime) -> None:
        """Delete sessions that have ended; they opened nothing any more."""
        over = "DELETE FROM sessions WHERE used < ? OR began < ?"
        self._ledger.execute(over, (rfc3339(now - IDLE), rfc3339(now - LONGEST)))

    def viewer(self, cookie: str, now: datetime) -> Viewer:
        """Return the viewer of this session, which counts as a use; Nobody if none, or over."""
        query = """SELECT s.used, a.role, a.who FROM sessions s JOIN accounts a USING (who)
            WHERE s.cookie = ? AND s.used >= ? AND s.began >= ?"""
        row = (digest(cookie), rfc3339(now - IDLE), rfc3339(now - LONGEST))
        found = self._ledger.execute(query, row).fetchone() if cookie else None
        if found is None:
            return Nobody()
        if now - from_rfc3339(found["used"]) >= USED_EVERY:
            change = "UPDATE sessions SET used = ? WHERE cookie = ? AND used < ?"
            self._ledger.execute(change, (rfc3339(now), digest(cookie), rfc3339(now)))
        return viewer_of(found["role"], found["who"])

    @contextmanager
    def held(self, cookie: str, now: datetime) -> Iterator[Viewer]:
        """Give whose session this is, and keep that account as it is until the end of the block.

        A change or removal of the account by another process waits, and then ends what the block
        has opened for it.
        """
        query = """SELECT role, who FROM accounts WHERE who = (SELECT who FROM sessions
            WHERE cookie = ? AND used >= ? AND began >= ?)"""
        row = (digest(cookie), rfc3339(now - IDLE), rfc3339(now - LONGEST))
        with self._ledger.row_locked(query, row) as found:
            yield Nobody() if found is None else viewer_of(*found)

    def close(self, cookie: str) -> None:
        """End the session of this cookie, if there is one."""
        self._ledger.execute("DELETE FROM sessions WHERE cookie = ?", (digest(cookie),))

    def form_token(self, cookie: str) -> str:
        """Return what a form of this session carries, and no other site can know."""
        return _mac(cookie, "form")

    def is_form_token(self, cookie: str, token: str) -> bool:
        """Return whether a form of this session carries this; False without a session."""
        return bool(cookie) and _same(token, self.form_token(cookie))

    def photo_address(self, cookie: str, capture_id: str, now: datetime) -> str:
        """Return a part of a path that opens a photo in this session for PHOTO_ADDRESS.

        The viewer's permission is checked again when the address is used.
        """
        ends = int((now + PHOTO_ADDRESS).timestamp())
        return f"{capture_id}.{ends}.{_mac(cookie, 'photo', capture_id, str(ends))}"

    def photo_at(self, cookie: str, address: str, now: datetime) -> str | None:
        """Return the capture_id behind an address; None if not of this session, or too old."""
        capture_id, _, rest = address.partition(".")
        ends, _, mac = rest.partition(".")
        if not _same(mac, _mac(cookie, "photo", capture_id, ends)):
            return None
        return capture_id if int(ends) > now.timestamp() else None


def _mac(cookie: str, *parts: str) -> str:
    return hmac.new(cookie.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def _same(given: str, true: str) -> bool:
    return hmac.compare_digest(given.encode(), true.encode())
