"""What is timed of a long queue is the product's own claim, on rows as in the field."""

from collections import Counter
from contextlib import closing
from pathlib import Path

from agent.models import RecordState
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from tests.bench.depth import LongQueue, mixed_rows
from tests.support.device import Device

DEPTH = 50


def test_a_long_queue_is_mixed_as_in_the_field() -> None:
    """A queue in which all rows are alike is picked from more easily than a real one."""
    rows = list(mixed_rows(100))

    assert Counter(row["state"] for row in rows) == {
        RecordState.DELIVERED: 10,
        RecordState.PENDING: 100,
    }
    assert sum(row["suspected"] for row in rows) == 2
    assert sum(row["due_s"] == 0 for row in rows if row["state"] is RecordState.PENDING) == 80


def test_our_pick_is_the_products_claim(tmp_path: Path) -> None:
    """What is timed is booked in the device's queue."""
    layout = Device(tmp_path / "device").layout
    with closing(LongQueue(layout, DEPTH)) as ours:
        for _ in range(2 * DEPTH):
            ours.pick()

    with closing(Database(layout)) as database:
        items = Outbox(database, "any").items(RecordState.PENDING, 0, DEPTH)
    assert sum(item.attempts - 1 for item in items) == 2 * DEPTH
