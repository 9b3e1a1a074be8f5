"""The valid contents of a queue: other processes write it too, so it is input, not truth."""

import sqlite3  # noqa: TID251 - SQL, as database.py
from functools import cache
from typing import Final

from agent.models import LARGEST_RECORD_BYTES, RecordState
from agent.queue.migrations import LEDGER, STEPS

MOST_ROWS: Final = 200_000
"""Twice the longest queue that was measured; more fill the memory of a small device."""

_LONGEST_ENTRY_CHARS: Final = 4_096
"""Longest text in the schema; Doorstep's own longest text has 900 characters."""

_HEX: Final = "[0-9a-f]"
UUID: Final = "-".join(_HEX * length for length in (8, 4, 4, 4, 12))
"""Pattern of an id, for GLOB."""

_NUMBER: Final = 2**53
"""Largest number that is believed: SQLite's own end at 2**63, where adding one fails."""

_LATEST_S: Final = 1e10
"""Latest due time that is believed: three centuries after a boot."""

_SHAPES: Final = {
    "number": f"typeof(number) = 'integer' AND number BETWEEN 1 AND {_NUMBER}",
    "capture_id": f"capture_id GLOB '{UUID}'",
    "seq": f"typeof(seq) = 'integer' AND seq BETWEEN 1 AND {_NUMBER}",
    "about": f"(about IS NULL OR about GLOB '{UUID}')",
    "bytes": f"typeof(bytes) = 'integer' AND bytes BETWEEN 1 AND {LARGEST_RECORD_BYTES}",
    "state": f"state IN {tuple(state.value for state in RecordState)}",
    "adopted": "typeof(adopted) = 'integer' AND adopted IN (0, 1)",
    "due_s": f"typeof(due_s) = 'real' AND due_s BETWEEN 0 AND {_LATEST_S}",
}
_DIGESTS: Final = ("label_sha256", "sha256")
_COUNTS: Final = ("attempts", "suspected", "dead_ends", "sent_whole")
_TEXTS: Final = {"chain": 128, "boot_id": 128, "kind": 128, "utc": 128, "clock": 128} | {
    "due_boot_id": 128
}
"""Longest texts, in characters. Source: what a label may have, agent/record/file.py."""

_OPTIONAL: Final = {"upload_url": 8_192, "answer": 65_536, "decision": 65_536, "decided_utc": 128}

BELIEVABLE: Final = " AND ".join(
    [
        *_SHAPES.values(),
        *(f"length({name}) = 64" for name in _DIGESTS),
        *(f"typeof({name}) = 'integer' AND {name} BETWEEN 0 AND {_NUMBER}" for name in _COUNTS),
        *(f"length({name}) BETWEEN 1 AND {most}" for name, most in _TEXTS.items()),
        *(f"({name} IS NULL OR length({name}) <= {most})" for name, most in _OPTIONAL.items()),
    ]
)
"""1 of a row of `captures` that Doorstep could have written, in SQL.

That a text is a text, SQLite itself looks after: the tables are strict, and capture checks pages.
"""


def corrupt(what: str) -> sqlite3.DatabaseError:
    """Return the error that SQLite raises for broken pages: the queue must be made again."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def check_schema(connection: sqlite3.Connection) -> int:
    """Return the number of migrations that made the tables; 0 for an empty database.

    It reads the schema before any query: a view of any name may never come to an end.

    Raises:
        DatabaseError: it has another table, index, view or trigger than they make, or lacks one.
    """
    found = _schema(connection)
    for taken in range(len(STEPS), -1, -1):
        if found == _made_by(taken):
            break
    else:
        if not found:
            return 0
        strange = found ^ _made_by(len(STEPS))
        name = min(str(one[1]) for one in strange)
        raise corrupt(f"its schema is not what Doorstep made: {name[:80]!r}")
    query = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'doorstep' ORDER BY id"
    names = [row[0] for row in connection.execute(f"{query} LIMIT {len(STEPS) + 2}")]
    if names != list(STEPS)[:taken]:
        raise corrupt("its migrations are not those of Doorstep")
    return taken


@cache
def _made_header() -> tuple[object, ...]:
    connection = sqlite3.connect(":memory:")
    try:
        return _header(connection)
    finally:
        connection.close()


@cache
def _made_by(taken: int) -> frozenset[tuple[str | None, ...]]:
    """Return the schema that so many migrations make, made in memory."""
    connection = sqlite3.connect(":memory:")
    try:
        for statements in [LEDGER, *STEPS.values()][: taken + 1]:
            for statement in statements:
                connection.execute(statement)
        return _schema(connection)
    finally:
        connection.close()


def _schema(connection: sqlite3.Connection) -> frozenset[tuple[str | None, ...]]:
    """Return types, names and statements, with single spaces: sqlite-utils and LEDGER differ."""
    found: set[tuple[str | None, ...]] = set()
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 100")
    for row in rows:  # one by one: a file may have names of a megabyte
        if any(len(str(text)) > _LONGEST_ENTRY_CHARS for text in row):
            raise corrupt("its schema has an entry that is longer than any of Doorstep's")
        *names, text = map(_text, row)
        found.add((*names, text and " ".join(text.split())))
    return frozenset(found)


def _text(value: object) -> str | None:
    """Return the value as text: another process may have put a number or bytes there."""
    return None if value is None else str(value)


def _header(connection: sqlite3.Connection) -> tuple[object, ...]:
    return tuple(
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "encoding")
    )


def check_cost(connection: sqlite3.Connection) -> None:
    """Raise DatabaseError if Doorstep's own statements cost more in this file than in a queue.

    Call it after `check_schema`, and before `PRAGMA quick_check`, which calls itself for each level
    of a tree: a tree of 60,000 levels overruns the stack. A query gives up at 20 levels (sqlite3.c,
    BTCURSOR_MAX_DEPTH), so a query reads each tree first.
    """
    if _header(connection) != _made_header():
        raise corrupt("its pages or its texts are not in Doorstep's format")
    for tree in full_scan_sources(connection):
        count = f"SELECT count(*) FROM (SELECT 1 FROM {tree} LIMIT {MOST_ROWS + 1})"  # noqa: S608 - names of our schema
        if connection.execute(count).fetchone()[0] > MOST_ROWS:
            raise corrupt("it has more rows than a device makes")


def full_scan_sources(connection: sqlite3.Connection) -> list[str]:
    """Return what to select from so that SQLite reads each table and each index by itself."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE rootpage > 0"
    found = []
    for kind, name, table, sql in connection.execute(query):
        _, where, condition = (sql or "").partition(" WHERE ")
        if kind == "table":
            found.append(f'"{name}" NOT INDEXED')
        else:
            found.append(f'"{table}" INDEXED BY "{name}"{where}{condition}')
    return found
