"""The queue is input: whatever another process writes counts as broken or changes nothing."""

import os
import sqlite3  # noqa: TID251 - it writes what the product would not
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.errors import QueueBroken, StateHeld, StorageFault
from agent.queue import disk
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from tests.support.benchtop import bench
from tests.support.outsider import sparse
from tests.unit.agent.queue.card import Card, pressed

UNBELIEVABLE: list[tuple[str, Any]] = [
    ("number", -5),
    ("number", 2**62),
    ("capture_id", "../../keys/capture/device"),
    ("capture_id", ""),
    ("chain", ""),
    ("chain", "x" * 1000),
    ("seq", 0),
    ("seq", 2**62),
    ("label_sha256", "no digest"),
    ("boot_id", ""),
    ("kind", "x" * 1000),
    ("about", "nothing"),
    ("utc", ""),
    ("clock", "x" * 1000),
    ("bytes", -1),
    ("bytes", 2**62),
    ("sha256", "0" * 63),
    ("state", "UPLOADED"),
    ("adopted", 7),
    ("attempts", -1),
    ("attempts", 2**63 - 1),
    ("suspected", 2**63 - 1),
    ("dead_ends", -1),
    ("sent_whole", 2**63 - 1),
    ("due_boot_id", ""),
    ("due_s", float("inf")),
    ("due_s", float("-inf")),
    ("due_s", -1.0),
    ("upload_url", "https://" + "x" * 20_000),
    ("answer", "x" * 100_000),
    ("decision", "x" * 100_000),
    ("decided_utc", "x" * 1000),
]
"""At least one value for each column."""


def write(database: Path, *statements: str, values: tuple[Any, ...] = ()) -> None:
    """As another process that may write the queue."""
    with closing(sqlite3.connect(database, isolation_level=None)) as sql:
        for statement in statements:
            sql.execute(statement, values)


@pytest.mark.parametrize(("column", "value"), UNBELIEVABLE)
def test_a_value_that_no_device_writes_is_a_broken_queue(
    card: Card, column: str, value: object
) -> None:
    """A process that meets the value marks the queue as broken, and does not crash."""
    card.queued()
    item = card.queued()
    statement = f"UPDATE captures SET {column} = ? WHERE number = {item.label.seq}"
    write(card.layout.database, statement, values=(value,))

    with pytest.raises(QueueBroken):
        card.outbox.states()
    assert card.layout.rebuild_mark.exists()
    with pytest.raises(QueueBroken):
        card.outbox.items(None, -10, 10)


def test_every_column_has_a_value_that_is_not_believed(card: Card) -> None:
    card.queued()
    with closing(sqlite3.connect(card.layout.database)) as sql:
        columns = {row[1] for row in sql.execute("PRAGMA table_info(captures)")}

    assert {column for column, _ in UNBELIEVABLE} == columns


STRANGE = [
    "CREATE TRIGGER t BEFORE INSERT ON captures BEGIN SELECT RAISE(ABORT, 'no'); END",
    "CREATE TRIGGER t AFTER INSERT ON captures BEGIN DELETE FROM captures; END",
    "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT i FROM n",
    "CREATE TABLE more (x)",
    "CREATE UNIQUE INDEX one_state ON captures (kind)",
    "DROP INDEX captures_suspect",
    "DROP TRIGGER captures_insert",
    "DROP TABLE tally",
    "ALTER TABLE captures ADD COLUMN more TEXT",
    "DELETE FROM _sqlite_migrations",
    "UPDATE _sqlite_migrations SET name = 'm999'",
    "UPDATE tally SET rows = 9223372036854775807 WHERE state = 'PENDING'",
    "UPDATE tally SET rows = -1 WHERE state = 'PENDING'",
    "DELETE FROM tally",
]


