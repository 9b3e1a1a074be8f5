"""The check of a request's token: which system asks, and whether it may."""

import logging
from datetime import datetime
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from doorstep_backend.api.tokens import Scope, Token, Tokens
from doorstep_backend.engines.sql import Database
from doorstep_backend.pages.limits import WINDOW, SignInLimit, TokenTry

log = logging.getLogger(__name__)

REALM: Final = 'Bearer realm="doorstep"'
"""Source: RFC 6750 section 3."""

NO_TOKEN: Final = "no token: send `Authorization: Bearer TOKEN`; `tokens add` makes one"  # noqa: S105 - an error text
WRONG_TOKEN: Final = "no such token: it was revoked, or another backend made it"  # noqa: S105 - an error text
ENDED: Final = "the token ended on {}: `tokens add` makes the next one"
NOT_PERMITTED: Final = "the token lacks the scope {}"
TOO_OFTEN: Final = "too many wrong tokens from this network address: try again later"


class Authority:
    """The check of tokens; wrong ones have a limit, which does not touch right ones."""

    def __init__(self, ledger: Database) -> None:
        self._tokens = Tokens(ledger)
        self._limit = SignInLimit(ledger)

    def check(self, request: Request, scope: Scope, now: datetime) -> Token:
        """Return the token of a request. Raises HTTPException: 401, 403 or 429."""
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise HTTPException(401, NO_TOKEN, {"WWW-Authenticate": REALM})
        token = self._tokens.find(secret.strip())
        if token is None:
            raise self._unknown(request, now)
        if token.ends <= now:
            raise _refused(401, ENDED.format(f"{token.ends:%Y-%m-%d}"), "invalid_token")
        if scope not in token.scopes:
            log.warning("event=token_refused token=%s why=scope", token.name)
            why = NOT_PERMITTED.format(scope)
            raise _refused(403, why, f'insufficient_scope", scope="{scope}')
        return token

    def _unknown(self, request: Request, now: datetime) -> HTTPException:
        log.warning("event=token_refused why=unknown")
        address = request.client.host if request.client else ""
        if not self._limit.book(TokenTry(address), now):
            return HTTPException(429, TOO_OFTEN, {"Retry-After": str(WINDOW.seconds)})
        return _refused(401, WRONG_TOKEN, "invalid_token")


def _refused(status: int, why: str, error: str) -> HTTPException:
    return HTTPException(status, why, {"WWW-Authenticate": f'{REALM}, error="{error}"'})
