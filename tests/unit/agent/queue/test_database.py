"""The SQL door: several processes and users, a database set aside, a disk that is full or gone."""

import multiprocessing
import os
import sqlite3  # noqa: TID251 - a second reader that shares no code with the product
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlite_utils  # noqa: F401, TID251 - a child that became another user may not be able to

from agent.errors import NotNow, QueueBroken, StorageFault, StorageFull
from agent.queue.database import Database
from agent.queue.disk import lock
from agent.queue.opening import migrate
from agent.queue.paths import Layout
from tests.support.factory import fill, queue, remount, small_disk

NOBODY, DAEMON, GROUP = 65_534, 1, 60
"""Two users of every Debian system, and a group that both are put into (games)."""


@pytest.fixture
def database(layout: Layout) -> Iterator[Database]:
    opened = Database(layout, migrates=True)
    yield opened
    opened.close()


@pytest.fixture
def other(layout: Layout) -> Iterator[Database]:
    """Return the same for another process, which makes no schema."""
    opened = Database(layout)
    yield opened
    opened.close()


def note(database: Database, name: str, text: str = "x") -> None:
    with database.step() as sql:
        sql.execute("INSERT INTO facts VALUES (?, ?)", (name, text))


def notes(database: Database) -> list[str]:
    with database.look() as sql:
        return [row["name"] for row in sql.execute("SELECT name FROM facts ORDER BY name")]


def as_user(user: int, act: Callable[[], None]) -> None:
    """Run `act` in a child that is `user`, in the common group, with umask 077."""
    child = os.fork()
    if child == 0:  # never returns into pytest
        try:
            os.setgroups([GROUP])
            os.setgid(GROUP)
            os.setuid(user)
            os.umask(0o077)
            act()
        except BaseException:  # noqa: BLE001 - the parent is told by the exit code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, f"as user {user}; see stderr"


def set_aside(layout: Layout) -> Path:
    """Rebuild as another process does; return the path that the database has then."""
    return Database(layout).set_aside() / layout.database.name


def test_only_capture_makes_the_schema(database: Database, other: Database) -> None:
    """Two processes that both migrate would wait for each other."""
    with pytest.raises(NotNow, match="start `doorstep capture` first"), other.step():
        pass

    note(database, "made")
    assert notes(other) == ["made"]


def test_reader_that_opens_it_while_capture_makes_it_does_not_call_it_broken(
    tmp_path: Path,
) -> None:
    """Half a schema was taken for a broken queue, and the next real one waited a minute."""
    for number in range(10):
        layout = Layout(tmp_path / str(number), tmp_path / "run")
        layout.make()
        with ThreadPoolExecutor(1) as elsewhere:
            looking = elsewhere.submit(_looks_until_it_is_made, layout)
            time.sleep(0.001 * number)
            note(Database(layout, migrates=True), "made")

            assert looking.result() == ["made"]
            assert not layout.rebuild_mark.exists()


def _looks_until_it_is_made(layout: Layout) -> list[str]:
    while True:
        with closing(Database(layout)) as other, suppress(NotNow):
            if found := notes(other):
                return found


@pytest.mark.parametrize("migrates", [True, False])
def test_database_flushes_every_commit_into_a_write_ahead_log(
    layout: Layout, database: Database, migrates: bool
) -> None:
    """`synchronous = NORMAL` loses acknowledged rows at a power cut."""
    note(database, "made")

    with closing(Database(layout, migrates=migrates)) as other, other.look() as sql:
        assert sql.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert sql.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_queue_does_not_start_without_a_write_ahead_log() -> None:
    """SQLite stays in another mode without an error; in memory it always does."""
    connection = sqlite3.connect(":memory:", isolation_level=None)

    with pytest.raises(StorageFault, match="stayed in journal mode memory"):
        migrate(connection)
    connection.close()


def test_tables_are_strict(database: Database) -> None:
    """A number that became text would sort wrongly for ever."""
    with pytest.raises(QueueBroken, match="cannot store"), database.step() as sql:
        sql.execute("INSERT INTO facts VALUES ('a', x'00')")


