"""One device connection: uvicorn's protocol, made to reset and to be counted on demand."""

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.backend.faults.switches import Counts


class Connection:
    """The TLS connection that a request came in on."""

    def __init__(self, transport: asyncio.Transport, counts: Counts) -> None:
        self._transport = transport
        self._counts = counts
        self._is_control = False
        counts.connections += 1

    def client_certificate(self) -> bytes | None:
        """The certificate (DER) that TLS verified, its dates apart; also of a resumed session."""
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return None if tls is None else tls.getpeercert(binary_form=True)

    def reset(self) -> None:
        """Ends the connection with a TCP reset: the peer sees no close and no answer."""
        plain: socket.socket = self._transport.get_extra_info("socket")
        with suppress(OSError):  # its socket may be closed, and its request not yet ended
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def send_and_close(self, raw: bytes) -> None:
        """Writes `raw` past the HTTP library, for answers that it rightly refuses to send."""
        self._transport.write(raw)
        self._transport.close()

    def mark_control(self) -> None:
        """Leaves this connection out of the handshakes of devices."""
        if not self._is_control:
            self._is_control = True
            self._counts.control_connections += 1


class CountedProtocol(H11Protocol):
    """Puts the Connection into each request's state; `counts` comes from the application's."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        counts: Counts = self.app_state["counts"]
        self.app_state = {**self.app_state, "connection": Connection(transport, counts)}


def connection_of(scope: Any) -> Connection:
    connection: Connection = scope["state"]["connection"]
    return connection
