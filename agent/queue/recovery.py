"""The sweep after a power cut or another process's writes: adopt records that verify."""

import hashlib
import logging
import os
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Final

from agent.errors import NotGenuine, UnknownItem
from agent.models import LARGEST_RECORD_BYTES, CaptureId, RecordState, StoredRecord
from agent.queue.disk import disk_errors, read_plain, sync_folder
from agent.queue.labels import MOST_FILES, first_line
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record.signing import PublicKey

_log = logging.getLogger(__name__)

PAGE: Final = 100
"""Rows that are written in one transaction."""

STRANGE_S: Final = 0.5
"""Time that one sweep has for unfinished files, for files that are not records, and for lost files.

A power cut leaves one or two, another process may leave millions, and presses wait meanwhile.
"""

_LOGGED_MOST: Final = 1_000
"""Most stuck files that are logged by name: the journal is in memory."""


@dataclass(frozen=True, slots=True)
class Swept:
    """The results of a sweep.

    Attributes:
        parts: unfinished files deleted; green was never shown for them.
        adopted: whole records without a row, queued.
        torn: files that are no record of this device, or have another's number; moved to `torn/`.
        damaged: rows whose file is missing, marked DAMAGED.
        pruned: delivered rows whose file is missing, marked PRUNED.
        mended: rows that were wrong about a whole record; they begin again.
        stuck: files that could neither be read nor moved; they stay, and are an alarm.
        left: files and rows that this sweep had no time for; the next sweep continues there.
    """

    parts: int
    adopted: int
    torn: int
    damaged: int
    pruned: int
    mended: int = 0
    stuck: int = 0
    left: int = 0


@dataclass(slots=True)
class _Names:
    """The names in `records/`.

    Attributes:
        whole: records with a row, in a plain file.
        strays: every other name of a record.
        parts, stuck_parts: unfinished files that were deleted, and those that could not be.
        left: unfinished files that were only counted.
        are_all: False if there are more than MOST_FILES names.
    """

    whole: set[CaptureId] = field(default_factory=set)
    strays: list[str] = field(default_factory=list)
    parts: int = 0
    stuck_parts: int = 0
    left: int = 0
    are_all: bool = True


@dataclass(slots=True)
class Cursor:
    """The place where the next sweep continues.

    A stuck file stays and may take seconds each time, so no sweep may always begin with it.

    Attributes:
        last: the name that the last sweep read last; empty before the first sweep.
    """

    last: str = ""

    def order(self, names: list[str]) -> list[str]:
        """Return the sorted names, from the one after `last` to the end, then from the start."""
        at = bisect_right(names, self.last)
        return names[at:] + names[:at]


class _TimeBudget:
    """The time that a sweep has spent on strange files of one kind."""

    def __init__(self) -> None:
        self._spent_s = 0.0

    @property
    def is_over(self) -> bool:
        """True if the sweep has no more time for strange files."""
        return self._spent_s >= STRANGE_S

    def spend(self, since_s: float) -> None:
        """Add the time since `since_s`, by CLOCK_MONOTONIC."""
        self._spent_s += time.monotonic() - since_s


def sweep(
    layout: Layout,
    outbox: Outbox,
    keys: Collection[PublicKey],
    alive: Callable[[], None],
    cursor: Cursor,
) -> Swept:
    """Bring files and rows together again; a second sweep changes nothing.

    `keys` are all that this device ever signed with; `alive` is called after each stray record.
    The sweep begins with the stray after `cursor`, and moves `cursor` to the last one it read.
    Held under `capture.lock`. Nothing but unfinished `.part` files is deleted.

    Raises:
        StorageFault: the disk failed.
    """
    known = outbox.states()
    names = _read(layout.records, known)
    strays = cursor.order(names.strays)
    judged = _judge(layout, strays, keys, alive)
    adopted = _adopt(layout, outbox, judged, alive)
    if strays:
        cursor.last = strays[-1 - judged.left]
    mended = _restore_rows(layout, outbox, {name: known[name] for name in names.whole}, keys, alive)
    damaged, pruned, unmarked = _mark_missing(outbox, known, names)
    stuck, left = judged.stuck + names.stuck_parts, judged.left + names.left + unmarked
    swept = Swept(names.parts, adopted, judged.torn, damaged, pruned, mended, stuck, left)
    if swept != Swept(0, 0, 0, 0, 0, 0, stuck):  # what is stuck is told file by file
        _log.warning("event=swept %s", " ".join(_counted(swept)))
    return swept


