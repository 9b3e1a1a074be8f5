"""The office's own database: orders, routes, which record is whose, and who looked."""

import sqlite3  # noqa: TID251 - the backend's own store
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

Connection = sqlite3.Connection
Row = sqlite3.Row

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS customers (customer TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS addresses (
    address TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customers, line TEXT NOT NULL,
    opted_out INTEGER NOT NULL DEFAULT 0, zone TEXT) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customers,
    address TEXT NOT NULL REFERENCES addresses, stop_id TEXT NOT NULL UNIQUE,
    lat_deg REAL NOT NULL, lon_deg REAL NOT NULL, radius_m REAL NOT NULL,
    signature_required INTEGER NOT NULL, confidential INTEGER NOT NULL, gift INTEGER NOT NULL,
    opted_out INTEGER NOT NULL, done INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS codes (
    number TEXT NOT NULL REFERENCES orders ON DELETE CASCADE, code TEXT NOT NULL,
    PRIMARY KEY (number, code)) STRICT;

CREATE TABLE IF NOT EXISTS routes (
    route TEXT PRIMARY KEY, begins TEXT NOT NULL, ends TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS route_orders (
    route TEXT NOT NULL REFERENCES routes ON DELETE CASCADE,
    number TEXT NOT NULL REFERENCES orders ON DELETE CASCADE, place INTEGER NOT NULL,
    PRIMARY KEY (route, number)) STRICT;
CREATE TABLE IF NOT EXISTS route_devices (
    route TEXT NOT NULL REFERENCES routes ON DELETE CASCADE, device_id TEXT NOT NULL,
    PRIMARY KEY (route, device_id)) STRICT;
CREATE TABLE IF NOT EXISTS assignments (
    device_id TEXT PRIMARY KEY, route TEXT UNIQUE REFERENCES routes ON DELETE SET NULL,
    begins TEXT NOT NULL, ends TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS manifests (
    device_id TEXT PRIMARY KEY, version INTEGER NOT NULL, content TEXT, token TEXT) STRICT;

CREATE TABLE IF NOT EXISTS captures (
    capture_id TEXT PRIMARY KEY, device_id TEXT NOT NULL, kind TEXT NOT NULL,
    boot_id TEXT NOT NULL, monotonic_ns INTEGER NOT NULL, utc TEXT NOT NULL, clock TEXT NOT NULL,
    received_at TEXT NOT NULL, about TEXT, retake_of TEXT, bound_by TEXT,
    number TEXT REFERENCES orders, distance_m REAL, accuracy_m REAL, reason TEXT, verdict TEXT,
    simulated INTEGER NOT NULL, taken_back_at TEXT, erased_at TEXT, erased_why TEXT,
    kid TEXT) STRICT;
CREATE INDEX IF NOT EXISTS captures_by_order ON captures (number);
CREATE INDEX IF NOT EXISTS captures_about ON captures (about) WHERE about IS NOT NULL;
CREATE INDEX IF NOT EXISTS captures_retaken ON captures (retake_of) WHERE retake_of IS NOT NULL;
CREATE TABLE IF NOT EXISTS times (
    device_id TEXT NOT NULL, boot_id TEXT NOT NULL, monotonic_ns INTEGER NOT NULL,
    utc TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (device_id, boot_id)) STRICT;

CREATE TABLE IF NOT EXISTS revoked_keys (
    kid TEXT NOT NULL, device_id TEXT NOT NULL, since TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (kid, device_id)) STRICT;

CREATE TABLE IF NOT EXISTS holds (
    number TEXT PRIMARY KEY REFERENCES orders, case_number TEXT NOT NULL,
    since TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS one_time_codes (
    number TEXT PRIMARY KEY REFERENCES orders, code TEXT NOT NULL, ends TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS grants (
    agent TEXT NOT NULL, number TEXT NOT NULL REFERENCES orders, why TEXT NOT NULL,
    ends TEXT NOT NULL, PRIMARY KEY (agent, number)) STRICT;

CREATE TABLE IF NOT EXISTS views (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, viewer TEXT NOT NULL, number TEXT,
    capture_id TEXT NOT NULL, why TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS view_horizon (before TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS views_are_not_amended BEFORE UPDATE ON views
    BEGIN SELECT RAISE(ABORT, 'the view log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS views_are_not_removed BEFORE DELETE ON views
    WHEN OLD.at >= coalesce((SELECT max(before) FROM view_horizon), '')
    BEGIN SELECT RAISE(ABORT, 'the view log is append-only until its time is over'); END;
"""
"""A view can be removed only from before `view_horizon`, which retention moves (keeping.py)."""


def open_ledger(folder: Path) -> Connection:
    """Open or make `orders.db` in `folder`; each committed step survives a power cut.

    Several processes may have it open: the server, and a command beside it.
    One of 2026.11.1 did not know who told a boot's time: any better source may tell it anew. Nor
    did it keep which key signed a record: a device had one. Its addresses had no zone.
    """
    ledger = sqlite3.connect(folder / "orders.db", isolation_level=None)
    ledger.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        ledger.execute(f"PRAGMA {pragma}").fetchall()
    ledger.executescript(f"BEGIN; {SCHEMA} COMMIT;")
    with together(ledger):
        if "source" not in _columns(ledger, "times"):
            ledger.execute("ALTER TABLE times ADD COLUMN source TEXT NOT NULL DEFAULT 'rtc'")
        if "kid" not in _columns(ledger, "captures"):
            ledger.execute("ALTER TABLE captures ADD COLUMN kid TEXT")
        if "zone" not in _columns(ledger, "addresses"):
            ledger.execute("ALTER TABLE addresses ADD COLUMN zone TEXT")
    return ledger


def _columns(ledger: Connection, table: str) -> set[str]:
    return {row["name"] for row in ledger.execute(f"PRAGMA table_info({table})")}


@contextmanager
def together(ledger: Connection) -> Iterator[None]:
    """All steps inside happen, or none; inside another one it is part of that."""
    if ledger.in_transaction:
        yield
        return
    ledger.execute("BEGIN IMMEDIATE")
    with ledger:  # commits, or rolls back on an error
        yield
