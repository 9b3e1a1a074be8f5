"""What a dead queue tells, and that a hostile one tells nothing."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from agent.rescue.rows import Row, rows
from tests.support.factory import MOMENT, RecordMaker, add, queue


def test_rows_are_read_from_database_and_log(tmp_path: Path) -> None:
    """The log of a device that lost power was never written back."""
    layout, database, outbox = queue(tmp_path)
    maker = RecordMaker()
    first, second = (add(outbox, maker.make()) for _ in range(2))
    outbox.mark_delivered(outbox.get(first.label.capture_id), "a.receipt.jws", MOMENT)
    assert layout.database.with_name("doorstep.db-wal").stat().st_size > 0
    before = sorted(path.name for path in layout.queue.iterdir())

    found = rows(layout.state)

    assert found == [
        Row(first.label.capture_id, maker.chain, 1, is_delivered=True),
        Row(second.label.capture_id, maker.chain, 2, is_delivered=False),
    ]
    assert sorted(path.name for path in layout.queue.iterdir()) == before
    database.close()


@pytest.mark.parametrize("what", ["gone", "garbage", "link", "pipe", "empty"])
def test_queue_that_is_none_says_nothing(tmp_path: Path, what: str) -> None:
    layout, database, _ = queue(tmp_path)
    with closing(database), database.step():
        pass
    for path in layout.queue.iterdir():
        path.unlink()
    if what == "garbage":
        layout.database.write_bytes(os.urandom(8_192))
    elif what == "link":
        layout.database.symlink_to("/etc/passwd")
    elif what == "pipe":
        os.mkfifo(layout.database)
    elif what == "gone":
        layout.queue.rmdir()

    assert rows(layout.state) is None
