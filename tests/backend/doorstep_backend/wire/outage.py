"""The answers while the database or the objects are unavailable."""

import logging
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doorstep_backend.engines.unavailable import AWAY_S, Unavailable

log = logging.getLogger(__name__)

RETRY: Final = {"Retry-After": str(AWAY_S)}


class UnavailableTo503:
    """ASGI middleware outside all that asks an engine: 503, and the cause in the log.

    Nothing was acknowledged: what came stays, and what has no answer yet is sent again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; answer 503 with Retry-After if it raises Unavailable before it answered."""
        began = False

        async def note(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Unavailable as error:
            if scope["type"] != "http" or began:
                raise
            note_away(error)
            words = "records cannot be kept or read now: ask again later\n"
            await PlainTextResponse(words, 503, RETRY)(scope, receive, send)


def note_away(error: Exception) -> None:
    """Log why an engine could not be asked."""
    log.warning("event=away why=%r", str(error))
