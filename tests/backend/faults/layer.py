"""The outermost layer: carries out the switches and counts, so that the rest stays honest."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.backend.faults.switches import Counts, Panel, Switches
from tests.backend.identity.admission import EST, is_for_clients
from tests.backend.pages import is_for_people
from tests.backend.wire.connections import connection_of

CONTROL_PATHS: Final = frozenset({"/switches", "/counts"})
"""Where the test speaks, not the device."""

PORTAL_PAGE: Final = "<html><body><h1>Welcome</h1><p>Please accept our terms.</p></body></html>"
"""What a captive portal answers to everything, with status 200."""

MOST_KINDS: Final = 100
"""Kinds of requests that are counted: devices have some ten."""

ENDLESS_CHUNK: Final = bytes(65_536)
"""Repeated without end, with a turn of the loop in between, by `endless_answer`."""


class Faults:
    """ASGI middleware around the honest application."""

    def __init__(self, app: ASGIApp, panel: Panel, counts: Counts) -> None:
        self._app = app
        self._panel = panel
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _is_not_a_devices(scope["path"]):
            connection_of(scope).mark_control()
            await self._app(scope, receive, send)
        else:
            await self._device_request(scope, receive, send)

    async def _device_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        switches = self._panel.take(scope["method"])
        scope["state"]["switches"] = switches
        self._count(scope["method"], scope["path"])
        body = _Body(scope, receive, switches, self._counts)
        await asyncio.sleep(switches.delay_s)
        if switches.status is not None and switches.status < 200:
            await _drain(body.receive)
            connection_of(scope).send_and_close(f"HTTP/1.1 {switches.status} \r\n\r\n".encode())
            await _until_gone(body.receive)
        elif (instead := _instead(scope["method"], switches)) is not None:
            await _drain(body.receive)
            await instead(scope, body.receive, send)
        elif switches.lose_answer:
            await self._app(scope, body.receive, _nowhere)
            connection_of(scope).reset()
            await _until_gone(body.receive)
        else:
            await self._app(scope, body.receive, send)

    def _count(self, method: str, path: str) -> None:
        """Strangers ask for anything: the first kinds count, and memory is not theirs."""
        if path.startswith(f"{EST}/"):
            self._counts.est_requests += 1
            return
        self._counts.requests += 1
        kind = f"{method} /{path.removeprefix('/').partition('/')[0]}"
        if kind in self._counts.by_method or len(self._counts.by_method) < MOST_KINDS:
            self._counts.by_method[kind] += 1


def _is_not_a_devices(path: str) -> bool:
    """Whether a test speaks, or a person or another system looks: never faulty, never counted."""
    return path in CONTROL_PATHS or is_for_people(path) or is_for_clients(path)


class _Body:
    """A request's body: counted, and ended early as the switches say."""

    def __init__(self, scope: Scope, receive: Receive, switches: Switches, counts: Counts) -> None:
        self._connection = connection_of(scope)
        self._receive = receive
        self._cut = switches.cut_after_bytes is not None
        limits = (switches.cut_after_bytes, switches.silent_after_bytes)
        self._left = next((limit for limit in limits if limit is not None), None)
        self._counts = counts

    async def receive(self) -> Message:
        if self._left == 0:
            return await self._end()
        message = await self._receive()
        body = message.get("body", b"")
        self._counts.body_bytes += len(body)
        if self._left is None or len(body) < self._left:
            self._left = None if self._left is None else self._left - len(body)
            return message
        kept, self._left = body[: self._left], 0
        return {"type": "http.request", "body": kept, "more_body": True}

    async def _end(self) -> Message:
        if self._cut:
            self._connection.reset()
        return await _until_gone(self._receive)


def _instead(method: str, switches: Switches) -> ASGIApp | None:
    """Returns the answer that takes the honest one's place, if any."""
    if switches.portal:
        return HTMLResponse(PORTAL_PAGE)
    if switches.full and method in {"POST", "PATCH"}:
        return Response("no room left\n", 507)
    if switches.status is not None:
        return Response(switches.body, switches.status, dict(switches.headers))
    if switches.endless_answer and method != "HEAD":  # without a body there is no end to wait for
        return StreamingResponse(_endless())
    if switches.truncate_answer:
        return _truncated
    return None


async def _truncated(scope: Scope, receive: Receive, _send: Send) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    connection_of(scope).send_and_close(head)
    await _until_gone(receive)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield ENDLESS_CHUNK
        await asyncio.sleep(0)


async def _drain(receive: Receive) -> None:
    """Reads the whole body: a client that is still sending would miss an early answer."""
    while (message := await receive())["type"] != "http.disconnect" and message.get("more_body"):
        pass


async def _until_gone(receive: Receive) -> Message:
    """Swallows what still comes until the connection is lost; returns the message that says so."""
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message


async def _nowhere(_message: Message) -> None:
    pass
