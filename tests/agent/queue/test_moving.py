"""What an earlier release left comes to its new place, whole, at whatever point it is cut."""

import sqlite3  # noqa: TID251 - a second reader that shares no code with the door
import stat
from contextlib import closing
from pathlib import Path

import pytest

from agent.capture.inherited import inherit
from agent.models import State
from agent.queue.disk import lock
from agent.queue.moving import STAGE, move_in
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.trust.store import TrustStore
from tests.agent.queue.test_migrations import RELEASES, upgrade
from tests.support.benchtop import bench
from tests.support.factory import queue

BEFORE = [release for release in RELEASES if release.stem < "2026.11.3"]
"""Releases that had all of it in one folder; from then on there is nothing to move."""


@pytest.fixture(params=BEFORE, ids=lambda release: release.stem)
def left(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    """A state folder of a release, and beside it what tmpfiles.d makes at the boot after."""
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()
    release: Path = request.param
    with closing(sqlite3.connect(layout.state / "doorstep.db")) as sql:
        sql.execute("PRAGMA journal_mode = WAL")
        sql.executescript(release.read_text())
        sql.commit()
        for part in ("doorstep.db", "doorstep.db-wal"):
            (layout.state / f"copy-{part}").write_bytes((layout.state / part).read_bytes())
    for part in ("doorstep.db", "doorstep.db-wal"):  # as of a process that died with it open
        (layout.state / f"copy-{part}").rename(layout.state / part)
    (layout.keys / "device.pem").write_bytes(b"key")
    (layout.keys / "x.pub.pem").write_bytes(b"public")
    return layout


@pytest.fixture
def version(left: Layout, request: pytest.FixtureRequest) -> int | None:
    """Of the manifest that it had; the first release knew of none."""
    release: Path = request.node.callspec.params["left"]
    assert left.state.exists()
    return 3 if "manifest_version" in release.read_text() else None


def move(layout: Layout) -> TrustStore:
    trust = TrustStore(layout)
    move_in(layout, lambda facts: inherit(trust, facts))
    return trust


def facts(layout: Layout) -> list[tuple[str]]:
    with closing(sqlite3.connect(layout.database)) as sql:
        return sql.execute("SELECT name FROM facts").fetchall()


def check(layout: Layout) -> None:
    """All rows and keys are where they belong, the facts are in trust/ and nowhere else."""
    database = upgrade(layout)
    states = list(Outbox(database, "boot-1").states().values())
    database.close()
    assert len(states) == 10
    assert states.count(State.PENDING) == 6
    assert facts(layout) == []
    assert b"manifest.of.today" not in b"".join(
        path.read_bytes() for path in layout.state.rglob("*") if path.is_file()
    )
    assert (layout.capture_keys / "device.pem").read_bytes() == b"key"
    assert (layout.capture_keys / "x.pub.pem").read_bytes() == b"public"
    assert sorted(path.name for path in layout.state.iterdir()) == [
        "ballast",
        "capture.lock",
        "keys",
        "queue",
        "records",
        "state.lock",
        "sync.lock",
        "torn",
        "trust",
    ]
    assert stat.S_IMODE(layout.queue.stat().st_mode) == 0o2770


def test_database_keys_and_facts_come_to_their_places(left: Layout, version: int | None) -> None:
    trust = move(left)

    check(left)
    known = trust.time()
    assert known.floor is not None
    assert known.floor.isoformat() == "2026-12-01T09:15:02+00:00"
    assert trust.manifest_version() == version
    assert trust.manifest() is None


def test_a_second_start_moves_nothing_more(left: Layout) -> None:
    move(left)
    before = left.database.stat().st_ino
    move(left)

    assert left.database.stat().st_ino == before
    check(left)


@pytest.mark.parametrize("at", ["before the database", "before the rename", "without queue/"])
def test_a_start_that_was_cut_is_gone_on_with(left: Layout, version: int | None, at: str) -> None:
    """Between any two renames; tests/powercut cuts at every write."""
    stage = left.state / STAGE
    stage.mkdir()
    (left.state / "doorstep.db-wal").rename(stage / "doorstep.db-wal")
    if at != "before the database":
        (left.state / "doorstep.db").rename(stage / "doorstep.db")
    if at == "without queue/":
        left.database.unlink()
        left.queue.rmdir()
    stage.chmod(0o2770)
    left.make()

    trust = move(left)

    check(left)
    assert trust.manifest_version() == version


def test_facts_that_come_later_are_not_taken(left: Layout, version: int | None) -> None:
    """Only capture writes trust/: nobody lowers its floor or its version by way of the queue."""
    trust = move(left)
    upgrade(left).close()
    with closing(sqlite3.connect(left.database)) as sql:
        sql.execute("INSERT INTO facts VALUES ('manifest_version', '999')")
        sql.commit()
    move(left)

    assert trust.manifest_version() == version


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("time_floor", "9999-12-31T23:59:59.000Z"),
        ("time_floor", "yesterday"),
        ("time_floor", "2026-12-01T09:15:02"),
        ("manifest_version", "9" * 30),
        ("manifest_version", "three"),
        ("manifest_version", "-1"),
    ],
)
def test_facts_that_nobody_can_have_kept_are_dropped(tmp_path: Path, name: str, text: str) -> None:
    """Sync could write them."""
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()
    trust = TrustStore(layout)
    inherit(trust, {name: text})

    assert trust.time().floor is None
    assert trust.manifest_version() is None


