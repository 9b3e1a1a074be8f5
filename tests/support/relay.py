"""A relay of bytes before a server: it can be slow, away, or do something before a question."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

CHUNK_BYTES = 65_536


@dataclass
class Relay:
    """Passes on what is said on each connection, honestly until it is told otherwise.

    Attributes:
        delay_s: before each part of an answer.
        is_away: who connects is refused, and who was connected is cut.
        before: called with what a client says, before it is passed on.
    """

    to: int
    delay_s: float = 0.0
    is_away: bool = False
    before: Callable[[bytes], Any] = bytes
    _listener: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        Thread(target=self._listen, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_away:
                    client.close()
                    continue
                Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            answering = Thread(target=self._answer, args=(client, server), daemon=True)
            answering.start()
            with suppress(OSError):
                while (said := client.recv(CHUNK_BYTES)) and not self.is_away:
                    self.before(said)
                    server.sendall(said)
            _end(client, server)
            answering.join()

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while (said := server.recv(CHUNK_BYTES)) and not self.is_away:
                time.sleep(self.delay_s)
                client.sendall(said)
        _end(client, server)


def _end(*lines: socket.socket) -> None:
    for one in lines:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(to: int) -> Iterator[Relay]:
    """Before a server of loopback's, by its port."""
    made = Relay(to)
    try:
        yield made
    finally:
        made.close()
