"""Opens a database that another process may have written, and limits its cost.

SQLite reads settings from the file's header and parses each entry of its schema before the first
statement is answered. Both cost memory and time that the file chooses.
"""

import sqlite3  # noqa: TID251 - SQL, as database.py
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from agent.queue.content import corrupt

HEAP_BYTES: Final = 33_554_432
"""Most memory that all of SQLite takes in one process.

A queue of 100,000 rows takes 4.5 MB (2026-11-29). The unit with the smallest limit is serve's:
MemoryMax=100M; serve uses 35 MB at 100,000 records (tests/results.md).
"""

_CACHE_KIB: Final = 2_000
"""SQLite's default cache size, for pages of any size: SQLITE_DEFAULT_CACHE_SIZE."""

LONGEST_BYTES: Final = 1_048_576
"""Longest value that is read: twice a row with the longest answer and decision in UTF-8."""

_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 16_384,  # the longest statement has 2 KB
    sqlite3.SQLITE_LIMIT_COLUMN: 64,  # `captures` has 24
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,  # BELIEVABLE has 40 terms
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 2,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,  # `quick_check` of all tables has 423
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,  # that of an id has 260
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 4,  # a trigger of ours starts no other
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
"""More than Doorstep's schema and statements need. Source: sqlite.org/limits.html."""

LONGEST_S: Final = 20.0
"""Most processor time that opening, or one transaction, may take: below capture's WatchdogSec=30.

Waiting for the card does not count, because a worn card breaks no queue; the size of the files
limits the waiting. With 100,000 rows, opening takes 0.3 s of a PC's processor, and a transaction
that changes each of them 1.8 s (2026-11-29).
"""

_SCHEMA_OPERATIONS: Final = 2_000
"""Most steps of SQLite's machine that reading the schema may take, at 7 for each entry.

Doorstep's schema has 16 entries. 100,000 indexes of one table fit into HEAP_BYTES, and take
minutes.
"""

_OPERATIONS: Final = 100_000
"""Steps of SQLite's machine between two checks of the time: some milliseconds.

Each check takes Python's lock, for which a busy thread may let SQLite wait 5 ms.
"""


def connect(path: Path, options: str, patience_s: float) -> sqlite3.Connection:
    """Return a connection whose schema is read, and whose cost is limited.

    The statements that follow in this thread may take LONGEST_S; another thread has to call
    `limit_time` first. The memory limit holds for all of SQLite in this
    process, and no statement can raise that limit again.

    Args:
        path: the file.
        options: query of SQLite's URI: sqlite.org/uri.html.
        patience_s: longest wait for a lock.

    Raises:
        MemoryError: the schema needs more than HEAP_BYTES.
        sqlite3.Error: the file cannot be opened, or breaks a limit.
    """
    connection = sqlite3.connect(
        f"file:{quote(bytes(path))}?{options}",
        timeout=patience_s,
        isolation_level=None,
        uri=True,
        check_same_thread=False,
    )
    try:
        for limit, most in _LIMITS.items():
            connection.setlimit(limit, most)
        limit_schema(connection)
        connection.row_factory = sqlite3.Row
        # These do not read the file.
        connection.execute(f"PRAGMA hard_heap_limit = {HEAP_BYTES}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA mmap_size = 0")
        # The first statement that reads the file: until it ends, the header sets the cache size.
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    limit_time(connection)
    return connection


def limit_schema(connection: sqlite3.Connection) -> None:
    """Interrupt each statement after the few steps that reading Doorstep's schema takes.

    This limit holds until `limit_time` is called.
    """
    connection.set_progress_handler(lambda: True, _SCHEMA_OPERATIONS)


def limit_time(connection: sqlite3.Connection) -> None:
    """Interrupt the connection when the calling thread has used LONGEST_S from now on.

    Call this function in the thread that executes the statements.
    """
    until_s = time.thread_time() + LONGEST_S
    connection.set_progress_handler(lambda: time.thread_time() > until_s, _OPERATIONS)


@contextmanager
def limited() -> Iterator[None]:
    """Turn a broken limit, or bytes in place of text, into SQLite's error for corrupt files.

    Python reports them as MemoryError, OperationalError or UnicodeDecodeError; it raises the last
    one if SQLite's own message quotes the file.
    """
    try:
        yield
    except MemoryError as error:
        raise corrupt(f"it needs more than {HEAP_BYTES // 2**20} MiB of memory") from error
    except UnicodeDecodeError as error:
        raise corrupt(_NO_TEXT) from error
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # raised by Python, which could not decode a value
            raise corrupt(_NO_TEXT) from error
        if code == sqlite3.SQLITE_INTERRUPT:
            raise corrupt("it is larger than any queue, or takes longer") from error
        raise


_NO_TEXT: Final = "it holds a text that is not UTF-8"
_MESSAGE_CHARS: Final = 200
"""Longest part of SQLite's error message that is kept: it may quote long names from the file."""


def sqlite_message(error: sqlite3.Error) -> str:
    """Return the first characters of what SQLite says."""
    return str(error)[:_MESSAGE_CHARS]
