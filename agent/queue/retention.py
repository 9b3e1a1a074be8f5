"""Deletion of records: only those that a receipt covers, and only when their time has come."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.config import RetentionSettings
from agent.errors import NotGenuine
from agent.models import CaptureId, Item, RecordState
from agent.queue import disk
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record.receipt import Keys, verified_receipt

log = logging.getLogger(__name__)

PAGE: Final = 10
"""Records that are looked at together: 4 MB, whose deletion shares one flush of the folder."""

_LOGGED: Final[set[CaptureId]] = set()
"""Records whose receipt does not verify, each logged once by this process.

If space is short, capture checks them every second; one id of each stays here.
"""

_ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)

Newest = Callable[[], Collection[CaptureId]]
"""Function that returns the newest record of each chain, on which the next label builds."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The deleted files, and rows of records whose file was deleted before."""

    files: int = 0
    rows: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(self.files + other.files, self.rows + other.rows)


def prune(
    outbox: Outbox,
    layout: Layout,
    settings: RetentionSettings,
    keys: Keys,
    *,
    now: datetime,
    newest: Newest,
) -> Iterator[Pruned]:
    """Delete what the receipts allow to delete by `now`; yield after each page of records.

    A power cut at any point leaves a DELIVERED row without a file at most, which the next call
    marks. No transaction is open while files are deleted.

    Args:
        outbox: the queue.
        layout: where the files lie.
        settings: how long things are kept after the receipt.
        keys: who may sign receipts.
        now: a time that has certainly been reached.
        newest: returns the records that stay in any case.

    Raises:
        StorageFault: the disk or the database failed.
    """
    keep_file, keep_row = timedelta(hours=settings.file_hours), timedelta(days=settings.row_days)
    for page in _pages(outbox, RecordState.DELIVERED, newest):
        yield Pruned(files=_delete_files(outbox, layout, page, keys, now - keep_file))
    for page in _pages(outbox, RecordState.PRUNED, newest):
        past = [item for item in page if _may_forget(item, keys, now - keep_row)]
        outbox.delete_rows(past)
        yield Pruned(rows=len(past))


def make_room(outbox: Outbox, layout: Layout, keys: Keys, wanted_bytes: int, newest: Newest) -> int:
    """Delete the oldest delivered records if less than `wanted_bytes` are free; return how many.

    Their receipts allow it at any time; the hours that pruning waits are for when there is space.
    It deletes PAGE of them at once, so that a press does not wait for more.

    Raises:
        StorageFault: the disk or the database failed.
    """
    if disk.room_bytes(layout.records, layout.ballast) >= wanted_bytes:
        return 0
    for page in _pages(outbox, RecordState.DELIVERED, newest):
        if files := _delete_files(outbox, layout, page, keys, _ANY_TIME):
            log.warning("event=room_made files=%d", files)
            return files
    return 0


def may_delete(item: Item, keys: Keys, until: datetime) -> bool:
    """Return True if the item's own receipt is of `until` or before.

    Raises:
        NotGenuine: it does not verify, or is not for exactly this id, digest and size.
    """
    return verified_receipt(item.decision or "", item, keys).received <= until


def _may_forget(item: Item, keys: Keys, until: datetime) -> bool:
    """Return True if the row of a record without a file may be deleted.

    It may also if its receipt counts no more, since its key was revoked: no question about it is
    left. If a row claims this of a record that has its file, the sweep queues that again.
    """
    try:
        return may_delete(item, keys, until)
    except NotGenuine:
        return True


def _covered(outbox: Outbox, items: Iterable[Item], keys: Keys, until: datetime) -> Iterator[Item]:
    """Yield items that may be deleted; queue delivered ones without a receipt again."""
    for item in items:
        try:
            if may_delete(item, keys, until):
                yield item
        except NotGenuine as error:
            outbox.requeue(item)
            if item.capture_id not in _LOGGED:
                _LOGGED.add(item.capture_id)
                line = "event=prune_refused capture_id=%s why=%r meaning=kept_and_asked_again"
                log.error(line, item.capture_id, str(error))  # noqa: TRY400 - its words are enough


def _pages(outbox: Outbox, state: RecordState, newest: Newest) -> Iterator[list[Item]]:
    """Yield all items in a state but the newest records."""
    after = 0
    while page := outbox.items(state, after, PAGE):
        after = page[-1].number
        kept = newest()
        yield [item for item in page if item.capture_id not in kept]


def _delete_files(
    outbox: Outbox, layout: Layout, page: list[Item], keys: Keys, until: datetime
) -> int:
    """Delete, flush the folder, and only then mark."""
    gone = [item for item in page if not layout.record(item.capture_id).exists()]
    there = [item for item in page if item not in gone]
    due = list(_covered(outbox, there, keys, until))
    lost = list(_covered(outbox, gone, keys, _ANY_TIME))
    if not (due or lost):
        return 0
    with disk.disk_errors("cannot delete delivered records"):
        for item in due:
            layout.record(item.capture_id).unlink(missing_ok=True)
        disk.sync_folder(layout.records)
    outbox.mark_pruned(*due, *lost)
    return len(due)
