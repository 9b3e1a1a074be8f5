"""Lets connections in, so many and no more: before TLS, which a silent stranger never ends."""

import logging
import socket
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

log = logging.getLogger(__name__)

MOST: Final = 400
"""Connections at once. Each needs two files, and a process has 1024 of them (getrlimit(2))."""

MOST_PER_ADDRESS: Final = 200
"""Limit for a network address: half of all, since a carrier has many vans behind one.

Those that ask for nothing make room earlier (MOST_EARLY, and in connections.py).
"""


MOST_EARLY: Final = 100
"""Connections without TLS yet: of more than that the one that waits longest goes."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of how many connections there may be.

    Attributes:
        proxies: addresses that speak for others: only `most` limits them.
    """

    most: int = MOST
    most_per_address: int = MOST_PER_ADDRESS
    proxies: Collection[str] = ()


class Listener(socket.socket):
    """A listening socket; who comes when there are too many is hung up on at once."""

    def __init__(self, *args: Any, limits: ConnectionLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._inside: Counter[str] = Counter()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept as a socket does. Raises ConnectionAbortedError: there are too many."""
        plain, address = super().accept()
        if self._is_full(address[0]):
            plain.close()
            log.warning("event=connection_refused why=too_many")
            raise ConnectionAbortedError("too many connections")
        self._inside[address[0]] += 1
        line = _Line(self.family, self.type, self.proto, plain.detach())
        line.let_go = lambda: self._leave(address[0])
        _EARLY[line.fileno()] = line
        if len(_EARLY) > MOST_EARLY:
            next(iter(_EARLY.values())).give_up()
        return line, address

    def _is_full(self, address: str) -> bool:
        if self._inside.total() >= self._limits.most:
            return True
        is_one = address not in self._limits.proxies
        return is_one and self._inside[address] >= self._limits.most_per_address

    def _leave(self, address: str) -> None:
        self._inside[address] -= 1
        self._inside += Counter()  # of those who are gone nothing is kept


_EARLY: Final[dict[int, "_Line"]] = {}
"""Those of this process that have no TLS yet, oldest first, by their file descriptors."""


def has_tls(connection: Any) -> None:
    """Note that a connection has its TLS."""
    _EARLY.pop(connection.fileno(), None)


def give_up_early() -> None:
    """End all connections that have no TLS yet; from Python 3.12 on, a server waits for them."""
    for line in list(_EARLY.values()):
        line.give_up()


class _Line(socket.socket):
    """A connection; calls `let_go` once, when it is closed."""

    let_go: Callable[[], None] | None = None

    def give_up(self) -> None:
        """Shut the connection down: a process that waits for data sees its end."""
        _EARLY.pop(self.fileno(), None)
        with suppress(OSError):  # the other side may have gone
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket, and call `let_go` the first time."""
        _EARLY.pop(self.fileno(), None)
        super().close()
        done, self.let_go = self.let_go, None
        if done is not None:
            done()
