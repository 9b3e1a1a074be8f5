"""A database that another process may have written costs a limited time."""

import re
import sqlite3  # noqa: TID251 - it needs no queue
import time
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Final

import pytest

from agent.queue import bounds
from agent.queue.opening import open_to_look
from tests.support.factory import queue

UNIT: Final = Path(__file__).parents[4] / "systemd" / "doorstep-capture.service"


def test_longest_transaction_ends_before_the_watchdog() -> None:
    """systemd kills a capture process that gives no sign of life within WatchdogSec."""
    found = re.search(r"^WatchdogSec=(\d+)$", UNIT.read_text(), re.MULTILINE)

    assert found
    assert int(found[1]) > bounds.LONGEST_S


COUNTING: Final = """WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
SELECT count(*) FROM (SELECT n FROM numbers LIMIT ?)"""
"""Takes ten steps of SQLite's machine for each number."""


def test_wait_for_a_slow_card_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large sound queue on a worn card is not broken; only the processor's time counts."""
    monkeypatch.setattr(bounds, "LONGEST_S", 0.2)
    with closing(sqlite3.connect(":memory:")) as sql:
        bounds.limit_time(sql)
        Event().wait(0.3)

        assert sql.execute(COUNTING, [50_000]).fetchone() == (50_000,)


def test_statement_without_end_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LONGEST_S", 0.05)
    with closing(sqlite3.connect(":memory:")) as sql:
        bounds.limit_time(sql)

        with pytest.raises(sqlite3.DatabaseError, match="takes longer"), bounds.limited():
            sql.execute(COUNTING, [-1])


def test_look_has_the_whole_time_in_a_thread_that_was_busy_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread opens the queue; each thread's processor time has its own beginning."""
    layout, database, _ = queue(tmp_path)
    with closing(database), database.look():
        monkeypatch.setattr(bounds, "LONGEST_S", time.thread_time() / 2)
        with closing(open_to_look(layout.database, patience_s=1)) as sql:
            assert sql.execute(COUNTING, [50_000]).fetchone()[0] == 50_000
