"""Who is signed in, which forms they may send, and which photos they may ask for.

Kept in memory: when the backend ends, everybody is signed out and every address is dead.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tests.backend.office.access import Nobody, Viewer
from tests.backend.pages.accounts import SignedIn

IDLE: Final = timedelta(minutes=30)
"""A session ends so long after the last page. A phone left on a table is closed by then."""

LONGEST: Final = timedelta(hours=12)
"""A session ends so long after its sign-in. A shift is as long."""

PHOTO_ADDRESS: Final = timedelta(minutes=5)
"""How long the address of a photo opens it. Long enough to load a page on a bad line."""


@dataclass(slots=True)
class _Session:
    by: SignedIn
    began: datetime
    used: datetime

    def is_over(self, now: datetime) -> bool:
        return now - self.used > IDLE or now - self.began > LONGEST


class Sessions:
    """Sessions by the cookie that names them; a cookie is 256 random bits and says nothing.

    Args:
        find: an account as it is now; a session ends with its account, its role or its password.
    """

    def __init__(self, find: Callable[[str], SignedIn | None]) -> None:
        self._find = find
        self._key = secrets.token_bytes(32)
        self._sessions: dict[str, _Session] = {}

    def visitor(self) -> str:
        """A cookie for somebody not signed in, so that their sign-in form is theirs."""
        return secrets.token_urlsafe(32)

    def open(self, by: SignedIn, now: datetime) -> str:
        """Begin a session under a new cookie, which is returned."""
        for cookie in [one for one, session in self._sessions.items() if session.is_over(now)]:
            del self._sessions[cookie]
        cookie = secrets.token_urlsafe(32)
        self._sessions[cookie] = _Session(by, now, now)
        return cookie

    def viewer(self, cookie: str, now: datetime) -> Viewer:
        """Whose session this is, which counts as using it; Nobody when there is none or no more."""
        session = self._sessions.get(cookie)
        if session is None or session.is_over(now) or self._find(session.by.who) != session.by:
            self.close(cookie)
            return Nobody()
        session.used = now
        return session.by.viewer

    def close(self, cookie: str) -> None:
        self._sessions.pop(cookie, None)

    def form_token(self, cookie: str) -> str:
        """What a form of this session carries, and no other site can know."""
        return self._mac("form", cookie)

    def is_form_token(self, cookie: str, token: str) -> bool:
        return bool(cookie) and _same(token, self.form_token(cookie))

    def photo_address(self, cookie: str, capture_id: str, now: datetime) -> str:
        """An address, one part of a path, that opens a photo in this session for PHOTO_ADDRESS.

        Whether its viewer may see the photo is asked anew when it is used.
        """
        ends = int((now + PHOTO_ADDRESS).timestamp())
        return f"{capture_id}.{ends}.{self._mac('photo', cookie, capture_id, str(ends))}"

    def photo_at(self, cookie: str, address: str, now: datetime) -> str | None:
        """The capture_id behind an address; None when it is not of this session, or too old."""
        capture_id, _, rest = address.partition(".")
        ends, _, mac = rest.partition(".")
        if not _same(mac, self._mac("photo", cookie, capture_id, ends)):
            return None
        return capture_id if int(ends) > now.timestamp() else None

    def _mac(self, *parts: str) -> str:
        return hmac.new(self._key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def _same(given: str, true: str) -> bool:
    return hmac.compare_digest(given.encode(), true.encode())
