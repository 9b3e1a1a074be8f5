"""The middleware around the application: answers in its place, or changes its receipts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.record.signing import PrivateKey
from doorstep_backend.identity.admission import EST
from tests.support.faulty.asking import is_a_devices
from tests.support.faulty.connection import drain, line_of
from tests.support.faulty.receipts import Forger
from tests.support.faulty.switches import IN_FORCE, Counts, Panel, Switches

PORTAL_PAGE: Final = "<html><body><h1>Welcome</h1><p>Please accept our terms.</p></body></html>"
"""A captive portal's answer to every request, with status 200."""

TRUNCATED: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
)

ENDLESS_CHUNK: Final = bytes(65_536)
"""Repeated without end, with a turn of the loop in between, by `endless_answer`."""


class Faults:
    """ASGI middleware that applies the switches and counts; people and probes notice nothing."""

    def __init__(
        self, app: ASGIApp, panel: Panel, counts: Counts, key: Callable[[], PrivateKey]
    ) -> None:
        self._app = app
        self._panel = panel
        self._counts = counts
        self._forger = Forger(app, key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        IN_FORCE.set(Switches())  # the next request of a connection may begin in this context
        if scope["type"] == "http" and is_a_devices(scope["path"]):
            await self._device_request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _device_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        switches, line = self._panel.take(scope["method"]), line_of(scope)
        IN_FORCE.set(switches)
        self._count(scope["method"], scope["path"])
        receive = line.body(receive, switches)
        await asyncio.sleep(switches.delay_s)
        if switches.status is not None and switches.status < 200:
            await drain(receive)
            await line.answer_raw(f"HTTP/1.1 {switches.status} \r\n\r\n".encode(), receive)
        elif (instead := _instead(scope["method"], switches)) is not None:
            await drain(receive)
            await instead(scope, receive, send)
        elif switches.lose_answer:
            await line.lose_answer(self._app, scope, receive)
        elif switches.forges:
            await self._forger(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _count(self, method: str, path: str) -> None:
        if path.startswith(f"{EST}/"):
            self._counts.est_requests += 1
            return
        self._counts.requests += 1
        self._counts.by_method[f"{method} /{path.removeprefix('/').partition('/')[0]}"] += 1


def _instead(method: str, switches: Switches) -> ASGIApp | None:
    """Return the answer that takes the honest one's place, if any."""
    if switches.portal:
        return HTMLResponse(PORTAL_PAGE)
    if switches.full and method in {"POST", "PATCH"}:
        return Response("no room left\n", 507)
    if switches.status is not None:
        return Response(switches.body, switches.status, dict(switches.headers))
    if switches.endless_answer and method != "HEAD":  # without a body there is no end to wait for
        return StreamingResponse(_endless())
    return _truncated if switches.truncate_answer else None


async def _truncated(scope: Scope, receive: Receive, _send: Send) -> None:
    await line_of(scope).answer_raw(TRUNCATED, receive)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield ENDLESS_CHUNK
        await asyncio.sleep(0)
