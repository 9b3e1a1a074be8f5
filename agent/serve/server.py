"""The server: lets connections in, gives each a thread, and ends those that last."""

import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

from agent.errors import ConfigError, NotNow
from agent.serve.admission import Peer, refusal
from agent.serve.answer import HttpAnswer, refused
from agent.serve.connection import METHODS, Connection
from agent.serve.connection_slots import MOST, ConnectionSlots
from agent.serve.tls import ServerTls

_log = logging.getLogger(__name__)

READ_S: Final = 5.0
"""Longest wait for anything from a client, or for it to take anything."""

TURN_S: Final = 1.0
"""Interval at which old connections are closed, and the watchdog is fed."""

ACCEPT_AGAIN_S: Final = 0.2
"""Wait after a client could not connect, mostly because descriptors ran out: no busy loop."""

LINGER_S: Final = 1.0
LINGER_LIMIT_BYTES: Final = 65_536
"""Limits of reading a client's rest before the close: without this, TCP takes the answer back."""


class StatusServer(ThreadingMixIn, TCPServer):
    """The server of the status over TLS, until it is stopped.

    Args:
        address: an IPv4 or IPv6 address and a port.
        tls: the context of the connections.
        clients: common names of the clients that may ask.
        now: the time, as well as it is known.
        answer: makes the answer to a GET.

    Raises:
        NotNow: another program listens there, or this machine has no such address now.
        ConfigError: this user may not listen there.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST
    timeout = TURN_S

    def __init__(
        self,
        address: tuple[str, int],
        tls: ServerTls,
        clients: Collection[str],
        now: Callable[[], datetime],
        answer: Callable[[str], HttpAnswer],
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._tls, self._clients, self._now, self._answer = tls, clients, now, answer
        self._places = ConnectionSlots()
        self._told: set[str] = set()
        self._telling = threading.Lock()
        self._is_stopping = False
        try:
            super().__init__(address, Connection)
        except PermissionError as error:
            words = "this user may not listen there; ports below 1024 are root's, and where a unit "
            words += "starts it, `SocketBindAllow=` names the one port"
            raise ConfigError(f"serve.listen: {_text(address)}: {words}") from error
        except OSError as error:
            words = f"{error.strerror}; another program listens there, or it is no address of ours"
            raise NotNow(f"serve.listen: {_text(address)}: {words}") from error

    @property
    def listens(self) -> str:
        """Where, as ADDRESS:PORT."""
        host, port = self.server_address[:2]
        return _text((str(host), int(port)))

    def run(self, alive: Callable[[], None]) -> None:
        """Serve until `stop`; calls `alive` at each turn."""
        while not self._is_stopping:
            self.handle_request()
            self._places.end_old()
            alive()

    def stop(self) -> None:
        """End at once; may be called from a signal's handler."""
        self._is_stopping = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the turn

    def server_close(self) -> None:
        """Close the listener and all connections."""
        super().server_close()
        self._places.end_all()

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        """Accept the next client, in a place of its own; its thread makes the handshake."""
        try:
            plain, address = self.socket.accept()
        except OSError:
            if not self._is_stopping:
                self.tell("client_not_let_in", "out of descriptors or memory")
                time.sleep(ACCEPT_AGAIN_S)
            raise
        try:
            plain.settimeout(READ_S)
            client = self._tls.context().wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            )
        except (OSError, ValueError) as error:  # it has gone already
            plain.close()
            raise ConnectionAbortedError from error
        self._places.take(client, str(address[0]))
        return client, address

    def greet(self, client: ssl.SSLSocket) -> None:
        """Keep the place of a client whose certificate allows it to ask, after its handshake."""
        peer = client.getpeercert()
        if peer and refusal(peer, self._clients, self._now()) is None:
            self._places.prove(client)

    def answer(self, peer: Peer, method: str, target: str) -> HttpAnswer:
        """Answer a client; one that may not ask gets only the reason."""
        if found := refusal(peer, self._clients, self._now()):
            self.tell(found.kind, found.sentence)
            return refused(403, found.sentence)
        if method not in METHODS:
            allow = ", ".join(METHODS)
            sentence = f"nothing can be changed here; there are {allow}"
            return HttpAnswer(405, refused(405, sentence).body, allow=allow)
        return self._answer(target)

    def shutdown_request(self, request: Any) -> None:
        """End a connection so that its last answer, or TLS's alert, arrives."""
        with suppress(OSError):
            socket.socket.shutdown(request, socket.SHUT_WR)
            until_s, left = time.monotonic() + LINGER_S, LINGER_LIMIT_BYTES
            while left > 0 and (left_s := until_s - time.monotonic()) > 0:
                request.settimeout(left_s)
                if not (piece := socket.socket.recv(request, left)):
                    break
                left -= len(piece)
        self._places.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Handle the end of a connection by the network, by a client's error or by a bug."""
        del request, client_address
        match sys.exc_info()[1]:
            case ssl.SSLCertVerificationError() as error:
                self.tell("another_authority", error.verify_message)
            case OSError():
                pass
            case error:
                self.tell("bug", repr(error), exc_info=True)

    def tell(self, kind: str, words: str, *, exc_info: bool = False) -> None:
        """Log an event once per kind: a refused client may come again a thousand times."""
        with self._telling:
            if kind in self._told:
                return
            self._told.add(kind)
        line = "event=not_answered kind=%s words=%r meaning=told_once_until_the_next_start"
        _log.warning(line, kind, words, exc_info=exc_info)


def _text(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
