"""A queue that breaks is set aside and made again from the records, and pressing goes on."""

import os
import sqlite3  # noqa: TID251 - it breaks what the product opens
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.command import doctor
from agent.errors import NotNow, QueueBroken
from agent.models import RecordState
from agent.queue import database, queue_repair, recovery
from agent.queue.paths import Layout
from tests.support.benchtop import Bench, bench
from tests.support.factory import MOMENT
from tests.support.filled import fill, nest
from tests.unit.agent.queue.card import pressed


def overwrite(database: Path) -> None:
    """As a card does that gives other bytes back; what the log holds would hide it."""
    empty_log(database)
    with database.open("r+b") as file:
        file.write(b"no database" * 800)


def empty_log(database: Path) -> None:
    with closing(sqlite3.connect(database)) as sql:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def take_away(database: Path) -> None:
    for path in database.parent.glob("doorstep.db*"):
        path.unlink()


def break_inside(database: Path) -> None:
    """The first page is whole, the others are not."""
    empty_log(database)
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (database.stat().st_size - 4096))


def drop_tables(database: Path) -> None:
    """A whole database, but not the queue's."""
    with closing(sqlite3.connect(database)) as sql:
        sql.execute("DROP TABLE captures")


def cut_short(database: Path) -> None:
    empty_log(database)
    os.truncate(database, 6000)


BROKEN = [overwrite, take_away, break_inside, cut_short]


def quarantined(device: Bench) -> list[str]:
    return [path.name for path in device.layout.quarantined()]


