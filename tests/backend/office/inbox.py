"""What this process has just received: its worker files it first, and need not fetch it."""

from threading import Event, Lock
from typing import Final

from agent.record.file import RecordFile

MOST_OPENED: Final = 32
"""Records that are kept open, of some 400 KB each; of more, the oldest are fetched when filed."""


class Inbox:
    """From the intake to the worker of the same process; lost with it, nothing is missing."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._opened: dict[str, RecordFile] = {}
        self._came: list[str] = []
        self._woken = Event()

    def put(self, opened: RecordFile) -> None:
        """Wakes the worker."""
        with self._lock:
            self._came.append(opened.label.capture_id)
            self._opened[opened.label.capture_id] = opened
            while len(self._opened) > MOST_OPENED:
                self._opened.pop(next(iter(self._opened)))
        self.wake()

    def take(self, capture_id: str) -> RecordFile | None:
        """None where it is not here any more, or came elsewhere."""
        with self._lock:
            return self._opened.pop(capture_id, None)

    def came(self) -> list[str]:
        """Ids of what came since this was asked."""
        with self._lock:
            came, self._came = self._came, []
        return came

    def wake(self) -> None:
        self._woken.set()

    def wait(self, longest_s: float) -> None:
        """Until something came since the last wait; no longer than this."""
        self._woken.wait(longest_s)
        self._woken.clear()
