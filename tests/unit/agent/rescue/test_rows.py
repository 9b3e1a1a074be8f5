"""The rows of a dead queue count, and those of a hostile one do not."""

import os
import resource
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent.rescue.rows import QueueRow, rows
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
        QueueRow(first.label.capture_id, maker.chain, 1, is_delivered=True),
        QueueRow(second.label.capture_id, maker.chain, 2, is_delivered=False),
    ]
    assert sorted(path.name for path in layout.queue.iterdir()) == before
    database.close()


@pytest.mark.parametrize("what", ["gone", "garbage", "link", "pipe", "empty"])
def test_queue_that_is_invalid_says_nothing(tmp_path: Path, what: str) -> None:
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


@pytest.mark.slow
def test_large_queue_takes_little_memory(tmp_path: Path) -> None:
    """A file of 200 MB is copied in pieces; the computer of a technician may be small."""
    layout, database, _ = queue(tmp_path)
    database.close()
    os.truncate(layout.database, 200_000_000)
    pid = os.fork()
    if pid == 0:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + 96 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        code = 1
        with suppress(MemoryError):
            code = 0 if rows(layout.state) is None else 2
        os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
