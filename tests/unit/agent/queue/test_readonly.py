"""A process that may not write reads the queue as untrusted input, and changes nothing."""

import os
import shutil
import signal
import sqlite3  # noqa: TID251 - it writes what the product would not
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from agent.errors import NotNow, QueueBroken, StateHeld
from agent.models import RecordState
from agent.queue.database import Database
from agent.queue.disk import lock
from agent.queue.migrations import LEDGER
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.queue.readonly import ReadOnlyDatabase
from tests.support.factory import RecordMaker, add, new_id, queue
from tests.unit.agent.queue.test_lies import lay_journal, write

pytestmark = pytest.mark.slow

ADD, CLOSE, DONE = b"a", b"c", b"."


class Capture:
    """Another process that has the queue open."""

    def __init__(self, layout: Layout) -> None:
        self._said, told = os.pipe()
        heard, self._say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _work(layout, heard, told)
        os.close(told)
        os.close(heard)
        assert os.read(self._said, 1) == DONE

    def do(self, what: bytes) -> None:
        os.write(self._say, what)
        assert os.read(self._said, 1) == DONE

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._said)
            os.close(self._say)
            self.pid = 0


def _work(layout: Layout, heard: int, told: int) -> None:
    """The other process's whole life."""
    try:
        database = Database(layout)
        outbox, maker = Outbox(database, "boot-1"), RecordMaker()
        outbox.counts()
        os.write(told, DONE)
        while what := os.read(heard, 1):
            add(outbox, maker.make()) if what == ADD else database.close()
            os.write(told, DONE)
    finally:
        os._exit(0)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A queue with two records, that nobody has open."""
    folder = tmp_path_factory.mktemp("template")
    _, database, outbox = queue(folder)
    for _ in range(2):
        add(outbox, RecordMaker().make())
    database.close()
    return folder


@pytest.fixture
def layout(tmp_path: Path, template: Path) -> Layout:
    shutil.copytree(template, tmp_path / "van")
    return Layout(tmp_path / "van" / "state", tmp_path / "van" / "run")


@pytest.fixture
def capture(layout: Layout) -> Iterator[Capture]:
    made = Capture(layout)
    yield made
    made.kill()


@pytest.fixture
def reader(layout: Layout, capture: Capture) -> OutboxReader:
    del capture
    return OutboxReader(ReadOnlyDatabase(layout))


def waiting(reader: OutboxReader) -> int:
    return reader.counts().waiting


def everything(layout: Layout) -> dict[str, tuple[bytes, int, int]]:
    """Content, time of change and mode of every file of the state."""
    return {
        str(path): (
            b"" if path.is_dir() else path.read_bytes(),
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
        )
        for path in [layout.state, *layout.state.rglob("*")]
    }


@contextmanager
def unchanged(layout: Layout) -> Iterator[None]:
    before = everything(layout)
    yield
    assert everything(layout) == before


def test_a_look_sees_what_was_just_committed(reader: OutboxReader, capture: Capture) -> None:
    seen = [waiting(reader)]
    for _ in range(3):
        capture.do(ADD)
        seen.append(waiting(reader))

    assert seen == [2, 3, 4, 5]


def test_once_nobody_has_it_open_it_says_so_and_makes_nothing(
    reader: OutboxReader, layout: Layout, capture: Capture
) -> None:
    """The last process to close the queue takes the log away; a look before holds nothing."""
    with unchanged(layout):
        waiting(reader)
        reader.undelivered([RecordState.PENDING], None, 10)
    capture.do(CLOSE)

    with unchanged(layout), pytest.raises(NotNow, match="nobody has the queue open"):
        waiting(reader)
    assert sorted(path.name for path in layout.queue.iterdir()) == ["doorstep.db"]


def test_commit_of_a_killed_process_is_seen(
    reader: OutboxReader, layout: Layout, capture: Capture
) -> None:
    """Its log is left, and nobody is there to vouch for the index of it."""
    capture.do(ADD)
    capture.kill()

    with unchanged(layout):
        assert waiting(reader) == 3


def test_a_look_makes_no_writer_wait(layout: Layout, capture: Capture) -> None:
    with ReadOnlyDatabase(layout).look() as sql:
        assert sql.execute("SELECT count(*) FROM captures").fetchone()[0] == 2
        capture.do(ADD)
        assert sql.execute("SELECT count(*) FROM captures").fetchone()[0] == 2


def test_the_other_process_may_close_it_during_a_look(
    reader: OutboxReader, layout: Layout, capture: Capture
) -> None:
    with ReadOnlyDatabase(layout).look() as sql:
        capture.do(CLOSE)
        assert sql.execute("SELECT count(*) FROM captures").fetchone()[0] == 2

    with closing(Database(layout)) as database:
        assert waiting(OutboxReader(database)) == 2
        assert waiting(reader) == 2


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM captures", "CREATE TABLE mine (x)", "PRAGMA user_version = 7", "VACUUM"],
)
def test_nothing_can_be_written(reader: OutboxReader, layout: Layout, statement: str) -> None:
    with (
        unchanged(layout),
        pytest.raises((NotNow, QueueBroken)),
        ReadOnlyDatabase(layout).look() as sql,
    ):
        sql.execute(statement)
    assert waiting(reader) == 2


Spoiling = Callable[[Layout], object]

SPOILT: Final[dict[str, Spoiling]] = {
    "a table of its own": lambda at: write(at.database, "CREATE TABLE mine (x)"),
    "a view in a table's place": lambda at: write(
        at.database, "DROP TABLE facts", "CREATE VIEW facts AS SELECT 1 AS name, 2 AS text"
    ),
    "no table": lambda at: write(at.database, "DROP TABLE captures"),
    "a second name of the database": lambda at: os.link(at.database, at.state / "mine"),
    "a journal beside it": lambda at: lay_journal(at, at.state_lock),
    "an emptied database": lambda at: os.truncate(at.database, 0),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_corrupt_queue_is_reported_and_left_to_capture(
    reader: OutboxReader, layout: Layout, capture: Capture, spoil: Spoiling
) -> None:
    """No mark: who writes nothing asks for nothing."""
    if "journal" in str(spoil.__code__.co_names):
        capture.kill()
    spoil(layout)

    with unchanged(layout), pytest.raises(QueueBroken, match="`doorstep capture` makes it again"):
        waiting(reader)
    assert not layout.rebuild_mark.exists()


def test_a_row_that_no_device_makes_is_not_believed(reader: OutboxReader, layout: Layout) -> None:
    """Which values those are is tried in test_lies.py."""
    write(layout.database, "UPDATE captures SET chain = '' WHERE number = 1")

    for look in (reader.counts, lambda: reader.undelivered([RecordState.PENDING], None, 10)):
        with pytest.raises(QueueBroken):
            look()
    assert not layout.rebuild_mark.exists()


def test_a_look_waits_for_a_rebuild_for_one_second(reader: OutboxReader, layout: Layout) -> None:
    with lock(layout.state_lock, exclusive=True, wait=False), pytest.raises(StateHeld):
        waiting(reader)


def test_many_looks_keep_no_rebuild_out(reader: OutboxReader, layout: Layout) -> None:
    """A wait for `state.lock` ends after 10 s: as many as may be connected keep nobody out."""
    over = threading.Event()

    def look_on() -> None:
        while not over.is_set():
            waiting(reader)

    looking = [threading.Thread(target=look_on) for _ in range(16)]
    for one in looking:
        one.start()
    try:
        for _ in range(3):
            with lock(layout.state_lock, exclusive=True, wait=True):
                pass
    finally:
        over.set()
        for one in looking:
            one.join()


def test_looks_at_a_held_queue_end_together(reader: OutboxReader, layout: Layout) -> None:
    """Ten askers in a second each for itself; one after the other they would take ten."""
    told = []

    def look() -> None:
        with pytest.raises(StateHeld) as error:
            waiting(reader)
        told.append(error)

    looking = [threading.Thread(target=look) for _ in range(10)]
    began_s = time.monotonic()
    with lock(layout.state_lock, exclusive=True, wait=False):
        for one in looking:
            one.start()
        for one in looking:
            one.join()

    assert len(told) == 10
    assert time.monotonic() - began_s < 4


def test_command_says_what_to_do_before_capture_made_a_queue(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "none", tmp_path / "run")

    with pytest.raises(NotNow, match="start `doorstep capture` first"):
        waiting(OutboxReader(ReadOnlyDatabase(layout)))
    assert not layout.state.exists()


def test_an_unfinished_schema_is_waited_for(tmp_path: Path) -> None:
    """As capture's first start leaves it for a moment."""
    layout = queue(tmp_path)[0]
    with closing(sqlite3.connect(layout.database, isolation_level=None)) as sql:
        for statement in ("PRAGMA journal_mode = WAL", *LEDGER):
            sql.execute(statement)

        with pytest.raises(NotNow, match="not ready"):
            waiting(OutboxReader(ReadOnlyDatabase(layout)))


def test_missing_item_is_refused(reader: OutboxReader) -> None:
    with pytest.raises(LookupError):
        reader.undelivered([RecordState.PENDING], new_id(), 10)
