from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from persistqueue import Empty

from agent.config import load
from agent.models import State
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.status.values import plain
from tests.bench.depth import OurQueue, litequeue, mixed_rows, persist_queue
from tests.bench.frame import run_ms
from tests.bench.queues import LONG_BYTES
from tests.support.device import Device

DEPTH = 50


def test_a_long_queue_is_mixed_as_in_the_field() -> None:
    """A queue in which all rows are alike is picked from more easily than a real one."""
    rows = list(mixed_rows(100))

    assert Counter(row["state"] for row in rows) == {State.DELIVERED: 10, State.PENDING: 100}
    assert sum(row["suspected"] for row in rows) == 2
    assert sum(row["due_s"] == 0 for row in rows if row["state"] is State.PENDING) == 80


def test_our_pick_is_the_products_claim(tmp_path: Path) -> None:
    """What is timed is booked in the device's queue; its statements are a part of the whole."""
    config = load(Device(tmp_path / "device").config)
    with closing(OurQueue(config, DEPTH)) as ours:
        for _ in range(2 * DEPTH - 1):
            ours.pick()
        query_ms = []
        whole_ms = run_ms(lambda: query_ms.append(ours.query_ms(ours.pick)))

        assert 0 < query_ms[0] < whole_ms
        assert ours.query_ms(ours.status) > 0
        assert plain(ours.status())["queue"]["waiting"] == DEPTH

    with closing(Database(Layout.of(config.state))) as database:
        items = Outbox(database, "any").items(State.PENDING, 0, DEPTH)
    assert sum(item.attempts - 1 for item in items) == 2 * DEPTH


def test_the_others_hold_as_many_items_and_hand_each_out_once(tmp_path: Path) -> None:
    """They are filled past their own `put` or in one transaction; they must take it as theirs."""
    held = DEPTH + len(LONG_BYTES)  # and those that grew the log
    with persist_queue(tmp_path / "acked", DEPTH) as pick:
        for _ in range(held):
            pick()
        with pytest.raises(Empty):
            pick()
    with litequeue(tmp_path / "light", DEPTH) as pick:
        picked = [pick() for _ in range(held + 1)]

    assert None not in picked[:held]
    assert picked[held] is None