@pytest.mark.parametrize("spoil", [*BROKEN, drop_tables])
def test_a_start_on_a_broken_queue_makes_it_again(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Every record is queued, the chain goes on, and the backend is asked first what it has."""
    with bench(tmp_path) as device:
        labels = [device.press()["label"] for _ in range(3)]
        item = device.rows()[1]
        device.outbox.mark_delivered(item, "a receipt", MOMENT)
    spoil(device.layout.database)

    with bench(tmp_path) as device:
        rows = device.rows()
        after = device.press()["label"]

    assert [row.seq for row in rows] == [1, 2, 3, 4]
    assert all(row.adopted and row.state is RecordState.PENDING for row in rows)
    assert (after["chain"], after["seq"]) == (labels[0]["chain"], 5)


def obstruct(layout: Layout) -> None:
    """Something in records/ that neither verifies nor can be moved: its sweep is no clean one."""
    layout.torn.rmdir()
    layout.torn.touch()
    layout.record("garbage").write_bytes(b"no record")


def test_a_broken_queue_is_kept_whole_until_all_is_queued_again(tmp_path: Path) -> None:
    """A rename of its folder; its content is nobody's any more after a sweep without a fault."""
    layout = pressed(tmp_path)
    overwrite(layout.database)
    obstruct(layout)
    before = layout.database.read_bytes()

    with bench(tmp_path) as device:
        device.press()
        assert quarantined(device) == ["queue.aside-1"]
        aside = device.layout.aside(1)
        assert (aside / "doorstep.db").read_bytes() == before
        assert stat.S_IMODE(aside.stat().st_mode) == 0o700
        device.layout.torn.unlink()
        device.layout.torn.mkdir()
        device.tick(queue_repair.SWEEP_EVERY_S + 1)

        assert quarantined(device) == []
        assert [path.name for path in device.layout.torn.iterdir()] == ["garbage.rec"]


def test_names_without_end_in_the_queue_stop_no_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Deleted between presses, a little each second; a call per level ended each start."""
    with bench(tmp_path) as device:
        first = device.press()["label"]["seq"]
        nest(device.layout.queue / "deep", 1_100)
        fill(device.layout.queue / "many", 20_000)

    with bench(tmp_path) as device:
        assert quarantined(device) == ["queue.aside-1"]
        assert device.press()["label"]["seq"] == first + 1
        while quarantined(device):
            device.tick()

        assert device.press()["label"]["seq"] == first + 2
    assert "event=aside_kept" not in caplog.text


def test_sweep_without_time_for_all_continues_within_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "STRANGE_S", 1e-9)
    layout = pressed(tmp_path, times=0)
    for number in range(3):
        layout.record(f"{number}").touch()

    with bench(tmp_path) as device:
        for _ in range(2):
            assert device.press()
            device.tick(queue_repair.REPAIR_EVERY_S + 1)

        assert len(list(device.layout.torn.iterdir())) == 3


def test_stuck_file_is_reported_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    obstruct(pressed(tmp_path, times=0))
    for _ in range(2):
        with bench(tmp_path) as device:
            device.press()
            device.tick(queue_repair.SWEEP_EVERY_S + 1)

    assert caplog.text.count("event=stuck file=garbage.rec") == 1
    assert [row.seq for row in device.rows()] == [1, 2, 3]
    assert "1 files" in "".join(one.words for one in doctor.examine(tmp_path / "config.toml"))


@pytest.mark.parametrize("spoil", BROKEN)
def test_a_queue_that_breaks_between_two_presses_is_made_again(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """A process that notices it leaves a mark, which capture sees within its next turn."""
    with bench(tmp_path) as device:
        device.press()
        spoil(device.layout.database)
        with pytest.raises((QueueBroken, NotNow)):
            device.outbox.counts()
        device.tick()
        device.tick()
        rows = device.rows()
        reply = device.press()
        numbers = [row.seq for row in device.rows()]

    assert len(rows) == 2
    assert reply["label"]["seq"] == 3
    assert numbers == [1, 2, 3]


def test_a_press_that_finds_the_queue_gone_is_green(tmp_path: Path) -> None:
    """Its record is adopted with the others; the driver waits a little longer, and walks on."""
    with bench(tmp_path) as device:
        first = device.press()
        take_away(device.layout.database)
        second = device.press()
        rows = {row.capture_id: row for row in device.rows()}

    assert second["label"]["seq"] == first["label"]["seq"] + 1
    assert second["label"]["capture_id"] in rows
    assert first["label"]["capture_id"] in rows


@pytest.mark.parametrize("quarantined", [0, queue_repair.ENOUGH])
def test_a_queue_that_breaks_again_at_once_waits_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quarantined: int
) -> None:
    """Otherwise a dying card would be filled with them; also after the clock was set back."""
    set_back = SimpleNamespace(time=lambda: 0.0, monotonic=time.monotonic)
    monkeypatch.setattr(queue_repair, "time", set_back)
    with bench(tmp_path) as device:
        take_away(device.layout.database)
        device.press()
        for number in range(quarantined):
            device.layout.aside(100 + number).mkdir()
        overwrite(device.layout.database)
        with pytest.raises(QueueBroken):
            device.outbox.counts()
        reply = device.press()
        is_broken_still = device.layout.rebuild_mark.exists()
        device.tick(queue_repair.REPAIR_EVERY_S + 1)
        rows = device.rows()

    assert "kept, but not yet queued" in reply["error"]
    assert is_broken_still
    assert [row.seq for row in rows] == [1, 2, 3]


def test_a_receipt_that_comes_after_a_rebuild_goes_to_its_own_record(tmp_path: Path) -> None:
    """Rows get new numbers, and sync may hold an item of the queue before."""
    with bench(tmp_path) as device:
        for _ in range(6):
            device.press()
        gone, held, *_ = device.rows("photo")
        device.outbox.mark_delivered(gone, "a receipt", MOMENT)
        device.layout.record(gone.capture_id).unlink()
        device.outbox.mark_pruned([gone.capture_id])
        take_away(device.layout.database)
        device.press()

        device.outbox.mark_delivered(held, "its receipt", MOMENT)
        delivered = [row for row in device.rows() if row.state is RecordState.DELIVERED]

    assert [(row.capture_id, row.decision) for row in delivered] == [
        (held.capture_id, "its receipt")
    ]


def test_records_of_an_earlier_key_are_adopted_too(tmp_path: Path) -> None:
    """They are this device's own, and wait for the backend like the others."""
    with bench(tmp_path) as device:
        before = device.press()["label"]
        (device.layout.capture_keys / "device.pem").unlink()
    with bench(tmp_path) as device:
        device.press()
    take_away(device.layout.database)
    with bench(tmp_path) as device:
        rows = {row.capture_id: row for row in device.rows()}
        after = device.press()["label"]

    assert rows[before["capture_id"]].state is RecordState.PENDING
    assert (after["seq"], len(rows)) == (3, 4)
    assert after["chain"] != before["chain"]


def test_broken_queue_is_repaired_also_when_space_is_short(tmp_path: Path) -> None:
    with bench(tmp_path, state={"reserve_mb": 1_000_000}) as device:
        device.press()
        take_away(device.layout.database)
        for _ in range(3):
            device.tick()

        assert [row.seq for row in device.rows()] == [1, 2]


@pytest.mark.skipif("SHIFT_S" in os.environ, reason="the times of files are not shifted")
def test_queues_that_break_at_every_start_are_not_set_aside_without_end(tmp_path: Path) -> None:
    """After so many a restart within a minute goes on without the queue: records are kept, red."""
    layout = pressed(tmp_path, times=0)
    obstruct(layout)
    for _ in range(queue_repair.ENOUGH):
        overwrite(layout.database)
        pressed(tmp_path)
    overwrite(layout.database)

    with bench(tmp_path) as device:
        reply = device.press()
    assert "kept, but not yet queued" in reply["error"]
    assert quarantined(device) == [
        f"queue.aside-{number + 1}" for number in range(queue_repair.ENOUGH)
    ]
    assert len(list(device.layout.records.glob("*-*.rec"))) == queue_repair.ENOUGH + 2


def test_queues_that_are_being_deleted_do_not_delay_a_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each turn of the deletion changes their times, for minutes if they have millions of names."""
    monkeypatch.setattr(queue_repair, "CLEAN_STEP_S", 0)  # stays under way
    layout = pressed(tmp_path, times=0)
    for number in range(queue_repair.ENOUGH):
        layout.aside(number).mkdir()

    with bench(tmp_path) as device:
        take_away(device.layout.database)
        reply = device.press()

        assert "error" not in reply
        assert len(quarantined(device)) == queue_repair.ENOUGH + 1


def test_a_log_beside_an_empty_database_is_set_aside_with_it(tmp_path: Path) -> None:
    """tmpfiles.d makes an empty one at boot; SQLite would delete the log."""
    with bench(tmp_path) as device:
        device.press()
        log = device.layout.database.with_name("doorstep.db-wal").read_bytes()
        obstruct(device.layout)
    take_away(device.layout.database)
    device.layout.database.touch()
    device.layout.database.with_name("doorstep.db-wal").write_bytes(log)

    with bench(tmp_path) as device:
        numbers = [row.seq for row in device.rows()]

    assert numbers == [1, 2]
    assert (device.layout.aside(1) / "doorstep.db-wal").read_bytes() == log


def test_rows_that_somebody_deleted_come_back_within_the_hour(tmp_path: Path) -> None:
    with bench(tmp_path) as device:
        for _ in range(2):
            device.press()
        with closing(sqlite3.connect(device.layout.database)) as sql:
            sql.execute("DELETE FROM captures")
            sql.commit()
        device.tick()
        before = device.rows()
        device.tick(queue_repair.SWEEP_EVERY_S + 1)

        assert before == []
        assert [row.seq for row in device.rows()] == [1, 2, 3]


def test_a_queue_that_is_held_stops_no_start_and_no_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red, and a line in the log; what was pressed meanwhile is queued when it lets go."""
    layout = pressed(tmp_path)
    monkeypatch.setattr(database, "LOCK_PATIENCE_S", 0.1)
    monkeypatch.setattr(database, "_IMPATIENCE_S", 0.1)
    holding = sqlite3.connect(layout.database, isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    with closing(holding), bench(tmp_path) as device:
        replies = [device.press() for _ in range(2)]
        holding.execute("ROLLBACK")
        device.tick()
        rows = device.rows()

    assert all("kept, but not yet queued" in reply["error"] for reply in replies)
    assert "held by another process" in replies[0]["error"]
    assert [row.seq for row in rows] == [1, 2, 3, 4]
