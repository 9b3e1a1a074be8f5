"""Headers and schemas that another process could put into the queue, by name.

Each maker changes a sound queue; the seed decides what it does beyond its name.
"""

import sqlite3  # noqa: TID251 - it writes what the product would not
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

from agent.queue.migrations import LEDGER, STEPS

Maker = Callable[[Path, Random], None]
"""A function that changes the database at the path; no other process has that open."""

Entry = tuple[str, str, str, int, str | bytes | None]
"""A row of `sqlite_master`: type, name, table, root page, text."""

_SCHEMA_VERSION_AT: Final = 40
MB: Final = 1_000_000


def make(path: Path) -> None:
    """Make a sound queue without rows, as the migrations do; for tests without a device."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode = WAL")
        sql.execute("BEGIN")
        for statement in [*LEDGER, *(one for step in STEPS.values() for one in step)]:
            sql.execute(statement)
        insert = "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('doorstep', ?)"
        sql.executemany(insert, [(name,) for name in STEPS])
        sql.execute("COMMIT")


def write(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        for statement in statements:
            sql.execute(statement)
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def add_entries(path: Path, entries: Iterator[Entry]) -> None:
    """Add entries to the schema; SQLite does not parse them now, because that takes minutes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA writable_schema = ON")
        sql.execute("BEGIN")
        sql.executemany("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", entries)
        sql.execute("COMMIT")
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    patch(path, _SCHEMA_VERSION_AT, struct.pack(">I", 1_000))


