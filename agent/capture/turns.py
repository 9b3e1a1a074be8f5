"""The turns of clients that bring something to verify: one at a time, and a rest after each."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

REST_S: Final = 0.25
"""Least time between two turns: a process that may offer may do so without end."""

REST_SHARE: Final = 3.0
"""Rest after a turn, as a multiple of its time: presses have the interpreter meanwhile.

The longest manifest, of 4 MB, takes it a second (November 2026, a laptop).
"""


class Turns:
    """The turns of one kind; each is in the thread of its client, and a press waits for none."""

    def __init__(self) -> None:
        self._taken = threading.Lock()
        self._rested_s = 0.0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn, and hold it while the block runs."""
        with self._taken:
            time.sleep(max(self._rested_s - time.monotonic(), 0.0))
            began_s = time.monotonic()
            try:
                yield
            finally:
                ended_s = time.monotonic()
                self._rested_s = ended_s + max(REST_S, REST_SHARE * (ended_s - began_s))
