"""Rows, pages and logs that another process could put into the queue, by name."""

import os
import shutil
import sqlite3  # noqa: TID251 - it writes what the product would not
import struct
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.databases.schemas import MB, Maker, patch, write

_PAGE_BYTES: Final = 4_096
_INTERIOR, _LEAF = 0x05, 0x0D
"""The kinds of a table's pages. Source: sqlite.org/fileformat2.html, 1.6."""

_LEVELS: Final = 19
"""Most levels of a tree that SQLite follows. Source: sqlite3.c, BTCURSOR_MAX_DEPTH."""

_ROW: Final = (
    "INSERT INTO captures SELECT n, printf('00000000-0000-4000-8000-%012x', n), 'c', n, "
    "printf('%064x', n), 'b', 'photo', NULL, 'u', 'ntp', 1000, printf('%064x', n), 'PENDING', "
    "0, 0, 0, 'b', 1.0, NULL, NULL, NULL, NULL, 0, 0 FROM n"
)


def _numbers(most: int) -> str:
    return f"WITH RECURSIVE n(n) AS (SELECT 1000001 UNION ALL SELECT n + 1 FROM n LIMIT {most}) "


def insert(count: int) -> str:
    """Return the statement that adds rows which Doorstep could have written."""
    return _ROW.replace("INTO captures ", "INTO captures " + _numbers(count), 1)


# Rows


def _many_rows(path: Path, random: Random) -> None:
    write(path, insert(random.choice([250_000, 400_000])))


def _lost_rows(path: Path, random: Random) -> None:
    """Fill the largest queue with rows that a device could have written, each without its file."""
    count = random.choice([1_350, 90_000])
    text = f"hex(zeroblob({max(180 * MB // count - 900, 0) // 2}))"
    write(
        path,
        insert(count),
        f"UPDATE captures SET answer = substr({text}, 1, 65536), decision = substr({text}, 65537)",
    )


def _many_facts(path: Path, random: Random) -> None:
    count = random.randint(1_000_000, 2_000_000)
    write(path, f"INSERT INTO facts {_numbers(count)} SELECT n, '' FROM n")


def _many_states(path: Path, _: Random) -> None:
    write(path, f"INSERT INTO tally {_numbers(1_000_000)} SELECT n, n FROM n")


def _long_values(path: Path, random: Random) -> None:
    """Add many rows whose columns are as long as SQLite returns them."""
    size = random.choice([900_000, 3 * MB])
    text = f"hex(zeroblob({size // 2}))"
    columns = ("chain", "boot_id", "kind", "utc", "clock", "upload_url", "answer", "decision")
    changed = ", ".join(f"{name} = {text} || number" for name in columns)
    write(path, insert(random.randint(5, 10)), f"UPDATE captures SET {changed}")


def _long_state(path: Path, random: Random) -> None:
    size = random.randint(1, 100) * MB
    write(path, f"INSERT INTO tally VALUES (hex(zeroblob({size // 2})), 1)")


def _value_not_utf_8(path: Path, random: Random) -> None:
    column = random.choice(["kind", "clock", "utc", "answer"])
    write(path, insert(2), f"UPDATE captures SET {column} = CAST(x'B1FF' AS TEXT)")


# Pages


