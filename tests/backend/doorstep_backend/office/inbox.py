"""The records that this process has just received: its worker files them first, without a fetch."""

from collections import deque
from collections.abc import Iterable
from threading import Event, Lock
from typing import Final

from doorstep_backend.office.claims import FilingEntry

MOST_KEPT: Final = 5000
"""Records whose claims are kept, a few KB each; of more, the oldest are fetched when filed.

Some 50 s of what one process receives at its most. Source: FLEET.md, 103 records a second.
"""


class Inbox:
    """From the intake to the worker of the same process; lost with it, nothing is missing.

    It holds MOST_KEPT at most, also where no worker asks.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._said: dict[str, FilingEntry] = {}
        self._came: deque[str] = deque(maxlen=MOST_KEPT)
        self._woken = Event()

    def put(self, said: FilingEntry) -> None:
        """Add a record, and wake the worker."""
        capture_id = said.columns["capture_id"]
        with self._lock:
            self._came.append(capture_id)
            self._said[capture_id] = said
            while len(self._said) > MOST_KEPT:
                self._said.pop(next(iter(self._said)))
        self.wake()

    def take(self, capture_id: str) -> FilingEntry | None:
        """Remove a record and return its claims; None if they are gone, or never were here."""
        with self._lock:
            return self._said.pop(capture_id, None)

    def came(self, most: int) -> list[str]:
        """Take out ids of received records, the oldest first; each once, and at most `most`."""
        with self._lock:
            return [self._came.popleft() for _ in range(min(most, len(self._came)))]

    def drop(self, capture_ids: Iterable[str]) -> None:
        """Drop the claims of records that another process files."""
        with self._lock:
            for capture_id in capture_ids:
                self._said.pop(capture_id, None)

    def wake(self) -> None:
        """End the wait of the worker, or its next one."""
        self._woken.set()

    def wait(self, longest_s: float) -> None:
        """Wait until a record came since the last wait; no longer than this."""
        self._woken.wait(longest_s)
        self._woken.clear()
