"""Access to the queue by SQL: connection, pragmas, migrations, and reopening after a rebuild.

Readers and writers of several users share one WAL database.
Each step holds `state.lock` shared and compares inodes, so that no process writes on into
a database that was set aside.
"""

import os
import sqlite3  # noqa: TID251 - the only importer
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from agent.errors import (
    DoorstepError,
    NotNow,
    QueueBroken,
    StateHeld,
    StorageFault,
    StorageFull,
)
from agent.queue.bounds import limit_schema, limit_time, limited, sqlite_message
from agent.queue.content import check_schema
from agent.queue.disk import (
    LOCK_PATIENCE_S,
    disk_errors,
    lock,
    lock_timeout_text,
    release_ballast,
    sync_folder,
)
from agent.queue.opening import BROKEN, HELD, open_database
from agent.queue.paths import PRIVATE_MODE, Layout, make_file

Connection = sqlite3.Connection
Row = sqlite3.Row

_BUGS: Final = (sqlite3.ProgrammingError, sqlite3.InterfaceError)
"""Errors that no disk and no other process causes: bugs, which are not reported as faults."""

_NO_ROOM: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
"""Codes of SQLite for a full disk: of the log, and of its index."""

_CLOSED: Final = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}
"""Codes of a broken queue if its folder is writable: another process has put its own file there."""

_IMPATIENCE_S: Final = 1.0
"""Wait for a lock after one that lasted too long: until it is free, presses should not wait again.

A commit takes 0.2 s on a worn card.
"""

_REMEDY: Final = "the records are safe; `doorstep capture` makes the queue again from them"


class Database:
    """A connection to the queue, opened at the first step and reopened when the file changed.

    Args:
        layout: the paths of the state folder.
        migrates: True in the capture process only; the others wait for the schema.
    """

    def __init__(self, layout: Layout, *, migrates: bool = False) -> None:
        self._layout = layout
        self._migrates = migrates
        self._connection: Connection | None = None
        self._inode = 0
        self._schema = 0
        self._patience_s = LOCK_PATIENCE_S

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """Run a transaction: committed and durable when the block ends, rolled back when it raises.

        Raises:
            StorageFull: no space; the ballast was given up, so that the next step may have some.
            StateHeld: another process keeps it from being written.
            QueueBroken: the queue is corrupt, or not as Doorstep made it; capture makes it again.
            StorageFault: the disk or the database failed.
            NotNow: there is no schema yet.
        """
        with self._held() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._look_at_schema(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Run a read-only transaction, which waits for no writer and makes none wait.

        All its queries see one state of the queue; its writes are rolled back.
        """
        with self._held() as connection:
            connection.execute("BEGIN")
            try:
                self._look_at_schema(connection)
                yield connection
            finally:
                _roll_back(connection)

    def close(self) -> None:
        """Close the connection; the next step opens another."""
        with suppress(DoorstepError), lock(self._layout.state_lock, exclusive=False, wait=True):
            self._close()  # the last one to close deletes the log by its path
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def set_aside(self) -> Path:
        """Replace a broken queue by an empty one; return the new path of the broken queue.

        It renames `queue/` with all its files, so the bytes stay. No other process is within a step
        meanwhile, and the next step of each opens the new queue. A power cut leaves the old folder,
        none, or the new one; `Layout.make` completes the rest.

        Raises:
            StateHeld: another process does not release `state.lock`.
            StorageFault: the disk failed.
        """
        names = (self._layout.aside(number) for number in count(1))
        with lock(self._layout.state_lock, exclusive=True, wait=True):
            self._close()
            aside = next(name for name in names if not name.exists())
            with disk_errors("cannot set the queue aside"):
                with suppress(FileNotFoundError):  # somebody deleted it
                    self._layout.queue.rename(aside)
                    aside.chmod(PRIVATE_MODE)
                sync_folder(self._layout.state)
                self._layout.make()
        return aside

    @contextmanager
    def _held(self) -> Iterator[Connection]:
        path = self._layout.database
        try:
            with (
                limited(),
                lock(
                    self._layout.state_lock, exclusive=False, wait=True, patience_s=self._patience_s
                ),
            ):
                yield self._current(path)
        except StateHeld:
            self._patience_s = _IMPATIENCE_S
            raise
        except _BUGS:
            raise
        except sqlite3.Error as error:
            raise self._translated(path, error) from error
        self._patience_s = LOCK_PATIENCE_S

    def _translated(self, path: Path, error: sqlite3.Error) -> StorageFault:
        """Translate an error of SQLite; mark a broken queue for capture."""
        code = getattr(error, "sqlite_errorcode", 0)
        kind = code & 0xFF
        if kind in HELD:
            waited_s, self._patience_s = self._patience_s, _IMPATIENCE_S
            return StateHeld(lock_timeout_text(path, waited_s))
        if code in _NO_ROOM:
            release_ballast(self._layout.ballast)  # for the next step
            return StorageFull(f"{path}: {sqlite_message(error)}")
        self._close()  # one that was opened on a read-only card would stay read-only
        if kind in BROKEN or (kind in _CLOSED and os.access(path.parent, os.W_OK)):
            return self._broken(sqlite_message(error))
        return StorageFault(f"{path}: {sqlite_message(error)}")

    def _look_at_schema(self, connection: Connection) -> None:
        """Check the schema within the transaction, in which no other process can change it."""
        version = int(connection.execute("PRAGMA schema_version").fetchone()[0])
        if version != self._schema:
            limit_schema(connection)
            check_schema(connection)
            limit_time(connection)
            self._schema = version

    def _current(self, path: Path) -> Connection:
        try:
            inode = path.lstat().st_ino
        except FileNotFoundError as error:
            if self._migrates:
                raise self._broken("gone") from error
            raise NotNow("the queue is not there yet; start `doorstep capture` first") from error
        except OSError as error:
            raise StorageFault(f"{path}: cannot be opened: {error.strerror}") from error
        if self._connection is None or inode != self._inode:
            self._close()
            release_ballast(self._layout.ballast)
            self._connection = open_database(
                path, migrates=self._migrates, patience_s=self._patience_s
            )
            self._inode, self._schema = inode, 0
        _be_patient(self._connection, self._patience_s)
        limit_time(self._connection)
        return self._connection

    def _broken(self, what: str) -> QueueBroken:
        """Leave the mark for capture; the error to raise."""
        with suppress(OSError):
            make_file(self._layout.rebuild_mark)
        return QueueBroken(f"{self._layout.database}: {what}; {_REMEDY}")


def _be_patient(connection: Connection, patience_s: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {patience_s * 1000:.0f}")


def _roll_back(connection: Connection) -> None:
    with suppress(sqlite3.Error):  # a full disk has rolled back already
        connection.execute("ROLLBACK")
