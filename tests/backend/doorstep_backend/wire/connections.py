"""A connection: uvicorn's protocol, which ends it when it is too slow."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeGuard

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from doorstep_backend.wire.connection_timeouts import ConnectionTimeouts, Phase
from doorstep_backend.wire.listener import has_tls

LOOK_S: Final = 1.0
"""From look to look at whether a connection takes too long: its limits are 15 s and more."""

GOODBYE_S: Final = 1.0
"""From an answer to the end of its connection where the server ends: so the last of it can leave.

TLS would wait for the other side's goodbye, and a client that keeps a connection says none.
"""

_TWO_LENGTHS: Final = {b"content-length", b"transfer-encoding"}
"""A proxy may have believed the other one: nothing more is read. Source: RFC 9112, section 6.1."""

MOST_WAITING: Final = 100
"""Connections of one address without a request under way, and half of those of all addresses.

A browser keeps some six. A proxy keeps as many as it was told to, for everybody: none of its own
counts.
"""


class Connection:
    """The connection that a request came in on."""

    def __init__(self, transport: asyncio.Transport, unread: Callable[[], Message | None]) -> None:
        self._transport = transport
        self.unread = unread

    @property
    def peer(self) -> str:
        """Network address of its other end, which may be a proxy's."""
        address: tuple[str, int] | None = self._transport.get_extra_info("peername")
        return address[0] if address else ""  # it may be gone already

    def client_certificate(self) -> bytes | None:
        """Return the certificate (DER) that TLS verified, except its dates; None without one."""
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return None if tls is None else tls.getpeercert(binary_form=True)

    def reset(self) -> None:
        """End the connection with a TCP reset: the peer sees no close and no answer."""
        plain: socket.socket = self._transport.get_extra_info("socket")
        with suppress(OSError):  # its socket may be closed, and its request not yet ended
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


class WholeBodies:
    """ASGI middleware that passes a cut on after all that came before it; uvicorn forgets that."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; give it what came of a body before a cut, then the cut."""

        async def received() -> Message:
            message = await receive()
            if message["type"] != "http.disconnect":
                return message
            return connection_of(scope).unread() or message

        await self._app(scope, received if scope["type"] == "http" else receive, send)


class TimeoutProtocol(H11Protocol):
    """A protocol that puts the Connection into each request's state, and ends a slow one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Begin to time the connection, and end idle ones if there are too many."""
        super().connection_made(transport)
        has_tls(transport.get_extra_info("socket"))
        self._connection = Connection(transport, self._unread)
        self.app_state = {**self.app_state, "connection": self._connection}
        self._followed = self.cycle
        self._timeouts = ConnectionTimeouts(Phase.HEAD, self.loop.time())
        self._is_leaving = False
        self._make_room()
        self._look()

    def _make_room(self) -> None:
        """End those that asked nothing for longest, of this address or of all."""
        proxies = self.config.forwarded_allow_ips or ()
        waiting = [one for one in self.connections if _waits(one) and _address(one) not in proxies]
        waiting.sort(key=lambda one: one._timeouts.since_s)  # noqa: SLF001 - of this class
        near = [one for one in waiting if _address(one) == _address(self)]
        for one in {*near[:-MOST_WAITING], *waiting[: -2 * MOST_WAITING]}:
            one._connection.reset()  # noqa: SLF001 - of this class

    def data_received(self, data: bytes) -> None:
        """Read what came, and reset the connection if it is too slow or sends too much."""
        self._follow()
        if self._timeouts.phase is Phase.NOTHING:
            self._timeouts.begin(Phase.HEAD, self.loop.time())
        self._timeouts.move(self.loop.time())
        super().data_received(data)
        if (
            self.cycle is not None
            and {name for name, _ in self.cycle.scope["headers"]} >= _TWO_LENGTHS
        ):
            self.cycle.keep_alive = False
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY:
            self._timeouts.unwanted_bytes += len(data)
        self._follow()
        self._end_if_over()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, or end if the server ends."""
        super().on_response_complete()
        self._follow()
        if self._is_leaving:
            self.loop.call_later(GOODBYE_S, self.transport.abort)

    def shutdown(self) -> None:
        """End with the server, after the answer if there is a request."""
        self._is_leaving = True
        is_idle = self.cycle is None or self.cycle.response_complete
        super().shutdown()
        if is_idle:
            self.loop.call_at(self._timeouts.since_s + GOODBYE_S, self.transport.abort)

    def _unread(self) -> Message | None:
        """Return what came of a body before the line was cut, and was not asked for in time."""
        cycle = self.cycle
        if cycle is None or not cycle.body:
            return None
        rest, cycle.body = bytes(cycle.body), bytearray()
        return {"type": "http.request", "body": rest, "more_body": cycle.more_body}

    def _look(self) -> None:
        self._follow()
        self._end_if_over()
        if not self.transport.is_closing():
            self.loop.call_later(LOOK_S, self._look)

    def _follow(self) -> None:
        phase = self._timeouts.phase
        match self.conn.their_state:
            case h11.IDLE:
                phase = phase if phase is Phase.HEAD else Phase.NOTHING
            case h11.SEND_BODY:
                phase = Phase.BODY
            case _:
                phase = Phase.ANSWER
        if self.cycle is not self._followed or phase is not self._timeouts.phase:
            self._timeouts.begin(phase, self.loop.time())  # the next request may come with the last
        self._followed = self.cycle

    def _end_if_over(self) -> None:
        if self._timeouts.is_over(self.loop.time()) and not self.transport.is_closing():
            self._connection.reset()


def _waits(one: object) -> TypeGuard[TimeoutProtocol]:
    waits = {Phase.HEAD, Phase.NOTHING}
    return isinstance(one, TimeoutProtocol) and one._timeouts.phase in waits  # noqa: SLF001 - of this class


def _address(one: TimeoutProtocol) -> str:
    return one.client[0] if one.client else ""


def connection_of(scope: Any) -> Connection:
    """Return the connection that this ASGI scope came in on."""
    connection: Connection = scope["state"]["connection"]
    return connection