def patch(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


# The header


def _cache(path: Path, random: Random) -> None:
    """Set the cache size that the file suggests, in pages, and add a schema that fills it."""
    pages = random.choice([2**31 - 1, -(2**31), 1_000_000])
    views(path, random, count=3_000)
    patch(path, 48, struct.pack(">i", pages))


def _rewritten(path: Path, *pragmas: str) -> None:
    """Write the same content to a file with other settings."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode = DELETE")
        for pragma in pragmas:
            sql.execute(f"PRAGMA {pragma}")
        sql.execute("VACUUM")
        sql.execute("PRAGMA journal_mode = WAL")


def _page_size(path: Path, random: Random) -> None:
    _rewritten(path, f"page_size = {random.choice([512, 1_024, 8_192, 32_768, 65_536])}")


def _large_pages(path: Path, random: Random) -> None:
    """Use pages of 64 KiB, and a cache of two million pages."""
    _rewritten(path, "page_size = 65536")
    _cache(path, random)


def _utf_16(path: Path, random: Random) -> None:
    """Make the queue again in UTF-16, because SQLite changes the encoding only of an empty file."""
    path.unlink()
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(f"PRAGMA encoding = 'UTF-16{random.choice(['le', 'be'])}'")
        sql.execute("CREATE TABLE x (y)")
        sql.execute("DROP TABLE x")
        sql.commit()
    make(path)
    if random.random() < 0.5:
        views(path, random)


# The schema


def _many(
    kind: str, count: int, text: Callable[[int], str], table: str = "", root: int = 0
) -> Iterator[Entry]:
    """Return so many entries of one kind; without a `table` each is one of its own."""
    names = ((f"{kind[0]}{number}", number) for number in range(count))
    return ((kind, name, table or name, root, text(number)) for name, number in names)


def views(path: Path, random: Random, *, count: int = 30_000) -> None:
    """Add views: 30,000 of them have 11 MB, and SQLite takes 200 MB to read them."""
    columns = ", ".join(f"{number} AS c{number}" for number in range(random.randint(25, 35)))
    add_entries(path, _many("view", count, lambda n: f"CREATE VIEW v{n} AS SELECT {columns}"))


def _tables(path: Path, random: Random) -> None:
    root = random.randint(2, 6)
    text = "CREATE TABLE t{} (a, b, c)".format
    add_entries(path, _many("table", 100_000, text, root=root))


def _indexes(path: Path, random: Random) -> None:
    root, column = random.randint(2, 6), random.choice(["kind", "utc", "bytes"])
    text = f"CREATE INDEX i{{}} ON captures ({column})".format
    add_entries(path, _many("index", 100_000, text, "captures", root))


def _triggers(path: Path, random: Random) -> None:
    when = random.choice(["INSERT", "DELETE", "UPDATE"])
    text = f"CREATE TRIGGER t{{0}} AFTER {when} ON captures BEGIN SELECT {{0}}; END".format
    add_entries(path, _many("trigger", 100_000, text, "captures"))


def _wide_table(path: Path, random: Random) -> None:
    """Add a table with as many columns as SQLite's default allows, or with more."""
    count = random.choice([2_000, 32_000])
    columns = ", ".join(f"c{n}" for n in range(count))
    add_entries(path, iter([("table", "w", "w", 2, f"CREATE TABLE w ({columns})")]))


def _deep_expression(path: Path, random: Random) -> None:
    depth = random.choice([900, 50_000])
    text = f"CREATE VIEW d AS SELECT {'(' * depth}1{')' * depth} AS x"
    add_entries(path, iter([("view", "d", "d", 0, text)]))


def _long_text(path: Path, random: Random) -> None:
    text = f"CREATE VIEW l AS SELECT '{'x' * random.randint(1, 50) * MB}' AS x"
    add_entries(path, iter([("view", "l", "l", 0, text)]))


def _long_names(path: Path, random: Random) -> None:
    """Add a long name that SQLite does not parse, but returns when the schema is compared."""
    name = "n" * random.randint(700_000, 1_000_000)
    add_entries(
        path, (("view", name, name, 0, f"CREATE VIEW v{n} AS SELECT {n} AS x") for n in range(80))
    )


def _not_utf_8(path: Path, random: Random) -> None:
    """Put bytes that Python cannot decode in place of a name."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("CREATE VIEW v AS SELECT 1 AS x")
        sql.execute("PRAGMA writable_schema = ON")
        bad = bytes([random.randint(0x80, 0xBF)])
        sql.execute("UPDATE sqlite_master SET name = CAST(? AS TEXT) WHERE name = 'v'", (bad,))
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _generated_columns(path: Path, _: Random) -> None:
    """Give one of Doorstep's tables generated columns that cost much when its pages are checked."""
    work = "length(hex(zeroblob(100000000)))"
    write(
        path,
        "DROP TABLE facts",
        f"CREATE TABLE facts (name TEXT PRIMARY KEY, text TEXT NOT NULL, x AS ({work}) NOT NULL)",
        "PRAGMA ignore_check_constraints = ON",
    )


def _check(path: Path, random: Random) -> None:
    work = f"like('{'%a' * random.randint(10, 400)}', text)"
    write(
        path,
        "DROP TABLE facts",
        "CREATE TABLE facts (name TEXT PRIMARY KEY, text TEXT NOT NULL"
        f" CHECK ({work} OR 1)) STRICT",
        f"INSERT INTO facts VALUES ('x', '{'a' * 40_000}b')",
    )


def _foreign_index(path: Path, random: Random) -> None:
    unique = random.choice(["", "UNIQUE "])
    column = random.choice(["capture_id", "hex(utc || kind)", "bytes, sha256"])
    write(path, f"CREATE {unique}INDEX somebody ON captures ({column})")


def _endless_view(path: Path, random: Random) -> None:
    name = random.choice(["_sqlite_migrations", "tally", "facts"])
    write(
        path,
        f"DROP TABLE {name}",
        f"CREATE VIEW {name} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n)"
        " SELECT i AS id, 'doorstep' AS migration_set, 'x' AS name, 1 AS rows, 'x' AS state,"
        " 'x' AS text FROM n",
    )


MAKERS: Final[dict[str, Maker]] = {
    "a cache of 8 TB": _cache,
    "pages of another size": _page_size,
    "pages of 64 KiB and a cache": _large_pages,
    "UTF-16": _utf_16,
    "30,000 views": views,
    "100,000 tables": _tables,
    "100,000 indexes": _indexes,
    "100,000 triggers": _triggers,
    "a wide table": _wide_table,
    "a deep expression": _deep_expression,
    "a long text": _long_text,
    "long names": _long_names,
    "a name that is not UTF-8": _not_utf_8,
    "generated columns": _generated_columns,
    "a check that takes long": _check,
    "an index of somebody else": _foreign_index,
    "a view without end": _endless_view,
}
"""The makers of these databases, by name."""
