"""Deletion of records: only those that a receipt covers, and only when their time has come."""

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from agent.config import RetentionSettings
from agent.errors import NotGenuine
from agent.models import CaptureId
from agent.queue import disk
from agent.queue.labels import MOST_FILES, first_line
from agent.queue.paths import Layout
from agent.record.receipt import Keys, claimed_date, verified_for_id

log = logging.getLogger(__name__)

PAGE: Final = 10
"""Receipts that are looked at together: 4 MB of records, whose deletion shares one flush."""

_LIMIT_BYTES: Final = 8_192
"""Most that is read of a receipt: ours have 460 bytes."""

_LOGGED: Final[set[CaptureId]] = set()
"""Records whose receipt does not verify, each logged once by this process."""

Newest = Callable[[], Collection[CaptureId]]
"""Function that returns the newest record of each chain, on whose label the next one builds."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The deleted records, and the deleted labels of records that were deleted before."""

    files: int = 0
    labels: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(self.files + other.files, self.labels + other.labels)


def prune(
    layout: Layout, settings: RetentionSettings, keys: Keys, *, now: datetime, newest: Newest
) -> Iterator[Pruned]:
    """Delete what the receipts allow to delete by `now`; yield after each page of them.

    A record becomes its label, and the label and the receipt are deleted later. After a power cut
    the next call continues: a record is whole, or it is a label with a rest that is cut off then.

    Args:
        layout: the paths of the files.
        settings: how long things are kept after the receipt.
        keys: who may sign receipts.
        now: a time that has certainly been reached.
        newest: returns the records whose labels stay in any case.

    Raises:
        StorageFault: the disk failed.
    """
    keep_file, keep_label = timedelta(hours=settings.file_hours), timedelta(days=settings.row_days)
    receipts = iter(_receipts(layout))
    while page := list(islice(receipts, PAGE)):
        whole = [one for one in page if layout.record(one).exists()]
        due = [one for one in whole if _is_past(layout, one, now - keep_file)]
        files = _delete_files(layout, [one for one in due if _is_proven(layout, one, keys)])
        earlier = [one for one in page if one not in whole]
        _finish(layout, earlier)
        kept = newest()
        past = [one for one in earlier if one not in kept]
        past = [one for one in past if _is_past(layout, one, now - keep_label)]
        yield Pruned(files, _delete_labels(layout, past))


def make_room(layout: Layout, keys: Keys, wanted_bytes: int) -> int:
    """Delete the oldest delivered records if less than `wanted_bytes` are free; return how many.

    Their receipts allow it at any time; the hours that pruning waits are for when there is space.
    It deletes PAGE of them at once, so that a press does not wait for more.

    Raises:
        StorageFault: the disk failed.
    """
    if disk.room_bytes(layout.records, layout.ballast) >= wanted_bytes:
        return 0
    there = [one for one in _receipts(layout) if layout.record(one).exists()]
    there.sort(key=lambda one: _received(layout, one) or _FIRST)
    proven = (one for one in there if _is_proven(layout, one, keys))
    files = _delete_files(layout, list(islice(proven, PAGE)))
    if files:
        log.warning("event=room_made files=%d", files)
    return files


_FIRST: Final = datetime.min.replace(tzinfo=UTC)


def _receipts(layout: Layout) -> list[CaptureId]:
    """Return the records that have a receipt; of more than a device has, some."""
    with disk.disk_errors("cannot read the receipts"), os.scandir(layout.receipts) as entries:
        names = (one.name for one in islice(entries, MOST_FILES))
        return sorted(CaptureId(name[:-4]) for name in names if name.endswith(".jws"))


def _text(layout: Layout, capture_id: CaptureId) -> str:
    """Return a receipt, unverified; nothing if it cannot be read."""
    with suppress(OSError, ValueError):
        return (disk.read_plain(layout.receipt(capture_id), _LIMIT_BYTES) or b"").decode("ascii")
    return ""


def _received(layout: Layout, capture_id: CaptureId) -> datetime | None:
    return claimed_date(_text(layout, capture_id))


def _is_past(layout: Layout, capture_id: CaptureId, until: datetime) -> bool:
    """Return True if the receipt is of `until` or before by its own words, or has no date."""
    received = _received(layout, capture_id)
    return received is None or received <= until


def _is_proven(layout: Layout, capture_id: CaptureId, keys: Keys) -> bool:
    """Return True if the receipt verifies; delete one that does not: sync offers its own again.

    Capture compared the digest when the receipt came. A card that garbled the record since then
    must not keep it for ever.
    """
    try:
        verified_for_id(_text(layout, capture_id), capture_id, keys)
    except NotGenuine as error:
        with disk.disk_errors("cannot delete a receipt"):
            layout.receipt(capture_id).unlink(missing_ok=True)
        if capture_id not in _LOGGED:
            _LOGGED.add(capture_id)
            line = "event=prune_refused capture_id=%s why=%r meaning=kept_and_asked_again"
            log.error(line, capture_id, str(error))  # noqa: TRY400 - its words are enough
        return False
    return True


def _delete_files(layout: Layout, page: Collection[CaptureId]) -> int:
    """Replace records by their labels: rename, flush the names, and only then cut the files."""
    if not page:
        return 0
    with disk.disk_errors("cannot delete delivered records"):
        for one in page:
            layout.record(one).rename(layout.label(one))
        disk.sync_folder(layout.records)
        for one in page:
            _cut(layout.label(one))
    return len(page)


def _cut(label: Path) -> None:
    """Cut what a power cut left of a record behind its label; without a label nothing stays."""
    line = first_line(label)
    size = 0 if line is None else len(line) + 1
    if label.stat().st_size != size:
        os.truncate(label, size)


def _finish(layout: Layout, deleted: Iterable[CaptureId]) -> None:
    """Cut what a power cut left behind the labels of deleted records."""
    with disk.disk_errors("cannot delete delivered records"):
        for one in deleted:
            if layout.label(one).exists():
                _cut(layout.label(one))


def _delete_labels(layout: Layout, past: Collection[CaptureId]) -> int:
    """Delete labels, flush that, and only then their receipts, by which a label is found."""
    there = [one for one in past if layout.label(one).exists()]
    with disk.disk_errors("cannot delete labels"):
        for one in there:
            layout.label(one).unlink()
        if there:
            disk.sync_folder(layout.records)
        for one in past:
            layout.receipt(one).unlink(missing_ok=True)
    return len(there)
