"""Lets connections in before TLS, which a silent stranger never ends."""

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from agent.network import network_of
from doorstep_backend.wire.places import ConnectionLimits, Place, State, giving_way

log = logging.getLogger(__name__)

MOST_ENDING: Final = 150
"""Connections that gave way, but whose file is still open; at more, new ones wait in the kernel.

asyncio accepts up to 2048 in one turn of its loop, and closes none meanwhile.
"""


class Listener(socket.socket):
    """A listening socket; if there are too many connections, `giving_way` says which one ends."""

    def __init__(self, *args: Any, limits: ConnectionLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._sockets: dict[Place, PlacedSocket] = {}
        self._ending = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept as a socket does. Raises BlockingIOError: too many are ending."""
        if self._ending > MOST_ENDING:
            raise BlockingIOError("too many connections are ending")
        plain, address = super().accept()
        placed = PlacedSocket(self.family, self.type, self.proto, plain.detach())
        placed.listener, placed.place = self, Place(network_of(address[0]), time.monotonic())
        placed.is_from_proxy = address[0] in self._limits.proxies
        if placed.is_from_proxy:
            placed.place.state = State.KEPT
        self._sockets[placed.place] = _SOCKETS[placed.fileno()] = placed
        self.make_room(placed.place)
        return placed, address

    def make_room(self, changed: Place) -> None:
        """End the connection that gives way to this one, if there are too many."""
        if (gone := giving_way(list(self._sockets), changed, self._limits)) is not None:
            log.warning("event=connection_ended why=too_many")
            self._ending += 1
            self._sockets.pop(gone).give_way()

    def leave(self, place: Place) -> None:
        """Note that a connection is closed."""
        if self._sockets.pop(place, None) is None:
            self._ending -= 1


_SOCKETS: Final[dict[int, "PlacedSocket"]] = {}
"""Connections of this process by their file descriptors, oldest first."""


def socket_of(connection: Any) -> "PlacedSocket":
    """Return the socket of a transport, with its place."""
    return _SOCKETS[connection.fileno()]


def give_up_early() -> None:
    """End all connections that have no TLS yet; from Python 3.12 on, a server waits for them."""
    for placed in [one for one in _SOCKETS.values() if one.end is None]:
        placed.give_way()


class PlacedSocket(socket.socket):
    """A connection with its place.

    Attributes:
        end: ends it at once; None before TLS.
    """

    listener: Listener
    place: Place
    is_from_proxy: bool
    end: Callable[[], None] | None = None
    _is_over = False

    def give_way(self) -> None:
        """End the connection; before TLS, the process that waits for data sees the end."""
        self._is_over = True
        if self.end is not None:
            self.end()
            return
        with suppress(OSError):  # the other side may have gone
            self.shutdown(socket.SHUT_RDWR)

    def recv_into(self, *args: Any) -> int:
        """Read, but not what came before the end: that would begin a handshake for nothing."""
        return 0 if self._is_over else super().recv_into(*args)

    def close(self) -> None:
        """Close the socket, and leave the place the first time."""
        if _SOCKETS.pop(self.fileno(), None) is self:
            self.listener.leave(self.place)
        super().close()
