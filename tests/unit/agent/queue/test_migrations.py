"""A queue of every release becomes today's: the same schema, and every row as it was."""

import signal
import sqlite3  # noqa: TID251 - a second reader that shares no code with the product
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from agent.models import RecordState
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from tests.unit.agent.queue.queues import COUNTED, fill_counted

RELEASES = sorted((Path(__file__).parent / "queues").glob("*.sql"))
"""Queues as the code of each release made and filled them; see `queues/dump.py`."""

KILLED = """
import os, signal, sys
from pathlib import Path
from sqlite_utils import Migrations
from agent.queue.database import Database
from agent.queue.paths import Layout

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
def counted(layout: Layout) -> Layout:
    """The queue of 2026.11.7, whose answers begin with the counts of dead ends."""
    with closing(sqlite3.connect(layout.database)) as sql:
        fill_counted(sql)
    return layout


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


def test_every_row_and_every_fact_is_kept(released: Layout) -> None:
    columns = ", ".join(str(row[1]) for row in rows(released, "PRAGMA table_info(captures)"))
    queries = (
        f"SELECT {columns} FROM captures ORDER BY number",
        "SELECT * FROM facts ORDER BY name",
    )
    before = [rows(released, query) for query in queries]

    upgrade(released).close()

    assert [rows(released, query) for query in queries] == before


def counts(layout: Layout) -> dict[int, tuple[object, ...]]:
    found = rows(layout, "SELECT number, answer, dead_ends, sent_whole FROM captures")
    return {int(str(number)): tuple(told) for number, *told in found if number in COUNTED}


def test_counts_of_dead_ends_become_columns_and_the_texts_stay(counted: Layout) -> None:
    upgrade(counted).close()

    assert counts(counted) == COUNTED


def test_migration_that_is_killed_before_its_commit_begins_again(counted: Layout) -> None:
    """Until the one commit, the queue is the old one; afterwards it has all counts."""
    before = schema(counted)
    places = [str(counted.state), str(counted.run)]
    command = [sys.executable, "-c", KILLED, *places]

    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert schema(counted) == before

    upgrade(counted).close()
    assert counts(counted) == COUNTED


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