def _read(records: Path, known: Collection[CaptureId]) -> _Names:
    """Read the names one by one, MOST_FILES at most."""
    names, budget = _Names(), _TimeBudget()
    with disk_errors("cannot read the records"), os.scandir(records) as entries:
        for number, entry in enumerate(entries):
            if number == MOST_FILES:
                names.are_all = False
                break
            is_file = entry.is_file(follow_symlinks=False)
            if _ends(entry.name, ".rec"):
                capture_id = CaptureId(entry.name[:-4])
                if is_file and capture_id in known:
                    names.whole.add(capture_id)
                else:
                    names.strays.append(entry.name)
            elif is_file and _ends(entry.name, ".part"):
                _count_part(names, records / entry.name, budget)
    names.strays.sort()
    return names


def _mark_missing(
    outbox: Outbox, known: Mapping[CaptureId, RecordState], names: _Names
) -> tuple[int, int, int]:
    """Mark rows whose files are missing; return how many are DAMAGED, PRUNED, and left.

    Another process may have invented many long rows, each of which is written again.
    """
    if not names.are_all:
        return 0, 0, 1
    told = {RecordState.DAMAGED, RecordState.PRUNED}
    missing = [one for one, state in known.items() if one not in names.whole and state not in told]
    damaged, pruned, budget = 0, 0, _TimeBudget()
    for start in range(0, len(missing), PAGE):
        if budget.is_over:
            return damaged, pruned, len(missing) - start
        since_s = time.monotonic()
        marked = outbox.mark_missing(missing[start : start + PAGE])
        damaged, pruned = damaged + marked[0], pruned + marked[1]
        budget.spend(since_s)
    return damaged, pruned, 0


def _count_part(names: _Names, part: Path, budget: _TimeBudget) -> None:
    if budget.is_over:
        names.left += 1
        return
    since_s = time.monotonic()
    is_deleted = _delete(part)
    names.parts += is_deleted
    names.stuck_parts += not is_deleted
    budget.spend(since_s)


def _ends(name: str, suffix: str) -> bool:
    """Return True as `Path.suffix` does: a name that begins with its only dot has no suffix."""
    return name.endswith(suffix) and name != suffix


def _delete(part: Path) -> bool:
    try:
        part.unlink()
    except OSError as error:
        _log_stuck(part, error)
        return False
    return True


def _adopt(
    layout: Layout,
    outbox: Outbox,
    judged: "_Judged",
    alive: Callable[[], None],
) -> int:
    """Queue the records among the strays, each chain in order; return how many.

    A record whose number another record has is set aside.
    """
    kept, adopted = _in_order(judged.kept), 0
    for start in range(0, len(kept), PAGE):
        page = kept[start : start + PAGE]
        adopted += len(page)
        for one in outbox.adopt(page):
            if twin := _twin(layout, outbox, one):
                words = f"another record has its number, {one.label.seq}: {twin}"
                judged.set_aside(layout, layout.record(one.label.capture_id), words)
                adopted -= 1
            else:
                outbox.restore_row(one)
        alive()
    if judged.torn:
        with disk_errors("cannot set aside what does not verify"):
            sync_folder(layout.torn)
            sync_folder(layout.records)
    return adopted


@dataclass(slots=True)
class _Judged:
    """The strays: records, files moved to `torn/`, stuck files, and files not read yet."""

    kept: list[StoredRecord] = field(default_factory=list)
    torn: int = 0
    stuck: int = 0
    left: int = 0

    def set_aside(self, layout: Layout, path: Path, why: str) -> None:
        """Move a file that does not verify to `torn/`; the move is not flushed yet."""
        try:
            path.rename(_free_name(layout.torn / path.name))
        except OSError as error:  # for example, a folder of another user's
            self.skip(path, error)
        else:
            self.torn += 1
            _log.error("event=torn file=%s why=%r", path.name, why)

    def skip(self, path: Path, error: OSError) -> None:
        """Leave the file in its place, and count it as stuck."""
        _log_stuck(path, error)
        self.stuck += 1


