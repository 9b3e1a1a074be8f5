"""The open connections: sixteen at most, three per address, 20 s each; the oldest gives way.

Refusing newcomers instead would let sixteen idle clients lock everybody out. Without the limit per
address, one machine that connects 190 times a second replaced each client on a slow line before its
handshake was over.
"""

import socket
import threading
import time
from contextlib import suppress
from typing import Final, NamedTuple

MOST: Final = 16
"""Connections at once: one puller, one Prometheus, a person with curl, and some to spare."""

MOST_OF_ADDRESS: Final = 3
"""Connections of one address at once: five hostile addresses leave places for all others."""

LONGEST_S: Final = 20.0
"""Longest life of a connection: an answer takes 10 ms, and a slow line some seconds."""


class _Slot(NamedTuple):
    """The client's address, and when the connection began (CLOCK_MONOTONIC)."""

    address: str
    began_s: float


class ConnectionSlots:
    """The connections, oldest first."""

    def __init__(self) -> None:
        self._taken: dict[socket.socket, _Slot] = {}
        self._changing = threading.Lock()

    def take(self, client: socket.socket, address: str) -> None:
        """Add a connection; end the oldest of its address, or of all, if there are too many."""
        with self._changing:
            same = [one for one, place in self._taken.items() if place.address == address]
            if len(same) >= MOST_OF_ADDRESS:
                self._end(same[0])
            elif len(self._taken) >= MOST:
                self._end(next(iter(self._taken)))
            self._taken[client] = _Slot(address, time.monotonic())

    def end_old(self) -> None:
        """End connections that have lasted for longer than LONGEST_S."""
        before_s = time.monotonic() - LONGEST_S
        with self._changing:
            for client in [one for one, place in self._taken.items() if place.began_s < before_s]:
                self._end(client)

    def end_all(self) -> None:
        """End every connection."""
        with self._changing:
            for client in list(self._taken):
                self._end(client)

    def leave(self, client: socket.socket) -> None:
        """Close a client that has ended by itself, and free its place."""
        with self._changing:
            self._taken.pop(client, None)
            client.close()

    def _end(self, client: socket.socket) -> None:
        """Free the place of a connection, and wake its thread, which closes it."""
        del self._taken[client]
        with suppress(OSError):  # the other end has gone
            socket.socket.shutdown(client, socket.SHUT_RDWR)  # below TLS, whose state is its own
