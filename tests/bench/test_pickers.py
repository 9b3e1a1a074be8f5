import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from litequeue import LiteQueue  # type: ignore[import-untyped]  # it ships no types
from persistqueue import Empty

from agent.config import Config, load
from agent.models import State
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.status.values import plain
from tests.bench.pickers import (
    LONG_TEXTS,
    LiteQueuePicker,
    OurQueue,
    PersistQueuePicker,
    mixed_rows,
)
from tests.support.device import Device

DEPTH = 50


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(Device(tmp_path / "device").config)


@pytest.fixture
def ours(config: Config) -> Iterator[OurQueue]:
    with closing(OurQueue(config, DEPTH)) as queue:
        yield queue


def test_a_long_queue_is_mixed_as_in_the_field() -> None:
    """A queue in which all rows are alike is picked from more easily than a real one."""
    rows = list(mixed_rows(100))

    assert Counter(row["state"] for row in rows) == {State.DELIVERED: 10, State.PENDING: 100}
    assert sum(row["suspected"] for row in rows) == 2
    assert sum(row["due_s"] == 0 for row in rows if row["state"] is State.PENDING) == 80


def test_our_pick_is_the_products_claim(ours: OurQueue, config: Config) -> None:
    """What is timed is booked in the queue of the device, and the queue does not run empty."""
    for _ in range(2 * DEPTH):
        ours.pick()

    with closing(Database(Layout.of(config.state))) as database:
        items = Outbox(database, "any").items(State.PENDING, 0, DEPTH)
    assert sum(item.attempts - 1 for item in items) == 2 * DEPTH


def test_the_time_of_the_statements_is_a_part_of_the_whole(ours: OurQueue) -> None:
    """The flush, which the disk decides, is not within; the status asks by statements, too."""
    before_ms, began_s = ours.query_ms, time.perf_counter()
    ours.pick()
    whole_ms = (time.perf_counter() - began_s) * 1e3
    picked_ms = ours.query_ms

    assert plain(ours.status())["queue"]["waiting"] == DEPTH
    assert 0 < picked_ms - before_ms < whole_ms
    assert ours.query_ms > picked_ms


def test_the_others_hold_as_many_items_and_hand_each_out_once(tmp_path: Path) -> None:
    """They are filled past their own `put` or in one transaction; they must take it as theirs."""
    with closing(PersistQueuePicker(tmp_path / "acked", DEPTH)) as acked:
        for _ in range(DEPTH + len(LONG_TEXTS)):  # and those that grew its log
            acked.pick()
        with pytest.raises(Empty):
            acked.pick()
    with closing(LiteQueuePicker(tmp_path / "light", DEPTH)) as light:
        for _ in range(DEPTH + len(LONG_TEXTS)):
            light.pick()
        with pytest.raises(RuntimeError, match="nothing waits any more"):
            light.pick()
    with closing(LiteQueue(tmp_path / "light" / "queue.db")) as kept:
        assert kept.qsize() == DEPTH + len(LONG_TEXTS)