def _judge(
    layout: Layout,
    strays: list[str],
    keys: Collection[PublicKey],
    alive: Callable[[], None],
) -> _Judged:
    judged, budget = _Judged(), _TimeBudget()
    for number, path in enumerate(layout.records / name for name in strays):
        if budget.is_over:
            judged.left = len(strays) - number
            break
        since_s = time.monotonic()
        try:
            judged.kept.append(_verify(path, keys))
        except NotGenuine as error:
            judged.set_aside(layout, path, str(error))
            budget.spend(since_s)
        except OSError as error:  # its bytes may be right the next time
            judged.skip(path, error)
            budget.spend(since_s)
        alive()
    return judged


def _twin(layout: Layout, outbox: Outbox, one: StoredRecord) -> CaptureId | None:
    """Return another record with its number, by that record's label; a row proves nothing."""
    holder = outbox.holder(one.label)
    line = first_line(layout.record(holder)) if holder else None
    try:
        label, _ = recordfile.open_label(line or b"")
    except NotGenuine:
        return None
    is_twin = (label.chain, label.seq) == (one.label.chain, one.label.seq)
    return holder if is_twin else None


def _restore_rows(
    layout: Layout,
    outbox: Outbox,
    whole: dict[CaptureId, RecordState],
    keys: Collection[PublicKey],
    alive: Callable[[], None],
) -> int:
    """Reset rows that call a record damaged or deleted if it is neither.

    A record that a card really damaged keeps its row: the row is right about the queued bytes.
    """
    mended = 0
    for capture_id, state in whole.items():
        if state not in {RecordState.DAMAGED, RecordState.PRUNED}:
            continue
        alive()
        try:
            kept = _verify(layout.record(capture_id), keys)
        except (NotGenuine, OSError):  # prune may be at work
            continue
        try:
            row = outbox.get(capture_id)
        except UnknownItem:
            continue
        told = (row.chain, row.seq, row.label_sha256, row.bytes, row.sha256)
        label = kept.label
        true = (label.chain, label.seq, kept.label_sha256, kept.file_bytes, kept.file_sha256)
        if state is RecordState.PRUNED or told != true:
            _log.error("event=row_mended id=%s was=%s", capture_id, state)
            outbox.restore_row(kept)
            mended += 1
    return mended


def _in_order(records: list[StoredRecord]) -> list[StoredRecord]:
    """Sort by chain, by the time when each began, as far as a clock knew."""
    began: dict[str, str] = {}
    for label in (one.label for one in records):
        began[label.chain] = min(label.utc, began.get(label.chain, label.utc))
    return sorted(records, key=lambda one: (began[one.label.chain], one.label.seq))


def _verify(path: Path, keys: Collection[PublicKey]) -> StoredRecord:
    """Return a record for the queue. Raises NotGenuine, or OSError if the file cannot be read."""
    content = None if path.is_dir() else read_plain(path, LARGEST_RECORD_BYTES + 1)
    if content is None or len(content) > LARGEST_RECORD_BYTES:
        raise NotGenuine("not a plain file of a record's size")
    found = recordfile.check(content)
    if found.key not in keys or found.label.capture_id != path.stem:
        raise NotGenuine("made by another device, or under another name")
    digest = hashlib.sha256(content).hexdigest()
    return StoredRecord(found.label, found.label_sha256, len(content), digest)


_STUCK: Final[set[Path]] = set()
"""Files that this process has logged, each once."""


def _log_stuck(path: Path, error: OSError) -> None:
    if path not in _STUCK and len(_STUCK) < _LOGGED_MOST:
        _STUCK.add(path)
        line = "event=stuck file=%s error=%r meaning=skipped_look_at_it"
        _log.error(line, path.name, error.strerror)


def _free_name(target: Path) -> Path:
    """Return the name itself, or one with a number: a rename would delete the present file."""
    names = (target.with_name(f"{target.name}.{number}") for number in count(1))
    return next(name for name in chain([target], names) if not os.path.lexists(name))


def _counted(swept: Swept) -> Iterator[str]:
    for name in Swept.__dataclass_fields__:
        if name != "left" or swept.left:
            yield f"{name}={getattr(swept, name)}"
