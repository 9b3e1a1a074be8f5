"""The SQL door: connection, pragmas, migrations, and reopening after a rebuild.

Readers and writers of several users share one WAL database.
Each step holds `state.lock` shared and compares inodes, so that nobody goes on writing into a
database that was set aside.
"""

import os
import sqlite3  # noqa: TID251 - this is its door
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote

from agent.errors import DoorstepError, NotNow, QueueBroken, StorageFault, StorageFull
from agent.queue.disk import (
    FILE_MODE,
    LEAST_BYTES,
    disk_errors,
    free_bytes,
    lock,
    make_way,
    sync_folder,
)
from agent.queue.migrations import SCHEMA_VERSION, STEPS
from agent.queue.paths import Layout, make_file

Connection = sqlite3.Connection
Row = sqlite3.Row

_BUGS: Final = (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError)
"""No disk does these; they are not told as a fault of one."""

_NO_ROOM: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
"""What SQLite calls a full disk: for the log, and for the index beside it."""

_BROKEN: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REMEDY: Final = "the records are safe; `doorstep capture` makes the queue again from them"

_PAGE_BYTES: Final = 4_096
_INDEX_BYTES: Final = 32_768
"""SQLite's index of its log, for up to 4062 pages. Source: sqlite.org/walformat.html, 2.1."""

BUSY_TIMEOUT_S: Final = 10.0
"""Longest wait for another process's write: ten times the slowest flush seen on a worn card."""

_WAL_LIMIT_BYTES: Final = 4_194_304
"""SQLite shrinks the log to this after a checkpoint: its own default checkpoint at 1000 pages."""


class Database:
    """One connection to the queue, opened at the first step and reopened when the file changed.

    Args:
        layout: where it lies.
        migrates: True in the capture process only; the others wait for the schema.
    """

    def __init__(self, layout: Layout, *, migrates: bool = False) -> None:
        self._layout = layout
        self._migrates = migrates
        self._connection: Connection | None = None
        self._inode = 0

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """One transaction: committed and durable when the block ends, rolled back when it raises.

        Raises:
            StorageFull: no room; the ballast was given up, so that the next step may have some.
            StorageFault: the disk or the database failed.
            NotNow: there is no schema yet.
        """
        with self._held() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Like `step`, for reading only: waits for no writer and makes none wait.

        All its queries see one state of the queue; what it writes is rolled back.
        """
        with self._held() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    def empty_log(self) -> bool:
        """Write the write-ahead log back and cut it to nothing; False while somebody reads it."""
        with self._held() as connection:
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")

    def set_aside_s(self) -> list[float]:
        """When each queue that lies here was set aside; empty ones were gone and do not count."""
        path = self._layout.database
        asides = [part.stat() for part in path.parent.glob(f"{path.name}.aside-*[0-9]")]
        return [aside.st_ctime for aside in asides if aside.st_size]

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
        """Put an empty queue in the place of a broken one, which keeps its bytes; where it is now.

        Nobody else is within a step meanwhile, and everybody's next one opens the new queue.
        A power cut leaves the old database, none, or the new one, never a new one beside the old
        one's log; what it leaves half done the next call ends.

        Raises:
            StorageFault: the disk failed.
        """
        path = self._layout.database
        names = (path.with_name(f"{path.name}.aside-{number}") for number in count(1))
        with lock(self._layout.state_lock, exclusive=True, wait=True):
            self._close()
            aside = next(name for name in names if not name.exists())
            with disk_errors("cannot set the queue aside"):
                for part, name in zip(parts(path), parts(aside), strict=True):
                    with suppress(FileNotFoundError):
                        part.rename(name)
                make_file(aside)  # of a queue that was gone: the next one's log goes elsewhere
                sync_folder(path.parent)
                make_file(path)
                self._layout.rebuild_mark.unlink(missing_ok=True)
        return aside

    @contextmanager
    def _held(self) -> Iterator[Connection]:
        path = self._layout.database
        with lock(self._layout.state_lock, exclusive=False, wait=True):
            try:
                yield self._current(path)
            except _BUGS:
                raise
            except sqlite3.Error as error:
                code = getattr(error, "sqlite_errorcode", 0)
                if code in _NO_ROOM:
                    make_way(self._layout.ballast)  # for the next step
                    raise StorageFull(f"{path}: {error}") from error
                self._close()  # one that was opened on a read-only card would stay read-only
                if code & 0xFF in _BROKEN:
                    raise self._broken(f"{error}") from error
                raise StorageFault(f"{path}: {error}") from error

    def _current(self, path: Path) -> Connection:
        try:
            inode = path.stat().st_ino
        except FileNotFoundError as error:
            if self._migrates:
                raise self._broken("gone") from error
            words = "not there yet; start `doorstep capture` first, or again"
            raise NotNow(f"{path}: {words}") from error
        except OSError as error:
            raise StorageFault(f"{path}: cannot be opened: {error.strerror}") from error
        if self._connection is None or inode != self._inode:
            self._close()
            if _is_emptied(path):
                raise self._broken("emptied")
            make_way(self._layout.ballast)
            self._connection = _open(path, migrates=self._migrates)
            self._inode = inode
        return self._connection

    def _broken(self, what: str) -> QueueBroken:
        """Leave the mark for capture; the error to raise."""
        with suppress(OSError):
            self._layout.rebuild_mark.touch(FILE_MODE)
        return QueueBroken(f"{self._layout.database}: {what}; {_REMEDY}")


def parts(path: Path) -> list[Path]:
    """The files of a database, in the order in which they may be taken away."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "")]


