"""A connection that is cut, falls silent, loses its answer, or gets one that HTTP forbids."""

import asyncio
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope

from doorstep_backend.wire.connections import TimeoutProtocol
from tests.support.faulty.asking import is_a_devices
from tests.support.faulty.switches import Counts, Switches


class FaultyProtocol(TimeoutProtocol):
    """The backend's connection; counts handshakes. Each request has it in its state as `line`."""

    counts: ClassVar[Counts]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self.app_state = {**self.app_state, "line": self}
        self._is_control = False
        self.counts.connections += 1

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_asked = not self._is_control and self.cycle is not None
        if is_asked and not is_a_devices(self.cycle.scope["path"]):
            self._is_control = True
            self.counts.control_connections += 1

    def body(self, receive: Receive, switches: Switches) -> Receive:
        """Return a receiver of a request's body that counts bytes, and ends early if switched."""
        return _Body(self, receive, switches).receive

    async def answer_raw(self, raw: bytes, receive: Receive) -> None:
        """Write an answer that the HTTP library rightly refuses, and close the connection."""
        self.transport.write(raw)
        self.transport.close()
        await until_gone(receive)

    async def lose_answer(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Let the application do its work, and reset the connection in place of its answer."""
        await app(scope, receive, _nowhere)
        self.reset()
        await until_gone(receive)

    def reset(self) -> None:
        """End the connection with a TCP reset: the device sees no close and no answer."""
        self._connection.reset()


def counting(counts: Counts) -> type[FaultyProtocol]:
    """Return a class of connections that adds to these counts; uvicorn makes the connections."""

    class Counted(FaultyProtocol):
        pass

    Counted.counts = counts
    return Counted


def line_of(scope: Scope) -> FaultyProtocol:
    """Return the connection that a request came on."""
    line: FaultyProtocol = scope["state"]["line"]
    return line


class _Body:
    """The body of one request."""

    def __init__(self, line: FaultyProtocol, receive: Receive, switches: Switches) -> None:
        self._line = line
        self._receive = receive
        self._cut = switches.cut_after_bytes is not None
        limits = (switches.cut_after_bytes, switches.silent_after_bytes)
        self._left = next((limit for limit in limits if limit is not None), None)

    async def receive(self) -> Message:
        if self._left == 0:
            return await self._end()
        message = await self._receive()
        body = message.get("body", b"")
        self._line.counts.body_bytes += len(body)
        if self._left is None or len(body) < self._left:
            self._left = None if self._left is None else self._left - len(body)
            return message
        kept, self._left = body[: self._left], 0
        return {"type": "http.request", "body": kept, "more_body": True}

    async def _end(self) -> Message:
        if self._cut:
            self._line.reset()
        return await until_gone(self._receive)


async def drain(receive: Receive) -> None:
    """Read the whole body: a client that is still sending would miss an early answer."""
    while (message := await receive())["type"] != "http.disconnect" and message.get("more_body"):
        pass


async def until_gone(receive: Receive) -> Message:
    """Discard all messages until the connection is lost; return the message that says so."""
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message


async def _nowhere(_message: Message) -> None:
    pass
