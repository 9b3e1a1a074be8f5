"""Queues that hold as many items as wanted and hand out the next one: ours and two others."""

import json
import random
import sqlite3  # noqa: TID251 - fills the database of another product
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from litequeue import LiteQueue  # type: ignore[import-untyped]  # it ships no types
from persistqueue import SQLiteAckQueue
from persistqueue.serializers import pickle

from agent.config import Config
from agent.models import State
from agent.queue.database import Connection, Database
from agent.queue.outbox import BOOKING_S, Outbox
from agent.queue.paths import Layout
from agent.status import document as status
from agent.status.values import Status
from hardware.clock_system import boot_id
from tests.bench.rows import LONG_ANSWER, insert, waiting_rows

LONG_TEXTS: Final = (" " * 860_000,) * 5
"""Fill the write-ahead log, which SQLite empties at 1000 pages of 4 KB and then writes over.

A flush of a log that still grows costs half as much again (ext4, 2026-11), so all have grown.
"""

NOW_S: Final = 1_000.0
"""CLOCK_BOOTTIME of the first pick."""

PACE_S: Final = 2 * BOOKING_S
"""From pick to pick by that clock: what was booked is due again, so that no queue runs empty."""

BACKED_OFF_S: Final = (NOW_S + 1.0, NOW_S + 300.0)
"""What is backed off waits 300 s at most: agent/sync/backoff.py."""

SUSPECT_S: Final = (NOW_S + 300.0, NOW_S + 86_400.0)
"""What is suspect waits 5 minutes, doubled up to a day: agent/sync/backoff.py."""


class Picker(Protocol):
    """A queue on the disk, filled when it was made."""

    def pick(self) -> None:
        """Takes the next item, so that nobody else gets it."""

    def close(self) -> None: ...


class TimedDatabase(Database):
    """The product's database, which adds up how long the statements of its steps took.

    Locks, BEGIN, and COMMIT with its flush are not within.
    """

    query_ms = 0.0

    @contextmanager
    def step(self) -> Iterator[Connection]:
        with super().step() as sql, self._timed():
            yield sql

    @contextmanager
    def look(self) -> Iterator[Connection]:
        with super().look() as sql, self._timed():
            yield sql

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began_s = time.perf_counter()
        yield
        self.query_ms += (time.perf_counter() - began_s) * 1e3


class OurQueue:
    """The queue of a device: `depth` rows to send, and a tenth as many that were sent."""

    def __init__(self, config: Config, depth: int) -> None:
        layout = Layout.of(config.state)
        layout.make()
        self._config = config
        self._now_s = NOW_S
        self._database = TimedDatabase(layout, migrates=True)
        self._outbox = Outbox(self._database, boot_id())
        insert(self._database, mixed_rows(depth))
        with self._database.step() as sql:
            rows = [(f"long {number}", text) for number, text in enumerate(LONG_TEXTS)]
            sql.executemany("INSERT INTO facts VALUES (?, ?)", rows)

    @property
    def query_ms(self) -> float:
        """What all statements so far took."""
        return self._database.query_ms

    def pick(self) -> None:
        self._now_s += PACE_S
        if self._outbox.claim(self._now_s, due_s=self._now_s) is None:
            raise RuntimeError("nothing is due, although everything should be")

    def status(self) -> Status:
        return status.document(self._config, status.queue_part(self._outbox))

    def close(self) -> None:
        self._database.close()


class PersistQueuePicker:
    """persist-queue's SQLiteAckQueue as it comes."""

    note: Final = "as it comes, with a flush; it holds only rows that wait"

    def __init__(self, folder: Path, depth: int) -> None:
        SQLiteAckQueue(str(folder)).close()  # makes the table
        items = ((pickle.dumps(row), 0.0) for row in islice(waiting_rows(), depth))
        with closing(sqlite3.connect(folder / "data.db")) as sql, sql:
            sql.executemany(
                "INSERT INTO ack_queue_default (data, timestamp, status) VALUES (?, ?, 0)", items
            )
        self._queue = SQLiteAckQueue(str(folder))
        for text in LONG_TEXTS:
            self._queue.put(text)

    def pick(self) -> None:
        self._queue.get(block=False)

    def close(self) -> None:
        self._queue.close()


class LiteQueuePicker:
    """litequeue as it comes, with `synchronous = NORMAL`."""

    note: Final = "as it comes, without a flush; it holds only rows that wait"

    def __init__(self, folder: Path, depth: int) -> None:
        folder.mkdir()
        self._queue = LiteQueue(folder / "queue.db")
        with self._queue.transaction():
            for row in islice(waiting_rows(), depth):
                self._queue.put(json.dumps(row))
        for text in LONG_TEXTS:
            self._queue.put(text)

    def pick(self) -> None:
        if self._queue.pop() is None:
            raise RuntimeError("nothing waits any more: too many picks for so short a queue")

    def close(self) -> None:
        self._queue.close()


def mixed_rows(depth: int) -> Iterator[dict[str, Any]]:
    """Yields `depth` rows to send after a tenth as many that were sent.

    Of those to send one in five is backed off and one in fifty is suspect, with a long answer;
    the others are due, and the first of them are the ones that came first.
    """
    chance = random.Random(depth)  # the same at every run
    for row in islice(waiting_rows(), depth // 10 + depth):
        number = row["seq"] - depth // 10
        if number <= 0:
            yield row | {"state": State.DELIVERED, "decision": "e30." * 150}
        elif number % 50 == 0:
            due_s = chance.uniform(*SUSPECT_S)
            yield row | {"suspected": 1, "due_s": due_s, "answer": LONG_ANSWER}
        elif number % 5 == 0:
            yield row | {"due_s": chance.uniform(*BACKED_OFF_S), "answer": "503"}
        else:
            yield row