def test_schema_library_is_not_loaded_if_there_is_one(layout: Layout, database: Database) -> None:
    """The library costs a quarter of a second on a small device, at every command."""
    note(database, "made")
    program = (
        "import sys; from pathlib import Path; from agent.queue.database import Database\n"
        "from agent.queue.paths import Layout\n"
        "with Database(Layout(Path(sys.argv[1]), Path(sys.argv[1])), migrates=True).look(): pass\n"
        "print('sqlite_utils' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program, layout.state], check=True, capture_output=True, text=True
    ).stdout

    assert printed == "False\n"


def test_error_leaves_no_trace_and_the_next_step_works(database: Database) -> None:
    def fail() -> None:
        with database.step() as sql:
            sql.execute("INSERT INTO facts VALUES ('half', 'x')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    note(database, "whole")
    assert notes(database) == ["whole"]


def test_a_step_may_read_before_it_writes(layout: Layout, database: Database) -> None:
    """The step has the right to write from its start: its reading cannot have changed meanwhile."""
    note(database, "before")
    other = sqlite3.connect(layout.database, timeout=0, isolation_level=None)
    with database.step() as sql:
        sql.execute("SELECT count(*) FROM facts").fetchone()

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_look_does_not_wait_for_a_writer(database: Database, other: Database) -> None:
    """`doorstep status` answers while sync writes."""
    note(database, "before")
    with database.step() as sql:
        sql.execute("INSERT INTO facts VALUES ('during', 'x')")

        assert notes(other) == ["before"]
    assert notes(other) == ["before", "during"]


def test_a_look_sees_one_state_and_writes_nothing(database: Database, other: Database) -> None:
    note(database, "before")
    with other.look() as sql:
        count = "SELECT count(*) FROM facts"
        first = sql.execute(count).fetchone()[0]
        note(database, "meanwhile")

        assert sql.execute(count).fetchone()[0] == first == 1
    with other.look() as sql:
        sql.execute("DELETE FROM facts")
    assert notes(other) == ["before", "meanwhile"]


def test_a_step_holds_off_a_rebuild_but_no_other_step(layout: Layout, database: Database) -> None:
    note(database, "made")
    with ThreadPoolExecutor(1) as elsewhere:
        with database.look():
            rebuild = elsewhere.submit(Database(layout).set_aside)
            with pytest.raises(TimeoutError):
                rebuild.result(0.2)

            with lock(layout.state_lock, exclusive=False, wait=False):
                pass
        assert rebuild.result() == layout.aside(1)


def test_nobody_goes_on_writing_into_a_database_that_was_set_aside(layout: Layout) -> None:
    """SQLite itself writes into the renamed file without an error."""
    sync = Database(layout, migrates=True)
    note(sync, "old")
    aside = set_aside(layout)
    capture = Database(layout, migrates=True)
    note(capture, "rebuilt")

    note(sync, "new")
    assert notes(capture) == notes(sync) == ["new", "rebuilt"]
    reader = sqlite3.connect(aside)
    assert reader.execute("SELECT name FROM facts").fetchall() == [("old",)]
    for opened in (reader, sync, capture):
        opened.close()


def test_close_of_the_queue_set_aside_leaves_the_new_log_alone(layout: Layout) -> None:
    """Both have a log of the same name; the old one's end must not delete the new one's."""
    old = Database(layout, migrates=True)
    note(old, "old")
    set_aside(layout)
    new = Database(layout, migrates=True)
    note(new, "new")
    old.close()

    assert Path(f"{layout.database}-wal").stat().st_size > 0
    assert notes(new) == ["new"]
    note(new, "newer")
    reader = sqlite3.connect(layout.database)
    assert reader.execute("SELECT count(*) FROM facts").fetchone() == (2,)
    reader.close()
    new.close()


def test_a_database_that_is_gone_is_made_by_capture(layout: Layout, database: Database) -> None:
    note(database, "made")
    layout.database.unlink()

    with pytest.raises(NotNow, match="not there yet"), Database(layout).look():
        pass
    with pytest.raises(QueueBroken, match="makes the queue again"), database.look():
        pass
    assert layout.rebuild_mark.exists()


def test_a_bug_is_not_told_as_a_fault_of_the_disk(database: Database) -> None:
    with pytest.raises(sqlite3.ProgrammingError), database.step() as sql:
        sql.execute("INSERT INTO facts VALUES (?, ?)", ("one",))
    note(database, "next")


def test_a_state_folder_may_have_any_name(tmp_path: Path) -> None:
    """The folder's name becomes part of an SQLite address."""
    layout, database, _ = queue(tmp_path / "a?mode=memory#b%20c ü")
    note(database, "made")

    assert layout.database.stat().st_size > 0
    database.close()


def _count_up(state: Path, turns: int) -> None:
    database = Database(Layout(state, state))
    for _ in range(turns):
        with database.step() as sql:
            text = sql.execute("SELECT text FROM facts WHERE name = 'count'").fetchone()[0]
            sql.execute("UPDATE facts SET text = ? WHERE name = 'count'", (str(int(text) + 1),))
    database.close()


@pytest.mark.slow
def test_steps_of_several_processes_do_not_overwrite_each_other(layout: Layout) -> None:
    """Read, then write, in each of them: a deferred transaction would fail or lose some."""
    database = Database(layout, migrates=True)
    note(database, "count", "0")
    database.close()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count_up, args=(layout.state, 40)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    with database.look() as sql:
        assert sql.execute("SELECT text FROM facts").fetchone()[0] == "160"
    database.close()


@pytest.mark.slow
def test_full_disk_is_reported_and_forgotten_when_there_is_space(tmp_path: Path) -> None:
    """Earlier acknowledged records stay, and the same process continues."""
    with small_disk(tmp_path) as disk:
        layout, database, _ = queue(disk)
        note(database, "before")
        filler = fill(disk)

        with pytest.raises(StorageFull, match=r"doorstep\.db: "):  # noqa: PT012 - some fit into the log
            for turn in range(100):
                note(database, f"during {turn:03}", "x" * 5000)
        assert "before" in notes(database)

        filler.unlink()
        note(database, "later")
        assert {"before", "later"} <= set(notes(database))
        assert not [name for name in notes(Database(layout)) if name.endswith("099")]
        database.close()


@pytest.mark.slow
def test_open_on_a_full_disk_is_reported_as_such(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        layout, database, _ = queue(disk)
        note(database, "before")
        database.close()
        fill(disk)

        with pytest.raises(StorageFull):
            note(Database(layout), "x")


@pytest.mark.slow
def test_card_gone_read_only_is_reported_and_can_still_be_read(tmp_path: Path) -> None:
    """The status names the fault; a technician reads the queue."""
    with small_disk(tmp_path) as disk:
        _, database, _ = queue(disk)
        note(database, "before")
        subprocess.run(["sync", "--file-system", disk], check=True)
        remount(disk, "abort")

        for _ in range(2):
            with pytest.raises(StorageFault) as caught:
                note(database, "during")
            assert not isinstance(caught.value, StorageFull)
            assert notes(database) == ["before"]
        database.close()


@pytest.mark.slow
def test_a_process_goes_on_when_a_read_only_card_can_be_written(tmp_path: Path) -> None:
    """SQLite would keep the connection read-only for ever."""
    with small_disk(tmp_path) as disk:
        layout, database, _ = queue(disk)
        note(database, "before")
        database.close()
        capture = Database(layout)
        remount(disk, "ro")
        with pytest.raises(StorageFault):
            note(capture, "during")

        remount(disk, "rw")
        note(capture, "later")
        assert notes(capture) == ["before", "later"]
        capture.close()


@pytest.mark.slow
def test_a_connection_that_was_read_only_is_opened_again() -> None:
    """Root writes to everything, so another user has to show it."""

    def act() -> None:
        layout, database, _ = queue(Path(name))
        note(database, "before")
        database.close()
        layout.database.chmod(0o440)
        note_refused(database := Database(layout))
        for path in (layout.database, *layout.queue.glob("doorstep.db-*")):
            path.chmod(0o660)
        note(database, "later")
        assert notes(database) == ["before", "later"]

    with tempfile.TemporaryDirectory() as name:
        os.chown(name, NOBODY, GROUP)
        as_user(NOBODY, act)


def note_refused(database: Database) -> None:
    assert notes(database) == ["before"]
    with pytest.raises(StorageFault, match="readonly"):
        note(database, "during")
