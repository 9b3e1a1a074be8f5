"""A server under attack: clients that connect and say nothing, and one that says a letter a second.

They hold on for as long as the server lets them.
"""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.serve.places import MOST_OF_ADDRESS
from tests.support.served import Served

IDLE: Final = 100

_LETTER_S: Final = 1.0
_LOOK_S: Final = 0.2


def _address(number: int) -> str:
    """The address of one idle client: each has as many as it may, so that all places are taken."""
    return f"127.0.1.{1 + number // MOST_OF_ADDRESS}"


class Siege:
    """From when all are connected. One thread speaks slowly, and looks who is let stay."""

    def __init__(self, served: Served, connected_before: int) -> None:
        self.pid, self.before = served.pid, connected_before
        self._idle = [served.connect(None, _address(number)) for number in range(IDLE)]
        self._slow = served.connect(served.client_file, "127.0.0.2")
        self._began_s = time.monotonic()
        self._gone_s: float | None = None
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def gone_after_s(self, longest_s: float) -> float:
        """When the server had no connection of a client any more; `longest_s` at most."""
        self._thread.join(max(self._began_s + longest_s - time.monotonic(), 0.0))
        return longest_s if self._gone_s is None else self._gone_s

    def end(self) -> None:
        """Whatever is left of it."""
        self._ends.set()
        self._thread.join()
        for line in (*self._idle, self._slow):
            line.close()

    def _go_on(self) -> None:
        said_s = 0.0
        self._say("GET /v1/status HTTP/1.1\r\nHost: ")
        while not self._ends.wait(_LOOK_S):
            now_s = time.monotonic()
            if connections(self.pid) <= self.before:
                self._gone_s = now_s - self._began_s
                return
            if now_s - said_s > _LETTER_S:
                self._say("x")
                said_s = now_s

    def _say(self, text: str) -> None:
        with suppress(OSError, ssl.SSLError):  # it was hung up on
            self._slow.sendall(text.encode())


@contextmanager
def siege(served: Served, connected_before: int) -> Iterator[Siege]:
    """Ends with the block."""
    made = Siege(served, connected_before)
    try:
        yield made
    finally:
        made.end()


def connections(pid: int) -> int:
    """Sockets that a process holds; the one that it listens on is among them."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            count += str(entry.readlink()).startswith("socket:")
    return count
