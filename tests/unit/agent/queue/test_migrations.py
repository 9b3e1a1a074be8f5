"""A queue of every release becomes today's, and today's becomes that of a later release."""

import signal
import sqlite3  # noqa: TID251 - a second reader that shares no code with the product
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import QueueBroken
from agent.models import RecordState
from agent.queue.database import Database
from agent.queue.migrations import STEPS
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout

RELEASES = sorted((Path(__file__).parent / "queues").glob("*.sql"))
"""Queues as the code of each release made and filled them; see `queues/dump.py`."""

LATER = (
    "m999_later",
    (
        "CREATE TABLE later (number INTEGER PRIMARY KEY, chain TEXT NOT NULL) STRICT",
        "INSERT INTO later SELECT number, chain FROM captures",
    ),
)
"""The step of a stand-in for a later release."""

KILLED = f"""
import os, signal, sys
from pathlib import Path
from sqlite_utils import Migrations
from agent.queue.database import Database
from agent.queue.migrations import STEPS
from agent.queue.paths import Layout

STEPS.update([{LATER!r}])

def apply(*arguments, apply=Migrations.apply):
    apply(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

Migrations.apply = apply
with Database(Layout(*map(Path, sys.argv[1:])), migrates=True).look():
    pass
"""
"""Migrate a queue, and die after the last statement of the last step, before the commit."""

Rows = list[tuple[object, ...]]


@pytest.fixture(params=RELEASES, ids=lambda release: release.stem)
def released(request: pytest.FixtureRequest, layout: Layout) -> Layout:
    """A state folder with the queue of a release, not yet opened by today's code."""
    release: Path = request.param
    with closing(sqlite3.connect(layout.database)) as sql:
        sql.executescript(release.read_text())
    return layout


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The later release's code."""
    monkeypatch.setitem(STEPS, *LATER)


def upgrade(layout: Layout) -> Database:
    database = Database(layout, migrates=True)
    with database.look():
        return database


def rows(layout: Layout, query: str) -> Rows:
    with closing(sqlite3.connect(layout.database)) as sql:
        return sql.execute(query).fetchall()


def schema(layout: Layout) -> Rows:
    """Every table, index and trigger, its words parted by single spaces."""
    found = rows(layout, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name")
    return [(*names, " ".join(str(sql).split())) for *names, sql in found]


def test_every_release_gets_the_schema_of_a_new_queue(released: Layout, tmp_path: Path) -> None:
    """The DDL of a step that was released is never changed: two devices would differ for ever."""
    new = Layout(tmp_path / "new", tmp_path / "run")
    new.make()
    upgrade(new).close()

    upgrade(released).close()

    assert schema(released) == schema(new)
    steps = "SELECT name FROM _sqlite_migrations ORDER BY id"
    assert rows(released, steps) == rows(new, steps)


@pytest.mark.usefixtures("later")
def test_later_step_keeps_every_row_and_every_fact(released: Layout) -> None:
    queries = (
        "SELECT * FROM captures ORDER BY number",
        "SELECT * FROM facts ORDER BY name",
        "SELECT number, chain FROM captures ORDER BY number",
    )
    before = [rows(released, query) for query in queries]

    upgrade(released).close()

    assert [rows(released, query) for query in queries] == before
    assert rows(released, "SELECT * FROM later ORDER BY number") == before[2]


@pytest.mark.usefixtures("later")
def test_migration_that_is_killed_before_its_commit_begins_again(released: Layout) -> None:
    """Until the one commit, the queue is the old one."""
    before = schema(released)
    places = [str(released.state), str(released.run)]
    command = [sys.executable, "-c", KILLED, *places]

    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert schema(released) == before

    upgrade(released).close()
    assert len(rows(released, "SELECT * FROM later")) == 10


def test_queue_of_a_later_release_is_broken_for_an_earlier_one(
    released: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier one then sets the queue aside, and makes it again from the records' files."""
    with monkeypatch.context() as later:
        later.setitem(STEPS, *LATER)
        upgrade(released).close()

    with pytest.raises(QueueBroken, match="not what Doorstep made: 'later'"):
        upgrade(released)


@pytest.mark.usefixtures("later")
def test_today_s_queue_goes_on_with_the_rows_of_every_state(released: Layout) -> None:
    """They are read, counted and claimed, and the tally follows their next change."""
    outbox = Outbox(upgrade(released), "boot-1")
    states = Counter(outbox.states().values())
    assert states == {**dict.fromkeys(RecordState, 1), RecordState.PENDING: 6}
    counts = outbox.counts()
    assert (counts.waiting, counts.suspected, counts.refused, counts.damaged) == (6, 1, 1, 1)

    assert outbox.retry(None, 0.0) == 3

    counts = outbox.counts()
    assert (counts.waiting, counts.suspected, counts.refused, counts.damaged) == (8, 0, 0, 0)
    assert outbox.claim(0.0, due_s=0.0)
