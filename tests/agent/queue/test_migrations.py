"""A queue of every release becomes today's: the same schema, and every row as it was."""

import sqlite3  # noqa: TID251 - a second reader that shares no code with the door
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from agent.models import State
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout

RELEASES = sorted((Path(__file__).parent / "queues").glob("*.sql"))
"""Queues as the code of each release made and filled them; see `queues/dump.py`."""

Rows = list[tuple[object, ...]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state", tmp_path / "run")
    made.make()
    return made


@pytest.fixture(params=RELEASES, ids=lambda release: release.stem)
def released(request: pytest.FixtureRequest, layout: Layout) -> Layout:
    """A state folder with the queue of a release, not yet opened by today's code."""
    release: Path = request.param
    with closing(sqlite3.connect(layout.database)) as sql:
        sql.executescript(release.read_text())
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
    queries = ("SELECT * FROM captures ORDER BY number", "SELECT * FROM facts ORDER BY name")
    before = [rows(released, query) for query in queries]

    upgrade(released).close()

    assert [rows(released, query) for query in queries] == before


def test_today_s_queue_goes_on_with_the_rows_of_every_state(released: Layout) -> None:
    """They are read, counted and claimed, and the tally follows their next change."""
    outbox = Outbox(upgrade(released), "boot-1")
    states = Counter(outbox.states().values())
    assert states == {**dict.fromkeys(State, 1), State.PENDING: 6}
    counts = outbox.counts()
    assert (counts.waiting, counts.suspected, counts.refused, counts.damaged) == (6, 1, 1, 1)

    assert outbox.retry(None, 0.0) == 3

    counts = outbox.counts()
    assert (counts.waiting, counts.suspected, counts.refused, counts.damaged) == (8, 0, 0, 0)
    assert outbox.claim(0.0, due_s=0.0)
