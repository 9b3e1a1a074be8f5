"""What whoever asks is told while the database is away."""

import logging
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.backend.engines.sql import Away

log = logging.getLogger(__name__)

RETRY: Final = {"Retry-After": "10"}
"""When to ask again, in seconds: a database that is started again is there within some."""


class Outage:
    """ASGI middleware outside all that asks the database: 503, and the cause in the log.

    Nothing was acknowledged: what has no answer yet is sent again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def note(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Away as error:
            if scope["type"] != "http" or began:
                raise
            note_away(error)
            words = "the database cannot be asked now: try again later\n"
            await PlainTextResponse(words, 503, RETRY)(scope, receive, send)


def note_away(error: Exception) -> None:
    log.warning("event=database_away why=%r", str(error))
