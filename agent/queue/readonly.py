"""Access by SQL for users who may write nothing, while another process has the queue open.

It checks the same as `agent.queue.database`, but repairs nothing, leaves no mark, and keeps the
ballast.
"""

import os
import sqlite3  # noqa: TID251 - SQL, as database.py
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from agent.errors import NotNow, QueueBroken, StateHeld, StorageFault
from agent.queue.bounds import limited, sqlite_message
from agent.queue.database import Connection
from agent.queue.disk import lock, lock_timeout_text
from agent.queue.opening import BROKEN, HELD, open_to_look
from agent.queue.paths import Layout

_PATIENCE_S: Final = 1.0
"""Longest wait for a lock: a queue that is made again holds one for 2 s on a Pi, and the
report that capture kept answers meanwhile."""

_NOT_OPEN: Final = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
"""Codes of SQLite if the log, or its index, has been deleted since it was looked for."""


class ReadOnlyDatabase:
    """The queue for reading, opened for each look: between two looks no lock is held.

    There is one look at a time, so that a capture that waits to make the queue again finds
    `state.lock` free, however many clients ask.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._one = threading.Lock()

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Open one state of the queue; holds `state.lock` shared, as every step does.

        Raises:
            NotNow: no process has the queue open, or there is no queue yet.
            StateHeld: another process keeps it to itself.
            QueueBroken: the queue is corrupt, or not as Doorstep made it.
            StorageFault: the disk or the database failed.
        """
        path = self._layout.database
        try:
            with (
                limited(),
                self._turn(),
                lock(self._layout.state_lock, exclusive=False, wait=True, patience_s=_PATIENCE_S),
                closing(open_to_look(path, patience_s=_PATIENCE_S)) as connection,
            ):
                connection.execute("BEGIN")
                yield connection
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError):  # bugs
            raise
        except sqlite3.Error as error:
            raise self._translated(error) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one reader in at a time; raise StateHeld after a wait of _PATIENCE_S."""
        if not self._one.acquire(timeout=_PATIENCE_S):
            raise StateHeld(lock_timeout_text(self._layout.state_lock, _PATIENCE_S))
        try:
            yield
        finally:
            self._one.release()

    def _translated(self, error: sqlite3.Error) -> StorageFault | NotNow:
        """Translate an error of SQLite."""
        path, kind = self._layout.database, getattr(error, "sqlite_errorcode", 0) & 0xFF
        if kind in HELD:
            return StateHeld(lock_timeout_text(path, _PATIENCE_S))
        if kind in _NOT_OPEN and os.access(path, os.R_OK):
            return NotNow("nobody has the queue open; start `doorstep capture`")
        if kind in BROKEN:
            return QueueBroken(
                f"{path}: {sqlite_message(error)}; `doorstep capture` makes it again"
            )
        return StorageFault(f"{path}: {sqlite_message(error)}")
