"""Who is connected: sixteen at most and for 20 s each, and the oldest gives way.

Refusing newcomers instead would let sixteen idle clients lock everybody out.
"""

import socket
import threading
import time
from contextlib import suppress
from typing import Final

MOST: Final = 16
"""Connections at once: one puller, one Prometheus, somebody with curl, and room."""

LONGEST_S: Final = 20.0
"""Longest life of a connection: an answer takes 10 ms, and a slow line some seconds."""


class Places:
    """The connections, oldest first."""

    def __init__(self) -> None:
        self._began_s: dict[socket.socket, float] = {}
        self._changing = threading.Lock()

    def take(self, client: socket.socket) -> None:
        """One more; where there are too many, the oldest is ended."""
        with self._changing:
            while len(self._began_s) >= MOST:
                self._end(next(iter(self._began_s)))
            self._began_s[client] = time.monotonic()

    def end_old(self) -> None:
        """End those that have lasted for too long."""
        before_s = time.monotonic() - LONGEST_S
        with self._changing:
            for client in [one for one, began_s in self._began_s.items() if began_s < before_s]:
                self._end(client)

    def end_all(self) -> None:
        """End every one of them."""
        with self._changing:
            for client in list(self._began_s):
                self._end(client)

    def leave(self, client: socket.socket) -> None:
        """It has ended by itself: close it."""
        with self._changing:
            self._began_s.pop(client, None)
            client.close()

    def _end(self, client: socket.socket) -> None:
        """Wake its thread, which closes it."""
        del self._began_s[client]
        with suppress(OSError):  # the other end has gone
            socket.socket.shutdown(client, socket.SHUT_RDWR)  # below TLS, whose state is its own
