"""The SQL door: connection, pragmas, migrations, and reopening after a rebuild.

Readers and writers of several users share one WAL database.
Each step holds `state.lock` shared and compares inodes, so that nobody goes on writing into a
database that was set aside.
"""

import sqlite3  # noqa: TID251 - this is its door
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from agent.errors import NotNow, StorageFault, StorageFull
from agent.layout import Layout
from agent.storage import lock

Connection = sqlite3.Connection
Row = sqlite3.Row

_BUGS: Final = (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError)
"""No disk does these; they are not told as a fault of one."""

_NO_ROOM: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
"""What SQLite calls a full disk: for the log, and for the index beside it."""

_BROKEN: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REMEDY: Final = (
    "the records are safe: move doorstep.db, -wal and -shm aside and restart doorstep-capture, "
    "which makes the queue again from the records"
)

BUSY_TIMEOUT_S: Final = 10.0
"""Longest wait for another process's write: ten times the slowest flush seen on a worn card."""

SCHEMA_VERSION: Final = 1
"""How many migrations there are; processes other than capture wait for it."""

_WAL_LIMIT_BYTES: Final = 4_194_304
"""SQLite shrinks the log to this after a checkpoint: its own default checkpoint at 1000 pages."""

_CAPTURES: Final[dict[str, type]] = {
    "number": int,
    "capture_id": str,
    "chain": str,
    "seq": int,
    "label_sha256": str,
    "boot_id": str,
    "kind": str,
    "about": str,
    "utc": str,
    "clock": str,
    "bytes": int,
    "sha256": str,
    "state": str,
    "adopted": int,
    "attempts": int,
    "suspected": int,
    "due_boot_id": str,
    "due_s": float,
    "upload_url": str,
    "answer": str,
    "decision": str,
    "decided_utc": str,
}
"""One row per record, an index of its file; `decision` is the backend's receipt or refusal."""

ALARMING: Final = "(state IN ('REFUSED', 'DAMAGED') OR suspected > 0)"
"""A small index's condition; a query that repeats it word for word is answered from that index."""

_NULLABLE: Final = {"about", "upload_url", "answer", "decision", "decided_utc"}


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
            StorageFull: no room.
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

    def close(self) -> None:
        """Close the connection; the next step opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _held(self) -> Iterator[Connection]:
        path = self._layout.database
        with lock(self._layout.state_lock, exclusive=False, wait=True):
            try:
                yield self._current(path)
            except _BUGS:
                raise
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", None) in _NO_ROOM:
                    raise StorageFull(f"{path}: {error}") from error
                if getattr(error, "sqlite_errorcode", None) in _BROKEN:
                    self.close()
                    raise StorageFault(f"{path}: {error}; {_REMEDY}") from error
                self.close()  # one that was opened on a read-only card would stay read-only
                raise StorageFault(f"{path}: {error}") from error

    def _current(self, path: Path) -> Connection:
        try:
            inode = path.stat().st_ino
        except FileNotFoundError as error:
            raise NotNow(f"{path}: not there yet; start `doorstep capture` first") from error
        except OSError as error:
            raise StorageFault(f"{path}: cannot be opened: {error.strerror}") from error
        if self._connection is None or inode != self._inode:
            self.close()
            self._connection = _open(path, migrates=self._migrates)
            self._inode = inode
        return self._connection


def _open(path: Path, *, migrates: bool) -> Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True
    )
    try:
        connection.row_factory = sqlite3.Row
        if migrates:
            _migrate(connection)
        _await_schema(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _await_schema(connection: Connection, path: Path) -> None:
    if _version(connection) < SCHEMA_VERSION:
        raise NotNow(f"{path}: the queue is not ready; start `doorstep capture` first")


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

    @migrations()
    def m001_queue(db: Tables) -> None:
        captures = db.table("captures")
        captures.create(_CAPTURES, pk="number", not_null=set(_CAPTURES) - _NULLABLE, strict=True)
        captures.create_index(["capture_id"], unique=True)
        captures.create_index(["chain", "seq"], unique=True)
        captures.create_index(["state"])  # pages through one state in order of arrival
        captures.create_index(["state", "due_s"])
        db.execute(f"CREATE INDEX captures_alarming ON captures (number) WHERE {ALARMING}")
        db.table("facts").create(
            {"name": str, "text": str}, pk="name", not_null={"text"}, strict=True
        )

    migrations.apply(Tables(connection))


def _roll_back(connection: Connection) -> None:
    with suppress(sqlite3.Error):  # a full disk has rolled back already
        connection.execute("ROLLBACK")
