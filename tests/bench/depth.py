"""Picking the next record and asking for the status: a short queue beside a very long one.

Ours, and two queues that keep items in SQLite too.
"""

import json
import random
import sqlite3  # noqa: TID251 - fills the database of another product
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from litequeue import LiteQueue  # type: ignore[import-untyped]  # it ships no types
from persistqueue import SQLiteAckQueue
from persistqueue.serializers import pickle

from agent.config import Config, load
from agent.models import State
from agent.queue.database import Connection, Database
from agent.queue.outbox import BOOKING_S, Outbox
from agent.queue.paths import Layout
from agent.status import document as status
from agent.status.values import Status
from hardware.clock_system import boot_id
from tests.bench.frame import Figure, Rig, by_turns, ratios, run_ms
from tests.bench.queues import LONG_BYTES
from tests.bench.rows import LONG_ANSWER, insert, waiting_rows
from tests.support import sqlite_memory
from tests.support.device import Device

SHORT: Final = 100
LONG: Final = 100_000
DEPTHS: Final = (SHORT, LONG)
TIMES_SHORT: Final = 1.2
STATUS_MS: Final = 10.0
"""Over two years of 150 presses a day must be no slower than a few, but for noise."""

WARM_UP: Final = 3
"""Rounds that are not counted: the first ones open the databases and grow their logs."""

PICKS: Final = 300
"""Picks of ours from each queue: the disk is noisier than the difference that is allowed."""

NOW_S: Final = 1_000.0
"""CLOCK_BOOTTIME of the first pick."""

PACE_S: Final = 2 * BOOKING_S
"""From pick to pick by that clock: what was booked is due again, so that no queue runs empty."""

BACKED_OFF_S: Final = (NOW_S + 1.0, NOW_S + 300.0)
SUSPECT_S: Final = (NOW_S + 300.0, NOW_S + 86_400.0)
"""A failed record waits 300 s at most, a suspect one 5 minutes to a day: agent/sync/backoff.py."""

Pick = Callable[[], object]
"""Takes the next item, so that nobody else gets it."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Ask short and long queues by turns, so that a slow moment of the disk meets them all."""
    with ExitStack() as opened:
        ours = {
            depth: opened.enter_context(
                closing(OurQueue(load(Device(rig.folder / f"depth-{depth}").config), depth))
            )
            for depth in DEPTHS
        }
        sqlite_memory.lift_limit()  # it is for our queues alone
        others = {
            (name, depth): partial(
                run_ms, opened.enter_context(fill(rig.folder / f"{name}-{depth}", depth))
            )
            for name, (fill, _) in OTHERS.items()
            for depth in DEPTHS
        }
        rounds = rig.times(60, 10)
        picks = by_turns(PICKS, {n: partial(run_ms, q.pick) for n, q in ours.items()}, WARM_UP)
        beside = by_turns(rounds, others, WARM_UP)
        query = by_turns(PICKS, {n: partial(q.query_ms, q.pick) for n, q in ours.items()}, WARM_UP)
        asked = {n: partial(q.query_ms, q.status) for n, q in ours.items()}
        statuses = by_turns(rounds, asked, WARM_UP)
    note = (
        "Outbox.claim with its flush, by turns; each queue has a fifth backed off, 2 % suspect, "
        "and a tenth as many rows delivered before"
    )
    name = f"pick the next item, {LONG:,} rows by {SHORT:,}"
    yield Figure(name, "x", ratios(picks[LONG], picks[SHORT]), TIMES_SHORT, digits=2, note=note)
    yield Figure("  its statement alone", "x", ratios(query[LONG], query[SHORT]), digits=2)
    for depth in DEPTHS:
        yield Figure(f"  pick, {depth:,} rows", "ms", picks[depth], digits=2)
        yield Figure(f"    its statement, {depth:,} rows", "ms", query[depth], digits=3)
    for name, (_, note) in OTHERS.items():
        times = ratios(beside[name, LONG], beside[name, SHORT])
        yield Figure(f"{name}: {LONG:,} by {SHORT:,}", "x", times, digits=2, note=note)
        for depth in DEPTHS:
            yield Figure(f"  {name}, {depth:,} rows", "ms", beside[name, depth], digits=2)
    for depth, at_most in ((SHORT, None), (LONG, STATUS_MS)):
        name = f"status: its statements, {depth:,} rows"
        yield Figure(name, "ms", statuses[depth], at_most, digits=3)


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
    """The queue of a device: `depth` rows to send, and a tenth as many that were sent.

    Its write-ahead log was full once: a flush of a log that still grows costs half as much again
    (ext4, 2026-11).
    """

    def __init__(self, config: Config, depth: int) -> None:
        layout = Layout.of(config.state)
        layout.make()
        self._config = config
        self._now_s = NOW_S
        self._database = TimedDatabase(layout, migrates=True)
        self._outbox = Outbox(self._database, boot_id())
        insert(self._database, mixed_rows(depth))
        with self._database.step() as sql:
            rows = [(f"long {number}", " " * size) for number, size in enumerate(LONG_BYTES)]
            sql.executemany("INSERT INTO facts VALUES (?, ?)", rows)

    def query_ms(self, act: Callable[[], object]) -> float:
        """Return how long the statements of `act` took."""
        before_ms = self._database.query_ms
        act()
        return self._database.query_ms - before_ms

    def pick(self) -> None:
        self._now_s += PACE_S
        if self._outbox.claim(self._now_s, due_s=self._now_s) is None:
            raise RuntimeError("nothing is due, although everything should be")

    def status(self) -> Status:
        return status.document(self._config, status.queue_part(self._outbox))

    def close(self) -> None:
        self._database.close()


@contextmanager
def persist_queue(folder: Path, depth: int) -> Iterator[Pick]:
    """Fill persist-queue's SQLiteAckQueue past its own `put`, which flushes each item."""
    SQLiteAckQueue(str(folder)).close()  # makes the table
    items = ((pickle.dumps(row), 0.0) for row in islice(waiting_rows(), depth))
    into = "INSERT INTO ack_queue_default (data, timestamp, status) VALUES (?, ?, 0)"
    with closing(sqlite3.connect(folder / "data.db")) as sql, sql:
        sql.executemany(into, items)
    with closing(SQLiteAckQueue(str(folder))) as queue:
        for size in LONG_BYTES:
            queue.put(" " * size)
        yield lambda: queue.get(block=False)


@contextmanager
def litequeue(folder: Path, depth: int) -> Iterator[Pick]:
    """Fill a LiteQueue in one transaction; its pick returns None when it is empty."""
    folder.mkdir()
    with closing(LiteQueue(folder / "queue.db")) as queue:
        with queue.transaction():
            for row in islice(waiting_rows(), depth):
                queue.put(json.dumps(row))
        for size in LONG_BYTES:
            queue.put(" " * size)
        yield queue.pop


Fill = Callable[[Path, int], AbstractContextManager[Pick]]

OTHERS: Final[dict[str, tuple[Fill, str]]] = {
    "persist-queue SQLiteAckQueue": (
        persist_queue,
        "as it comes, with a flush; it holds only rows that wait",
    ),
    "litequeue": (
        litequeue,
        "as it comes, with synchronous=NORMAL, without a flush; it holds only rows that wait",
    ),
}


def mixed_rows(depth: int) -> Iterator[dict[str, Any]]:
    """Yield `depth` rows to send after a tenth as many that were sent.

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
