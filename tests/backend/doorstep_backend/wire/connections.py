"""A connection: uvicorn's protocol, which ends it when it is too slow."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.network import network_of
from doorstep_backend.wire.connection_timeouts import ConnectionTimeouts, Phase
from doorstep_backend.wire.listener import socket_of
from doorstep_backend.wire.places import MOST

LOOK_S: Final = 1.0
"""From look to look at whether a connection takes too long: its limits are 15 s and more."""

GOODBYE_S: Final = 1.0
"""From an answer to the end of its connection where the server ends: so the last of it can leave.

TLS would wait for the other side's goodbye, and a client that keeps a connection says none.
"""

_TWO_LENGTHS: Final = {b"content-length", b"transfer-encoding"}
"""A proxy may have believed the other one: nothing more is read. Source: RFC 9112, section 6.1."""

_NO_PLACE: Final = b"503 Service Unavailable\r\nRetry-After: 10"
_TOO_SLOW: Final = b"408 Request Timeout"
"""Answers through a proxy: to nginx, an instance that resets a connection has failed, and for 2 s
it asks that instance nothing.
"""


class Connection:
    """The connection that a request came in on."""

    def __init__(self, protocol: "TimeoutProtocol") -> None:
        self.protocol = protocol

    @property
    def peer(self) -> str:
        """Network address of its other end, which may be a proxy's."""
        address: tuple[str, int] | None = self.protocol.transport.get_extra_info("peername")
        return address[0] if address else ""  # it may be gone already

    def client_certificate(self) -> bytes | None:
        """Return the certificate (DER) that TLS verified, except its dates; None without one."""
        tls: ssl.SSLObject | None = self.protocol.transport.get_extra_info("ssl_object")
        return None if tls is None else tls.getpeercert(binary_form=True)

    def reset(self) -> None:
        """End the connection with a TCP reset: the peer sees no close and no answer."""
        plain: socket.socket = self.protocol.transport.get_extra_info("socket")
        with suppress(OSError):  # its socket may be closed, and its request not yet ended
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.protocol.transport.abort()


class WholeBodies:
    """ASGI middleware that passes a cut on after all that came before it; uvicorn forgets that.

    It also tells the connection of an error answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; give it what came of a body before a cut, then the cut."""

        async def received() -> Message:
            message = await receive()
            if message["type"] != "http.disconnect":
                return message
            return connection_of(scope).protocol.unread() or message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                connection_of(scope).protocol.note_refused()
            await send(message)

        is_http = scope["type"] == "http"
        await self._app(scope, received if is_http else receive, sent if is_http else send)


class TimeoutProtocol(H11Protocol):
    """A protocol that puts the Connection into each request's state, and ends a slow one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Begin to time the connection."""
        super().connection_made(transport)
        self._socket = socket_of(transport.get_extra_info("socket"))
        self._socket.end = self._give_way
        self._socket.place.has_tls()
        self._connection = Connection(self)
        self.app_state = {**self.app_state, "connection": self._connection}
        self._followed = self.cycle
        first = Phase.NOTHING if self._socket.is_from_proxy else Phase.HEAD
        self._timeouts = ConnectionTimeouts(first, self.loop.time())
        self._is_leaving = self._is_lost = False
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self._is_lost = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, and reset the connection if it is too slow or sends too much."""
        self._follow()
        if self._timeouts.phase is Phase.NOTHING:
            self._timeouts.ask(Phase.HEAD, self.loop.time())
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

    def unread(self) -> Message | None:
        """Return what came of a body before the line was cut, and was not asked for in time."""
        cycle = self.cycle
        if cycle is None or not cycle.body:
            return None
        rest, cycle.body = bytes(cycle.body), bytearray()
        return {"type": "http.request", "body": rest, "more_body": cycle.more_body}

    def note_proof(self, state: object, owner: str, most: int) -> None:
        """Note whose the request with this state is, unless it is over."""
        if self.cycle is not None and self.cycle.scope["state"] is state:
            self._timeouts.is_proven = True
            self._socket.place.prove(owner, most, self.loop.time())
            self._socket.listener.make_room(self._socket.place)

    def note_refused(self) -> None:
        """Note that the answer is an error."""
        if not self._timeouts.is_proven:
            self._timeouts.refused_s = self.loop.time()

    def _look(self) -> None:
        self._follow()
        self._end_if_over()
        if not self._is_lost:
            self.loop.call_later(LOOK_S, self._look)

    def _phase(self) -> Phase:
        if self.transport.is_closing():
            return Phase.CLOSING
        match self.conn.their_state:
            case h11.IDLE:
                return Phase.HEAD if self._timeouts.phase is Phase.HEAD else Phase.NOTHING
            case h11.SEND_BODY:
                return Phase.BODY
            case _:
                return Phase.ANSWER

    def _follow(self) -> None:
        phase, before, now_s = self._phase(), self._timeouts.phase, self.loop.time()
        is_next = self.cycle is not self._followed
        self._followed = self.cycle
        if is_next and before is not Phase.HEAD:  # it may come with the last of the one before
            self._timeouts.ask(phase, now_s)
        elif is_next or phase is not before:
            self._timeouts.begin(phase, now_s)
        if is_next:
            self._begin_request(now_s)
        elif phase is Phase.NOTHING and before is not phase and self._socket.is_from_proxy:
            self._timeouts.refused_s = None  # the next request is another client's
            self._socket.place.keep(now_s)

    def _begin_request(self, now_s: float) -> None:
        place = self._socket.place
        if self._socket.is_from_proxy:
            place.network = network_of(_forwarded_for(self.cycle.scope["headers"]))
        place.ask(now_s)
        self._socket.listener.make_room(place)

    def _end_if_over(self) -> None:
        if self._is_lost or not self._timeouts.is_over(self.loop.time()):
            return
        if self._timeouts.phase is Phase.CLOSING or self._timeouts.refused_s is not None:
            self.transport.abort()  # the answer can still be read, unlike after a reset
        else:
            self._end(_TOO_SLOW)

    def _give_way(self) -> None:
        self._end(_NO_PLACE)

    def _end(self, status: bytes) -> None:
        """End the connection; a proxy gets an answer if it waits for one."""
        if not self._socket.is_from_proxy or self.cycle is None or self.cycle.response_started:
            self._connection.reset()
            return
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        end = b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        self.transport.write(b"HTTP/1.1 " + status + end)
        self.transport.close()


def _forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the client that a proxy named; empty without one, if the proxy asks for itself."""
    said = [value for name, value in headers if name == b"x-forwarded-for"]
    return said[-1].rpartition(b",")[2].strip().decode("latin-1") if said else ""


def connection_of(scope: Any) -> Connection:
    """Return the connection that this ASGI scope came in on."""
    connection: Connection = scope["state"]["connection"]
    return connection


def prove(scope: Any, owner: str, most: int = MOST) -> None:
    """Note whose a request is: its connection gives way later, and may last longer.

    Args:
        owner: empty without a certificate, an account or a token; then nothing is counted.
        most: connections that the owner may have.
    """
    connection_of(scope).protocol.note_proof(scope["state"], owner, most)


def prove_soon(scope: Any, owner: str, most: int) -> None:
    """Do the same from another thread."""
    loop = connection_of(scope).protocol.loop
    loop.call_soon_threadsafe(prove, scope, owner, most)