@pytest.mark.parametrize("statement", STRANGE[:9])
def test_a_schema_that_changes_while_open_is_noticed(tmp_path: Path, statement: str) -> None:
    """Within the transaction, so that nobody can change it between the look and the use."""
    with bench(tmp_path) as device:
        device.press()
        write(device.layout.database, statement)
        reply = device.press()

        assert reply["label"]["seq"] == 3
        assert [row.seq for row in device.rows()] == [1, 2, 3]


def test_a_view_without_end_in_a_tables_place_ends_no_start(tmp_path: Path) -> None:
    layout = pressed(tmp_path)
    write(
        layout.database,
        "DROP TABLE _sqlite_migrations",
        "CREATE VIEW _sqlite_migrations AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
        " SELECT 1 FROM n) SELECT i AS id, 'doorstep' AS migration_set, 'x' AS name FROM n",
    )
    began_s = time.monotonic()

    with bench(tmp_path) as device:
        assert device.press()["label"]["seq"] == 3
    assert time.monotonic() - began_s < 10


def put(offset: int, content: bytes) -> Callable[[Path], None]:
    def spoil(database: Path) -> None:
        with database.open("r+b") as file:
            file.seek(offset)
            file.write(content)

    return spoil


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def spoil(database: Path) -> None:
        database.unlink()
        make(database)

    return spoil


FILES: dict[str, Callable[[Path], object]] = {
    "a file format of the future": put(44, b"\0\0\0\x09"),
    "a write version of the future": put(18, b"\x09"),
    "a read version of the future": put(19, b"\x09"),
    "no log": put(18, b"\x01\x01"),
    "a folder": replace_by(lambda path: path.mkdir()),
    "a pipe": replace_by(os.mkfifo),
    "a link to nowhere": replace_by(lambda path: path.symlink_to("/nowhere")),
    "a link to a record": replace_by(
        lambda path: path.symlink_to(next(path.parents[1].glob("records/*.rec")))
    ),
    "a second name of another file": replace_by(
        lambda path: os.link(path.parents[1] / "ballast", path)
    ),
    "a terabyte": sparse,
    "a pipe for the log": lambda path: os.mkfifo(f"{path}-wal"),
    "a link for the index": lambda path: Path(f"{path}-shm").symlink_to("/nowhere"),
    "a terabyte of log": lambda path: sparse(Path(f"{path}-wal")),
    "a file of somebody's": lambda path: (path.parent / "notes").touch(),
    "a folder of somebody's": lambda path: (path.parent / "deep" / "er").mkdir(parents=True),
    "a link for the mark": lambda path: (path.parent / "rebuild").symlink_to("/nowhere"),
}


def put_statement(statement: str) -> Callable[[Path], None]:
    return lambda path: write(path, statement)


