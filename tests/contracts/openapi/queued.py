"""A device's queue with something of each state in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent.models import CaptureId
from tests.contracts.openapi.hooks import BEGUN, RECEIVED
from tests.support.factory import RecordMaker, add, new_id, queue


@contextmanager
def queued(folder: Path) -> Iterator[None]:
    """Open while the block runs: a pending record, a suspect, a refused and a damaged one."""
    _, database, outbox = queue(folder)
    try:
        maker = RecordMaker(device_id="van-7")
        ids = [CaptureId(RECEIVED), CaptureId(BEGUN), new_id(), new_id()]
        items = [
            outbox.get(add(outbox, maker.make(capture_id=one)).label.capture_id) for one in ids
        ]
        outbox.schedule_retry(items[1], 10.0, "POST was answered 413", suspected=True)
        outbox.mark_refused(items[2], "a.b.c", datetime.now(UTC), "unknown_key")
        outbox.mark_damaged(items[3], "its file is gone")
        yield
    finally:
        database.close()
