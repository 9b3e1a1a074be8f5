"""The open connections: sixteen at most, 20 s each. The most crowded network's oldest gives way.

Refusing newcomers instead would let sixteen idle clients lock everybody out. A client that has
shown a certificate by which it may ask makes way only for another such client: a stranger who
shares its address, behind one router, could otherwise end each of its connections.
"""

import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Final, NamedTuple

from agent.network import network_of

MOST: Final = 16
"""Connections at once: one puller, one Prometheus, a person with curl, and some to spare."""

MOST_PROVEN: Final = 8
"""Proven connections at once: the other places let clients in that still have to prove themselves.

At 100 connections a second from one address, a handshake has 80 ms or more.
"""

LONGEST_S: Final = 20.0
"""Longest life of a connection: an answer takes 10 ms, and a slow line some seconds."""


class _Slot(NamedTuple):
    """The client's network, and when the connection began (CLOCK_MONOTONIC)."""

    network: str
    began_s: float
    is_proven: bool = False


class ConnectionSlots:
    """The connections, oldest first."""

    def __init__(self) -> None:
        self._taken: dict[socket.socket, _Slot] = {}
        self._changing = threading.Lock()

    def take(self, client: socket.socket, address: str) -> None:
        """Add a connection, which has proven nothing yet."""
        with self._changing:
            if len(self._taken) >= MOST:
                self._make_place(is_proven=False)
            self._taken[client] = _Slot(network_of(address), time.monotonic())

    def prove(self, client: socket.socket) -> None:
        """Note that a client may ask: from now on it gives way only to others that may."""
        with self._changing:
            if (slot := self._taken.get(client)) is None:  # it had to give way meanwhile
                return
            if sum(one.is_proven for one in self._taken.values()) >= MOST_PROVEN:
                self._make_place(is_proven=True)
            self._taken[client] = slot._replace(is_proven=True)

    def _make_place(self, *, is_proven: bool) -> None:
        """End the oldest connection of this kind, of the network that has most of them."""
        same = {one: slot for one, slot in self._taken.items() if slot.is_proven is is_proven}
        crowds = Counter(slot.network for slot in same.values())
        most = max(crowds.values())
        self._end(next(one for one, slot in same.items() if crowds[slot.network] == most))

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
