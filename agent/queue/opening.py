"""Opens the queue's database, and believes nothing of what it finds."""

import os
import sqlite3  # noqa: TID251 - SQL, as database.py
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.errors import NotNow, StorageFault, StorageFull
from agent.queue.bounds import connect, limit_time
from agent.queue.content import check_cost, check_schema, corrupt
from agent.queue.disk import LEAST_BYTES, disk_errors, free_bytes
from agent.queue.guard import without_deleting
from agent.queue.migrations import STEPS

HELD: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
"""Codes of SQLite if another process keeps the database to itself."""

BROKEN: Final = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_SCHEMA,
}
"""Codes that a database gives only if a card garbled it, or another program has written it."""

_PAGE_BYTES: Final = 4_096
_INDEX_BYTES: Final = 32_768
"""SQLite's index of its log, for up to 4062 pages. Source: sqlite.org/walformat.html, 2.1."""

_WAL_LIMIT_BYTES: Final = 4_194_304
"""SQLite shrinks the log to this after a checkpoint: its own default checkpoint at 1000 pages."""

LARGEST_BYTES: Final = 201_326_592
"""A queue of 100,000 rows with their receipts has 179 MB.

A start reads each part several times before it can judge the rows.
"""


def parts(path: Path) -> list[Path]:
    """Return the files of a database: its log, the index of the log, and itself."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "")]


def open_database(path: Path, *, migrates: bool, patience_s: float) -> sqlite3.Connection:
    """Open a connection with today's schema, in a log that is flushed at each commit.

    Raises:
        StorageFull: there is no space for the log.
        NotNow: capture has not made the schema yet.
        sqlite3.Error: the database failed, or Doorstep did not make it.
    """
    with disk_errors("cannot look at the queue"):
        check_files(path)
    _, index, _ = parts(path)
    if not index.exists() and free_bytes(path.parent) < LEAST_BYTES:
        raise StorageFull(f"{path}: no room to open it; delete something that is not Doorstep's")
    return without_deleting(lambda: _open(path, migrates=migrates, patience_s=patience_s))


def check_files(path: Path) -> None:
    """Raise DatabaseError where a part of it is no plain file of a queue's size."""
    for part in parts(path):
        try:
            found = part.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            raise corrupt(f"{part.name} is a link, or no file")
        if found.st_size > LARGEST_BYTES:
            raise corrupt(f"{part.name} has {found.st_size} bytes")
    if os.path.lexists(f"{path}-journal"):  # Doorstep's queues never have one
        raise corrupt("there is a journal beside it")
    log, index, _ = parts(path)
    has_log = log.exists() or index.exists()  # asked first: who makes the queue fills it before
    if has_log and path.stat().st_size == 0:
        raise corrupt("emptied")  # SQLite would wait for those who still have it open


def open_to_look(path: Path, *, patience_s: float) -> sqlite3.Connection:
    """Open a connection that can write nothing; only while the log and its index exist.

    If another process closes the queue at just that moment, and this user may write there (not
    in serve's unit), SQLite may leave an empty log, which every process can use.

    Raises:
        NotNow: no process has it open, or capture has not made the schema yet.
        sqlite3.Error: the database failed, or Doorstep did not make it.
    """
    with disk_errors("cannot look at the queue"):
        check_files(path)
        log, index, _ = parts(path)
        if not (log.exists() and index.exists()):
            raise NotNow("nobody has the queue open; start `doorstep capture`")
    connection = without_deleting(lambda: _open_to_look(path, patience_s=patience_s))
    limit_time(connection)  # until here, the limit counts the time of the thread that ended
    return connection


def _open(path: Path, *, migrates: bool, patience_s: float) -> sqlite3.Connection:
    connection = connect(path, "mode=rw", patience_s)
    try:
        if migrates:
            migrate(connection)
        else:
            _check_ready(connection)
        _fill(parts(path)[1])
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # stops are wiped, not only forgotten
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _open_to_look(path: Path, *, patience_s: float) -> sqlite3.Connection:
    connection = connect(path, "mode=ro&readonly_shm=1", patience_s)
    try:
        _check_ready(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_ready(connection: sqlite3.Connection) -> None:
    """Check the schema and the log for a process that does not migrate."""
    if _schema_taken(connection) < len(STEPS):
        raise NotNow("the queue is not ready; start `doorstep capture` first")
    if _mode(connection) != "wal":
        raise corrupt("it keeps no log")


def _schema_taken(connection: sqlite3.Connection) -> int:
    """Run `check_schema` on one state of the database, while capture may be migrating it."""
    connection.execute("BEGIN")
    try:
        return check_schema(connection)
    finally:
        with suppress(sqlite3.Error):  # a disk that fails has rolled back already
            connection.execute("ROLLBACK")


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate a database to today's schema, in a write-ahead log; only capture does.

    It is one transaction: a process that opened half a schema would call the queue broken.
    """
    taken = check_schema(connection)
    check_cost(connection)
    _check_pages(connection)
    if _mode(connection) != "wal":
        _begin_log(connection)
    if taken >= len(STEPS):
        return
    # 25 MB and 130 ms that only the first start needs
    from sqlite_utils import Database as Tables  # noqa: PLC0415, TID251 - the only importer
    from sqlite_utils import Migrations  # noqa: PLC0415, TID251 - the only importer

    migrations = Migrations("doorstep")
    for name, statements in STEPS.items():

        @migrations(name=name)
        def step(db: Tables, statements: tuple[str, ...] = statements) -> None:
            for statement in statements:
                db.execute(statement)

    tables = Tables(connection)
    with tables.atomic():
        migrations.apply(tables)


def _mode(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def _begin_log(connection: sqlite3.Connection) -> None:
    """Begin the log of a new database, which has nothing to roll back to."""
    connection.execute("PRAGMA journal_mode = MEMORY")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":  # SQLite does not call this an error
        raise StorageFault(f"SQLite stayed in journal mode {mode}; the file system needs mmap")


def _check_pages(connection: sqlite3.Connection) -> None:
    found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if found != ["ok"]:
        raise corrupt("; ".join(found))


def _fill(index: Path) -> None:
    """Allocate the index of the log where SQLite leaves holes: in blocks smaller than its pages.

    It writes the index by memory, and a hole that finds no room is a SIGBUS. By another process:
    closing a file drops all locks that SQLite in this one has on it.
    """
    if os.statvfs(index.parent).f_frsize < _PAGE_BYTES:
        command = ["fallocate", "--length", str(_INDEX_BYTES), str(index)]
        subprocess.run(command, capture_output=True, check=False)