def _is_emptied(path: Path) -> bool:
    """Whether an empty queue is no new one: SQLite would wait for those who still have it open."""
    log, index, _ = parts(path)
    return path.stat().st_size == 0 and (log.exists() or index.exists())


def _open(path: Path, *, migrates: bool) -> Connection:
    _, index, _ = parts(path)
    if not index.exists() and free_bytes(path.parent) < LEAST_BYTES:
        raise StorageFull(f"{path}: no room to open it; delete something that is not Doorstep's")
    connection = sqlite3.connect(
        f"file:{quote(bytes(path))}?mode=rw", timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True
    )
    try:
        connection.row_factory = sqlite3.Row
        if migrates:
            _migrate(connection)
            _check(connection)
        _await_schema(connection, path)
        _fill(index)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # stops are wiped, not only forgotten
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: Connection) -> None:
    """Raise DatabaseError with SQLITE_CORRUPT where pages or tables are not what they must be."""
    found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('captures', 'facts', 'tally')"
    if found == ["ok"] and connection.execute(tables).fetchone()[0] == 3:
        return
    error = sqlite3.DatabaseError("; ".join(found) if found != ["ok"] else "tables are missing")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    raise error


def _fill(index: Path) -> None:
    """Allocate the index of the log where SQLite leaves holes: in blocks smaller than its pages.

    It writes the index by memory, and a hole that finds no room is a SIGBUS. By another process:
    closing a file drops all locks that SQLite in this one has on it.
    """
    if os.statvfs(index.parent).f_frsize < _PAGE_BYTES:
        command = ["fallocate", "--length", str(_INDEX_BYTES), str(index)]
        subprocess.run(command, capture_output=True, check=False)


def _await_schema(connection: Connection, path: Path) -> None:
    if _version(connection) < SCHEMA_VERSION:
        raise NotNow(f"{path}: the queue is not ready; start `doorstep capture` first, or again")


def _version(connection: Connection) -> int:
    tables = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlite_migrations'"
    if not connection.execute(tables).fetchone()[0]:
        return 0
    query = "SELECT count(*) FROM _sqlite_migrations WHERE migration_set = 'doorstep'"
    return int(connection.execute(query).fetchone()[0])


def _migrate(connection: Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":  # SQLite does not call this an error
        raise StorageFault(f"SQLite stayed in journal mode {mode}; the file system needs mmap")
    if _version(connection) >= SCHEMA_VERSION:
        return
    # 25 MB and 130 ms that only the first start needs
    from sqlite_utils import Database as Tables  # noqa: PLC0415, TID251 - this is its door
    from sqlite_utils import Migrations  # noqa: PLC0415, TID251 - this is its door

    migrations = Migrations("doorstep")
    for name, statements in STEPS.items():

        @migrations(name=name)
        def step(db: Tables, statements: tuple[str, ...] = statements) -> None:
            for statement in statements:
                db.execute(statement)

    migrations.apply(Tables(connection))


def _roll_back(connection: Connection) -> None:
    with suppress(sqlite3.Error):  # a full disk has rolled back already
        connection.execute("ROLLBACK")
