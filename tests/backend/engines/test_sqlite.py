"""Rules of SQLite's file alone: the first process switches it to WAL, while others wait."""

import sqlite3  # noqa: TID251 - the test's own side
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from doorstep_backend.engines.sqlite import Sqlite
from doorstep_backend.engines.unavailable import Unavailable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backend.db"


@pytest.fixture
def other(file: Path) -> Iterator[sqlite3.Connection]:
    """Begin to write to a file without WAL mode; SQLite does not wait for such a writer."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    with closing(connection) as opened:
        opened.execute("BEGIN IMMEDIATE")
        yield opened


def test_open_waits_while_another_process_makes_the_file(
    file: Path, other: sqlite3.Connection
) -> None:
    ends = Timer(0.3, other.execute, ["COMMIT"])
    ends.start()

    with closing(Sqlite(file, durable=True, patience_s=10)) as database:
        (mode,) = database.execute("PRAGMA journal_mode").fetchall()

    ends.join()
    assert mode == ("wal",)


@pytest.mark.usefixtures("other")
def test_open_waits_no_longer_than_its_patience(file: Path) -> None:
    with pytest.raises(Unavailable, match="locked"):
        Sqlite(file, durable=True, patience_s=0.1)
