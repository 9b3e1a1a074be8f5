"""The migrations keep the meaning of rows that earlier versions filed."""

from pathlib import Path
from typing import Final

from doorstep_backend.engines.opening import open_database
from doorstep_backend.engines.sql import Database, Schema
from doorstep_backend.office.ledger import OFFICE, open_ledger

BEFORE_CORRECTIONS: Final = 9
"""Migrations of the version that knew no corrections and no outcomes."""


def earlier(folder: Path) -> Database:
    """Return the tables of that version, with an order on which each photo is."""
    ledger = open_database(folder, "orders")
    ledger.migrate(Schema(OFFICE.name, OFFICE.migrations[:BEFORE_CORRECTIONS]))
    ledger.execute("INSERT INTO customers VALUES ('c-1', 'One')")
    ledger.execute("INSERT INTO addresses VALUES ('a-1', 'c-1', '1 Example Street', FALSE, NULL)")
    return ledger


def add_order(ledger: Database, number: str, *, done: bool) -> None:
    row = (number, "c-1", "a-1", f"s-{number}", 0.0, 0.0, 20.0, *[False] * 4, done)
    ledger.execute(f"INSERT INTO orders VALUES ({', '.join('?' * 12)})", row)


def add_photo(ledger: Database, capture_id: str, number: str | None, **columns: object) -> None:
    row = {
        "capture_id": capture_id,
        "device_id": "van-7",
        "kind": "photo",
        "boot_id": "b",
        "monotonic_ns": 0,
        "utc": "2026-12-01T09:15:02.000Z",
        "clock": "gnss",
        "received_at": "2026-12-01T11:00:00.000Z",
        "bound_by": "place",
        "number": number,
        "simulated": False,
    } | columns
    names = ", ".join(f":{name}" for name in row)
    ledger.execute(f"INSERT INTO captures ({', '.join(row)}) VALUES ({names})", row)


def test_migration_separates_orders_named_by_devices_and_by_dispatch(tmp_path: Path) -> None:
    ledger = earlier(tmp_path)
    add_order(ledger, "1001", done=False)
    for bound_by in ("place", "code", "dispatch"):
        add_photo(ledger, bound_by, "1001", bound_by=bound_by)
    add_photo(ledger, "waits", None)

    rows = open_ledger(tmp_path).execute("SELECT * FROM captures").fetchall()

    assert {row["capture_id"]: row["own_number"] for row in rows} == {
        "place": "1001",
        "code": "1001",
        "dispatch": None,
        "waits": None,
    }
    assert {(row["state"], row["version"]) for row in rows} == {("shown", 0)}


def test_an_order_that_was_done_has_its_outcome_and_its_time_if_that_is_known(
    tmp_path: Path,
) -> None:
    """A photo that counts tells the time; without one, nobody knows it any more."""
    ledger = earlier(tmp_path)
    for number in ("erased", "late", "told"):
        add_order(ledger, number, done=True)
    add_order(ledger, "open", done=False)
    add_photo(ledger, "a", "told")
    add_photo(ledger, "b", "told", taken_back_at="2026-12-01T11:00:00.000Z")
    add_photo(ledger, "c", "told", device_id="van-8", kid="k")
    ledger.execute("INSERT INTO revoked_keys VALUES ('k', 'van-8', '2026-12-01', 1)")
    add_photo(ledger, "d", "late", clock="unsynced")
    add_photo(ledger, "e", "open", taken_back_at="2026-12-01T11:00:00.000Z")
    add_photo(ledger, "f", None, erased_at="2026-12-02T11:00:00.000Z")

    rows = open_ledger(tmp_path).execute("SELECT * FROM outcomes ORDER BY number")

    assert [tuple(row) for row in rows] == [
        ("erased", "", "photo", ""),
        ("late", "d", "photo", "2026-12-01T11:00:00.000Z"),
        ("told", "a", "photo", "2026-12-01T09:15:02.000Z"),
    ]
