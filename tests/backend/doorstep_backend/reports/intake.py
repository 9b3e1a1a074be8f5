"""Takes the report off whatever request of a device it rides on; the request goes on unharmed."""

import logging
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from agent.status import header
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.admission import device_of
from doorstep_backend.reports.read import StatusReport, read
from doorstep_backend.reports.store import Reports
from doorstep_backend.wire.asking import in_thread

log = logging.getLogger(__name__)

_NAME: Final = header.NAME.lower().encode()


class ReportIntake:
    """ASGI middleware behind admission, which has put the certified device into the state."""

    def __init__(self, app: ASGIApp, reports: Reports) -> None:
        self._app = app
        self._reports = reports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the report in the headers, if there is one; then pass the request on."""
        if scope["type"] == "http":
            await self._take(scope)
        await self._app(scope, receive, send)

    async def _take(self, scope: Scope) -> None:
        said = [value for name, value in scope["headers"] if name == _NAME]
        device_id = device_of(scope)
        if not said or device_id is None:
            return
        try:
            now = await in_thread(self._reports.now)
            found = read(b",".join(said).decode("latin-1"), device_id, now)
            if isinstance(found, StatusReport):
                await in_thread(self._reports.note, found)
            else:
                self._reports.note_unreadable(device_id, found)
        except Unavailable as error:
            log.warning("event=report_lost device_id=%s why=%r", device_id, str(error))
