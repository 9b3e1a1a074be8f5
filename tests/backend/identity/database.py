"""The tables of the register in `backend.db`, and how each of its parts opens them."""

import sqlite3  # noqa: TID251 - the backend's own database, not the device's
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS enrolled (
    device_id TEXT PRIMARY KEY, state TEXT NOT NULL, takes_key INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    device_id TEXT PRIMARY KEY REFERENCES enrolled, digest TEXT NOT NULL, kid TEXT) STRICT;
CREATE TABLE IF NOT EXISTS certificates (
    number INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE,
    device_id TEXT NOT NULL REFERENCES enrolled, label TEXT NOT NULL, kid TEXT NOT NULL,
    until TEXT NOT NULL, state TEXT NOT NULL, first_used_at TEXT, cloned_at TEXT,
    pem TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS certificates_by_device ON certificates (device_id, label, kid);
CREATE TABLE IF NOT EXISTS names (
    name TEXT PRIMARY KEY, device_id TEXT NOT NULL REFERENCES enrolled) STRICT;
CREATE INDEX IF NOT EXISTS names_by_device ON names (device_id);
CREATE TABLE IF NOT EXISTS clients (
    serial TEXT PRIMARY KEY, name TEXT NOT NULL, until TEXT NOT NULL,
    revoked INTEGER NOT NULL, kind TEXT NOT NULL DEFAULT 'client') STRICT;
CREATE TABLE IF NOT EXISTS closings (
    device_id TEXT PRIMARY KEY REFERENCES enrolled, at TEXT NOT NULL, how TEXT NOT NULL,
    by TEXT NOT NULL, chains TEXT NOT NULL) STRICT;
"""
"""A certificate's `number` rises with every issue: the newest has the highest.

`takes_key`: whether the device may bring a signing key that is not known yet: its first one, and
then one each time that the office says so. Whoever holds its TLS key alone must not bring theirs.
Certificates of clients are in a table of their own: nothing that looks for a device's finds them.
`chains` is JSON, as in the answer to a retirement (closing.py).
"""

KIND: Final = "ALTER TABLE clients ADD COLUMN kind TEXT NOT NULL DEFAULT 'client'"
"""Before 2026.12 there were no technicians."""


def opened(folder: Path) -> sqlite3.Connection:
    """A connection of one's own, to use with `together`."""
    db = sqlite3.connect(folder / "backend.db", isolation_level=None)
    db.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.executescript(SCHEMA)
    if not _has_kinds(db):
        with together(db):
            if not _has_kinds(db):  # another process may have been the first
                db.execute(KIND)
    return db


def _has_kinds(db: sqlite3.Connection) -> bool:
    return "kind" in [row["name"] for row in db.execute("PRAGMA table_info(clients)")]


@contextmanager
def together(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, durable afterwards; nobody else writes meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    with db:
        yield