IMPOSSIBLE = f"UPDATE captures SET seq = {2**62} WHERE seq = 2"
SPOILT = {one: put_statement(one) for one in (*STRANGE, IMPOSSIBLE)} | FILES


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_queue_that_no_device_wrote_is_made_again_at_a_start(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    layout = pressed(tmp_path)
    ballast = layout.ballast.stat().st_size
    spoil(layout.database)

    with bench(tmp_path) as device:
        assert [row.seq for row in device.rows()] == [1, 2]
        assert device.press()["label"]["seq"] == 3
    assert layout.ballast.stat().st_size == ballast
    assert sorted(path.name for path in layout.queue.iterdir()) == ["doorstep.db"]
    assert layout.quarantined() == []


# A journal that names another file


def lay_journal(layout: Layout, victim: Path) -> None:
    """Beside the database; SQLite plays it back and deletes the file that it names.

    Source: sqlite.org/fileformat2.html, section 3; the super-journal's name ends the file.
    """
    magic, name = bytes.fromhex("d9d505f920a163d7"), str(victim).encode()
    pages = layout.database.stat().st_size // 4096
    head = magic + struct.pack(">IIIII", 0, 1, pages, 512, 4096)
    tail = struct.pack(">I", 2**30 // 4096 + 1) + name
    tail += struct.pack(">II", len(name), sum(name)) + magic
    journal = layout.database.with_name("doorstep.db-journal")
    journal.write_bytes(head.ljust(512, b"\0") + tail)


def test_plain_sqlite_deletes_what_a_journal_names(card: Card) -> None:
    """Otherwise the tests below would prove nothing."""
    record = card.layout.record(card.queued().label.capture_id)
    card.close()
    lay_journal(card.layout, record)
    with closing(sqlite3.connect(card.layout.database)) as sql:
        sql.execute("SELECT count(*) FROM captures").fetchone()

    assert not record.exists()


@pytest.mark.parametrize("migrates", [True, False])
def test_a_journal_deletes_no_record(card: Card, migrates: bool) -> None:
    record = card.layout.record(card.queued().label.capture_id)
    card.close()
    lay_journal(card.layout, record)

    with (
        closing(Database(card.layout, migrates=migrates)) as database,
        pytest.raises(QueueBroken, match="a journal beside it"),
        database.look(),
    ):
        pass
    assert record.exists()


@pytest.mark.parametrize("migrates", [True, False])
def test_a_journal_that_comes_between_the_look_and_the_opening_deletes_no_record(
    card: Card, migrates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that may write there can win that race; the opening itself can delete nothing."""
    record = card.layout.record(card.queued().label.capture_id)
    card.close()
    monkeypatch.setattr("agent.queue.opening.check_files", lambda _: None)
    lay_journal(card.layout, record)

    with closing(Database(card.layout, migrates=migrates)) as database:
        with pytest.raises(StorageFault), database.look():
            pass
        assert record.exists()


# Locks


@pytest.fixture
def held(card: Card) -> Iterator[sqlite3.Connection]:
    card.queued()
    with closing(sqlite3.connect(card.layout.database, isolation_level=None)) as holding:
        holding.execute("BEGIN IMMEDIATE")
        yield holding


@pytest.mark.slow
def test_a_write_without_end_is_waited_for_once(card: Card, held: sqlite3.Connection) -> None:
    """The first wait is long, for a slow card; the next ones are short until it is free."""
    made = card.made()
    waits_s = []
    for _ in range(3):
        began_s = time.monotonic()
        with pytest.raises(StateHeld, match=r"held by another process for more than .* s: sync"):
            card.outbox.mark_missing([made.label.capture_id])
        waits_s.append(time.monotonic() - began_s)
    held.execute("ROLLBACK")
    card.outbox.reset_schedule(0.0)

    assert 9 < waits_s[0] < 12
    assert max(waits_s[1:]) < 2


@pytest.mark.slow
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_state_lock_that_is_never_let_go_ends_a_wait(card: Card, exclusive: bool) -> None:
    with (
        disk.lock(card.layout.state_lock, exclusive=not exclusive, wait=False),
        pytest.raises(StateHeld, match=r"state\.lock: held by another process"),
        disk.lock(card.layout.state_lock, exclusive=exclusive, wait=True, patience_s=0.2),
    ):
        pass


def test_lock_through_a_link_does_not_count(card: Card) -> None:
    card.layout.sync_lock.unlink()
    card.layout.sync_lock.symlink_to(card.layout.capture_lock)

    with (
        pytest.raises(OSError, match="cannot be opened"),
        disk.lock(card.layout.sync_lock, exclusive=True, wait=False),
    ):
        pass


def test_half_a_ledger_is_a_queue_still_to_be_made(layout: Layout) -> None:
    """The power went between the ledger and the first table."""
    with closing(sqlite3.connect(layout.database)) as sql:
        sql.execute("PRAGMA journal_mode = WAL")
        from sqlite_utils import Database as Tables  # noqa: PLC0415, TID251 - what makes it
        from sqlite_utils import Migrations  # noqa: PLC0415, TID251 - as above

        Migrations("doorstep").apply(Tables(sql))

    with closing(Database(layout, migrates=True)) as database:
        assert Outbox(database, "boot-1").states() == {}
