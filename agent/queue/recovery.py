"""What a power cut or another process left behind: sweep the folder, adopt what verifies."""

import hashlib
import logging
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

from agent.errors import NotGenuine, UnknownItem
from agent.models import LARGEST_RECORD_BYTES, CaptureId, Kept, State
from agent.queue.disk import disk_errors, read_plain, sync_folder
from agent.queue.labels import first_line
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record.signing import PublicKey

_log = logging.getLogger(__name__)

PAGE: Final = 100
"""Records that are queued in one transaction: each is a sign of life."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweep found and did.

    Attributes:
        parts: unfinished files deleted; green was never shown for them.
        adopted: whole records without a row, queued.
        torn: what is no record of this device's, or has another's number; moved to `torn/`.
        damaged: rows whose file is gone, marked DAMAGED.
        pruned: delivered rows whose file is gone, marked PRUNED.
        mended: rows that said of a whole record what is not so; they begin anew.
        stuck: what could neither be read nor moved; it stays, and is an alarm.
    """

    parts: int
    adopted: int
    torn: int
    damaged: int
    pruned: int
    mended: int = 0
    stuck: int = 0


def sweep(
    layout: Layout, outbox: Outbox, keys: Collection[PublicKey], alive: Callable[[], None]
) -> Swept:
    """Bring files and rows together again; a second sweep changes nothing.

    `keys` are all that this device ever signed with; `alive` is called after each stray record.
    Held under `capture.lock`. Nothing but unfinished `.part` files is deleted.

    Raises:
        StorageFault: the disk failed.
    """
    records = layout.records
    with disk_errors("cannot read the records"), os.scandir(records) as entries:
        plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    parts = [records / name for name, is_file in plain.items() if is_file and _ends(name, ".part")]
    kept_parts = sum(not _delete(part) for part in parts)
    named = {CaptureId(name[:-4]): name for name in sorted(plain) if _ends(name, ".rec")}
    files = {capture_id for capture_id, name in named.items() if plain[name]}
    known = outbox.states()
    whole = files & known.keys()
    strays = [records / name for capture_id, name in named.items() if capture_id not in whole]
    adopted, stuck = _adopt(layout, outbox, strays, keys, alive)
    mended = _mend_rows(layout, outbox, {name: known[name] for name in whole}, keys, alive)
    damaged, pruned = outbox.mark_missing(known.keys() - files)
    torn = len(strays) - adopted - stuck
    stuck += kept_parts
    swept = Swept(len(parts) - kept_parts, adopted, torn, damaged, pruned, mended, stuck)
    if swept != Swept(0, 0, 0, 0, 0, 0, stuck):  # what is stuck is told file by file
        _log.warning("event=swept %s", " ".join(_counted(swept)))
    return swept


def _ends(name: str, suffix: str) -> bool:
    """As `Path.suffix` has it: a name that begins with its only dot has none."""
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
    strays: list[Path],
    keys: Collection[PublicKey],
    alive: Callable[[], None],
) -> tuple[int, int]:
    """Queue the records among the strays, each chain in order; set the others aside.

    How many were queued, and how many could be neither.
    """
    kept, torn, stuck = [], [], 0
    for path in strays:
        try:
            kept.append(_verify(path, keys))
        except NotGenuine as error:
            torn.append((path, error))
        except OSError as error:  # its bytes may be right the next time
            _log_stuck(path, error)
            stuck += 1
        alive()
    kept = _in_order(kept)
    for start in range(0, len(kept), PAGE):
        for one in outbox.adopt(kept[start : start + PAGE]):
            if twin := _twin(layout, outbox, one):
                words = f"another record has its number, {one.label.seq}: {twin}"
                torn.append((layout.record(one.label.capture_id), NotGenuine(words)))
            else:
                outbox.mend(one)
        alive()
    adopted = len(strays) - len(torn) - stuck
    return adopted, stuck + _set_aside(layout, torn)


def _twin(layout: Layout, outbox: Outbox, one: Kept) -> CaptureId | None:
    """Which record has its number too, by its own label; a row alone says nothing."""
    holder = outbox.holder(one.label)
    line = first_line(layout.record(holder)) if holder else None
    try:
        label, _ = recordfile.open_label(line or b"")
    except NotGenuine:
        return None
    is_twin = (label.chain, label.seq) == (one.label.chain, one.label.seq)
    return holder if is_twin else None


def _mend_rows(
    layout: Layout,
    outbox: Outbox,
    whole: dict[CaptureId, State],
    keys: Collection[PublicKey],
    alive: Callable[[], None],
) -> int:
    """Begin anew where a row says that a record is damaged or deleted, and it is neither.

    What a card really damaged stays so: then the row is right about the bytes that were queued.
    """
    mended = 0
    for capture_id, state in whole.items():
        if state not in {State.DAMAGED, State.PRUNED}:
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
        if state is State.PRUNED or told != true:
            _log.error("event=row_mended id=%s was=%s", capture_id, state)
            outbox.mend(kept)
            mended += 1
    return mended


def _in_order(records: list[Kept]) -> list[Kept]:
    """One chain after the other, by when they began, as far as a clock knew."""
    began: dict[str, str] = {}
    for label in (one.label for one in records):
        began[label.chain] = min(label.utc, began.get(label.chain, label.utc))
    return sorted(records, key=lambda one: (began[one.label.chain], one.label.seq))


def _verify(path: Path, keys: Collection[PublicKey]) -> Kept:
    """What a queue keeps of a record. Raises NotGenuine, or OSError where it cannot be read."""
    content = None if path.is_dir() else read_plain(path, LARGEST_RECORD_BYTES + 1)
    if content is None or len(content) > LARGEST_RECORD_BYTES:
        raise NotGenuine("not a plain file of a record's size")
    found = recordfile.check(content)
    if found.key not in keys or found.label.capture_id != path.stem:
        raise NotGenuine("made by another device, or under another name")
    digest = hashlib.sha256(content).hexdigest()
    return Kept(found.label, found.label_sha256, len(content), digest)


def _set_aside(layout: Layout, torn: list[tuple[Path, NotGenuine]]) -> int:
    """Move what does not verify; how many could not be."""
    stuck = 0
    for path, error in torn:
        try:
            path.rename(_free_name(layout.torn / path.name))
            _log.error("event=torn file=%s why=%r", path.name, str(error))
        except OSError as why:  # another user's folder, for one
            _log_stuck(path, why)
            stuck += 1
    if len(torn) > stuck:
        with disk_errors("cannot set aside what does not verify"):
            sync_folder(layout.torn)
            sync_folder(layout.records)
    return stuck


_STUCK: Final[set[Path]] = set()
"""What was logged by this process, each once."""


def _log_stuck(path: Path, error: OSError) -> None:
    if path not in _STUCK:
        _STUCK.add(path)
        line = "event=stuck file=%s error=%r meaning=skipped_look_at_it"
        _log.error(line, path.name, error.strerror)


def _free_name(target: Path) -> Path:
    """The name itself, or with a number behind it: a rename would delete what has it already."""
    names = (target.with_name(f"{target.name}.{number}") for number in count(1))
    return next(name for name in chain([target], names) if not os.path.lexists(name))


def _counted(swept: Swept) -> Iterator[str]:
    for name in Swept.__dataclass_fields__:
        yield f"{name}={getattr(swept, name)}"