def _root(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as sql:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        found = int(sql.execute(query, (name,)).fetchone()[0])
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return found


def _interior(children: list[int], last: int) -> bytes:
    """Return a page of a table's tree with these pages below it."""
    cells = [struct.pack(">IB", child, key + 1) for key, child in enumerate(children)]
    content, pointers = b"", b""
    for cell in cells:
        content = cell + content
        pointers += struct.pack(">H", _PAGE_BYTES - len(content))
    head = struct.pack(">BHHHBI", _INTERIOR, 0, len(cells), _PAGE_BYTES - len(content), 0, last)
    return (head + pointers).ljust(_PAGE_BYTES - len(content), b"\0") + content


def put_pages(path: Path, table: str, levels: int, children: int) -> None:
    """Put a tree of so many levels below a table; all children of a page are the same page."""
    root, first = _root(path, table), path.stat().st_size // _PAGE_BYTES + 1
    row = bytes([5, 1, 3, 15, 15, 120, 120])  # 5 bytes, number 1; a head of 3, two texts of 1
    at = _PAGE_BYTES - len(row)
    leaf = struct.pack(">BHHHBH", _LEAF, 0, 1, at, 0, at)
    with path.open("r+b") as file:
        file.seek((root - 1) * _PAGE_BYTES)
        file.write(_interior([first] * children, first))
        file.seek((first - 1) * _PAGE_BYTES)
        for page in range(first, first + levels - 1):
            file.write(_interior([page + 1] * children, page + 1))
        file.write(leaf.ljust(at, b"\0") + row)
        file.seek(24)
        changed = file.read(4)
        file.seek(28)
        file.write(struct.pack(">I", first + levels - 1))
        file.seek(92)
        file.write(changed)


def _deep_tree(path: Path, random: Random) -> None:
    """Put in so many levels that a function which calls itself for each overruns the stack."""
    put_pages(path, random.choice(["facts", "captures"]), random.randint(60_000, 80_000), 0)


def _endless_tree(path: Path, random: Random) -> None:
    """Put in a tree with 100 children for each page, 19 levels deep: no query can read it all."""
    put_pages(path, random.choice(["facts", "captures", "tally"]), _LEVELS - 1, 100)


def _page_count(path: Path, random: Random) -> None:
    patch(path, 28, struct.pack(">I", random.choice([0, 2, 2**31, 2**32 - 2])))


def _changed_bytes(path: Path, random: Random) -> None:
    write(path, insert(200))
    size = path.stat().st_size
    for _ in range(random.randint(5, 500)):
        patch(path, random.randrange(16, size), random.randbytes(random.choice([1, 1, 2, 4, 64])))


# The log


def _keep_log(path: Path, *statements: str) -> None:
    """Run the statements, and leave their pages in the log, as a killed process does."""
    kept = path.with_name("kept")
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA wal_autocheckpoint = 0")
        for statement in statements:
            sql.execute(statement)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{kept}{suffix}")
    for suffix in ("", "-wal"):
        Path(f"{kept}{suffix}").replace(f"{path}{suffix}")


def _large_log(path: Path, random: Random) -> None:
    """Write the same page to the log many times: the database file itself stays small."""
    size = random.choice([80, 150]) * MB
    _keep_log(
        path,
        *(f"REPLACE INTO facts VALUES ('x', hex(zeroblob({size // 8})))",) * 4,
    )


def _views_in_the_log(path: Path, random: Random) -> None:
    """Keep the file sound, but put a hostile header and schema, which take effect, into the log."""
    count = random.choice([200, 3_000, 30_000])
    _keep_log(
        path,
        "PRAGMA default_cache_size = 2147483647",
        "PRAGMA writable_schema = ON",
        f"INSERT INTO sqlite_master {_numbers(count)} SELECT 'view', 'v' || n, 'v' || n, 0,"
        " 'CREATE VIEW v' || n || ' AS SELECT 1 AS x, 2 AS y, 3 AS z' FROM n",
        "PRAGMA schema_version = 1000",
    )


def _empty_log(path: Path, random: Random) -> None:
    log = path.with_name(f"{path.name}-wal")
    log.touch()
    os.truncate(log, random.choice([10**7, 5 * 10**8, 10**12]))


def _log_of_noise(path: Path, random: Random) -> None:
    path.with_name(f"{path.name}-wal").write_bytes(random.randbytes(random.randint(1, 3) * MB))


def _index_of_noise(path: Path, random: Random) -> None:
    _keep_log(path, insert(10))
    path.with_name(f"{path.name}-shm").write_bytes(random.randbytes(32_768 * random.randint(1, 3)))


def _large_file(path: Path, random: Random) -> None:
    """Make a file near the size limit, or beyond it; its holes take no space."""
    size = random.choice([190 * MB, 210 * MB, 10**12])
    pages = size // _PAGE_BYTES
    os.truncate(path, pages * _PAGE_BYTES)
    patch(path, 28, struct.pack(">I", min(pages, 2**32 - 2)))
    patch(path, 32, struct.pack(">II", random.choice([0, pages]), random.choice([0, pages])))


MAKERS: Final[dict[str, Maker]] = {
    "more rows than a device makes": _many_rows,
    "rows without files": _lost_rows,
    "a million facts": _many_facts,
    "a million states": _many_states,
    "long values": _long_values,
    "a long state": _long_state,
    "a value that is not UTF-8": _value_not_utf_8,
    "a tree of 60,000 levels": _deep_tree,
    "a tree without end": _endless_tree,
    "a wrong number of pages": _page_count,
    "changed bytes": _changed_bytes,
    "a large log": _large_log,
    "views in the log": _views_in_the_log,
    "an empty log": _empty_log,
    "a log of noise": _log_of_noise,
    "an index of noise": _index_of_noise,
    "a large file": _large_file,
}
"""The makers of these databases, by name."""
