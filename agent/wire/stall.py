"""Ends a network exchange that makes no progress, or an attempt that lasts too long."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class StallLimit:
    """The watch on one connection at a time, from a thread of its own.

    Timeouts of single calls do not end a slow drip; shutting the socket down ends every call on it.

    Args:
        progress_s: longest time without progress.
        attempt_s: longest time of one attempt, whatever progress it makes.
        alive: called at each progress, so that a long transfer counts as life.
    """

    def __init__(self, progress_s: float, attempt_s: float, alive: Callable[[], None]) -> None:
        self._progress_s = progress_s
        self._attempt_s = attempt_s
        self._alive = alive
        self._guard = threading.Lock()
        self._line: socket.socket | None = None
        self._is_closed = False
        self._progress_at_s = 0.0
        self._end_reason: str | None = None
        self._closing: str | None = None

    @property
    def end_reason(self) -> str | None:
        """Reason why the attempt was ended, as text; None while it may continue."""
        return self._closing or self._end_reason

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Watch until the block ends."""
        self._end_reason, self._progress_at_s = None, time.monotonic()
        over = threading.Event()
        until_s = self._progress_at_s + self._attempt_s
        watcher = threading.Thread(target=self._watch, args=(over, until_s), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def note_progress(self) -> None:
        """Note progress: bytes went out, or came in."""
        self._progress_at_s = time.monotonic()
        self._alive()

    def watch(self, line: socket.socket) -> None:
        """Watch `line` from now on; TLS takes the socket itself away, so keep a second handle."""
        self.release()
        with self._guard:
            self._line, self._is_closed = line.dup(), False
        if self.end_reason:
            self._shut()

    def closed(self) -> None:
        """Note that the first handle is closed; the peer's last bytes may still be read."""
        self._is_closed = True

    def release_if_closed(self) -> None:
        """End of an exchange: keep the second handle only as long as the first."""
        if self._is_closed:
            self.release()

    def release(self) -> None:
        """Close the second handle; the peer sees the end once both are closed."""
        with self._guard:
            if self._line is not None:
                self._line.close()
                self._line = None

    def close(self, why: str) -> None:
        """End what is running and every later attempt: the process is stopping."""
        self._closing = why
        self._shut()

    def _watch(self, over: threading.Event, until_s: float) -> None:
        while True:
            silent_s = self._progress_at_s + self._progress_s
            left_s = min(silent_s, until_s) - time.monotonic()
            if left_s > 0:
                if over.wait(left_s):
                    return
                continue
            if silent_s < until_s:
                self._end_reason = f"no byte went out or came in for {self._progress_s:g} s"
            else:
                self._end_reason = f"the attempt took longer than {self._attempt_s:g} s"
            self._shut()
            return

    def _shut(self) -> None:
        with self._guard, suppress(OSError):  # it may be closed by the peer already
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)