def test_what_is_known_already_is_not_lowered(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()
    trust = TrustStore(layout)
    inherit(trust, {"time_floor": "2026-12-02T00:00:00.000Z", "manifest_version": "5"})
    inherit(trust, {"time_floor": "2026-12-01T00:00:00.000Z", "manifest_version": "4"})

    assert str(trust.time().floor).startswith("2026-12-02")
    assert trust.manifest_version() == 5


def test_records_that_sync_could_write_are_closed_to_it(left: Layout) -> None:
    record = left.record("a")
    record.touch(0o660)
    record.chmod(0o660)
    move(left)

    assert stat.S_IMODE(record.stat().st_mode) == 0o644


def test_a_broken_queue_is_moved_too_and_made_again(tmp_path: Path) -> None:
    with bench(tmp_path) as device:
        device.press()
        layout = device.layout
    layout.database.rename(layout.state / "doorstep.db")
    (layout.state / "doorstep.db").write_bytes(b"no database" * 800)
    (layout.state / "doorstep.db.aside-1").write_bytes(b"an earlier one")
    layout.queue.rmdir()

    with bench(tmp_path) as device:
        assert [row.seq for row in device.rows()] == [1, 2]
        assert device.press()["label"]["seq"] == 3
        assert layout.asides() == []


def test_move_sets_aside_what_another_process_put_into_the_new_queue(left: Layout) -> None:
    """It ended each start: the folder cannot be removed, nor the part that is a folder."""
    left.queue.mkdir(exist_ok=True)
    (left.queue / "doorstep.db-wal").mkdir()
    (left.queue / "strange").touch()

    move(left)

    (aside,) = left.asides()
    assert {"doorstep.db-wal", "strange"} <= {path.name for path in aside.iterdir()}
    aside.rename(left.state.parent / "aside")
    check(left)


def test_a_key_does_not_take_the_place_of_another(left: Layout) -> None:
    (left.capture_keys / "device.pem").write_bytes(b"today's key")
    move(left)

    assert (left.capture_keys / "device.pem").read_bytes() == b"today's key"
    assert (left.keys / "device.pem").read_bytes() == b"key"


def test_without_anything_old_nothing_is_touched(tmp_path: Path) -> None:
    layout, database, _ = queue(tmp_path)
    database.close()
    before = layout.database.stat()
    move(layout)

    assert layout.database.stat() == before


@pytest.mark.slow
@pytest.mark.parametrize("left", BEFORE[-1:], indirect=True)
@pytest.mark.parametrize("what", ["the state", "the database"])
def test_what_another_process_holds_is_moved_at_the_next_start(
    left: Layout, version: int | None, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends no start: presses go on with a queue of their own, and no fact is lost."""
    with closing(sqlite3.connect(left.state / "doorstep.db", isolation_level=None)) as holder:
        if what == "the state":
            with lock(left.state_lock, exclusive=False, wait=False):
                move(left)
        else:
            holder.execute("BEGIN IMMEDIATE")
            move(left)
    assert "event=not_moved" in caplog.text
    upgrade(left).close()

    trust = move(left)

    assert trust.manifest_version() == version
    assert trust.time().floor is not None
    assert [aside.name for aside in left.asides()] == ["queue.aside-1"]
