"""PUT /switches and GET /counts, which only tests ask."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from doorstep_backend.wire.questions import json_object
from doorstep_backend.wire.store import Store
from tests.support.faulty.asking import CONTROL_PATHS
from tests.support.faulty.store import forget
from tests.support.faulty.switches import Counts, Panel, Switches


class Controls:
    """ASGI middleware that answers both paths, without a certificate."""

    def __init__(self, app: ASGIApp, store: Store, panel: Panel, counts: Counts) -> None:
        self._app = app
        self._store = store
        self._panel = panel
        self._counts = counts
        routes = [
            Route("/switches", self.switch, methods=["PUT"]),
            Route("/counts", self.count, methods=["GET"]),
        ]
        self._controls = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_control = scope["type"] == "http" and scope["path"] in CONTROL_PATHS
        await (self._controls if is_control else self._app)(scope, receive, send)

    async def switch(self, request: Request) -> Response:
        """Replace all switches; `"forget": true` at once loses every upload and receipt."""
        given = await json_object(request)
        if given.pop("forget", False):
            await run_in_threadpool(forget, self._store)
        try:
            self._panel.set(Switches.from_json(given))
        except (ValueError, TypeError) as error:
            raise HTTPException(400, str(error)) from error
        return JSONResponse({})

    async def count(self, _request: Request) -> Response:
        return JSONResponse(self._counts.to_json())
