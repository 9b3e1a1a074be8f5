"""What a power cut left behind: sweep the folder, adopt what verifies, find the chain's head."""

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final, assert_never

from agent.errors import NotGenuine, QueueBroken
from agent.models import CaptureId, Head, Kept, Label, State
from agent.queue.database import Database
from agent.queue.disk import disk_errors, sync_folder
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.record import file as recordfile
from agent.record.signing import PublicKey
from hardware.clock import ClockSource

_log = logging.getLogger(__name__)

PAGE: Final = 100
"""Records that are queued in one transaction: each is a sign of life."""

ENOUGH: Final = 5
"""So many queues set aside are bad luck; from then on a restart does not hurry the next either."""

MEND_EVERY_S: Final = 60.0
"""A card that breaks each new queue within a minute is beyond mending."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweep found and did.

    Attributes:
        parts: unfinished files deleted; green was never shown for them.
        adopted: whole records without a row, queued.
        torn: what is no record of this device's, or has another's number; moved to `torn/`.
        damaged: rows whose file is gone, marked DAMAGED.
        pruned: delivered rows whose file is gone, marked PRUNED.
    """

    parts: int
    adopted: int
    torn: int
    damaged: int
    pruned: int


class Mending:
    """Makes a broken queue again from the record files; held under `capture.lock`.

    `now_ns` tells CLOCK_MONOTONIC; `alive` is called again and again while a sweep gets on.
    """

    def __init__(
        self,
        layout: Layout,
        database: Database,
        outbox: Outbox,
        keys: Collection[PublicKey],
        now_ns: Callable[[], int],
        *,
        alive: Callable[[], None],
    ) -> None:
        self._layout = layout
        self._database = database
        self._outbox = outbox
        self._keys = keys
        self._now_ns = now_ns
        self._alive = alive
        self._last_ns: int | None = None

    def start(self) -> None:
        """Sweep; where the queue is broken, mend it first. Raises StorageFault."""
        try:
            self._sweep()
        except QueueBroken as error:
            self.mend(error)

    def mend(self, error: QueueBroken) -> None:
        """Set the queue aside, and fill a new one; the others may run meanwhile.

        What only the rows knew is asked again of the backend: receipts, refusals, uploads begun.

        Raises:
            QueueBroken: the same, when the last time was less than a minute ago.
            StorageFault: the disk failed.
        """
        now_ns = self._now_ns()
        is_soon = self._last_ns is not None and now_ns - self._last_ns < MEND_EVERY_S * 1e9
        before_s = self._database.set_aside_s()
        if len(before_s) >= ENOUGH:
            is_soon |= 0 <= time.time() - max(before_s) < MEND_EVERY_S
        if is_soon:
            raise error
        self._last_ns = now_ns
        aside = self._database.set_aside()
        _log.error("event=queue_set_aside file=%s why=%r", aside.name, str(error))
        self._sweep()

    def _sweep(self) -> None:
        if self._layout.rebuild_mark.exists():
            raise QueueBroken("another process found it broken")
        sweep(self._layout, self._outbox, self._keys, self._alive)


def sweep(
    layout: Layout, outbox: Outbox, keys: Collection[PublicKey], alive: Callable[[], None]
) -> Swept:
    """Bring files and rows together again; a second sweep changes nothing.

    `keys` are all that this device ever signed with; `alive` is called after each stray record.
    Held under `capture.lock`. Nothing but unfinished `.part` files is deleted.

    Raises:
        StorageFault: the disk failed.
    """
    with disk_errors("cannot read the records"):
        paths = sorted(layout.records.iterdir())
        parts = [path for path in paths if path.suffix == ".part" and path.is_file()]
        for part in parts:
            part.unlink()
        named = [path for path in paths if path.suffix == ".rec"]
        files = {CaptureId(path.stem) for path in named if path.is_file()}
    known = outbox.states()
    whole = files & known.keys()
    strays = [path for path in named if path.stem not in whole]
    adopted = _adopt(layout, outbox, strays, keys, alive)
    damaged, pruned = _missing(outbox, known, files)
    swept = Swept(len(parts), adopted, len(strays) - adopted, damaged, pruned)
    if swept != Swept(0, 0, 0, 0, 0):
        _log.warning("event=swept %s", " ".join(_counted(swept)))
    return swept


def _adopt(
    layout: Layout,
    outbox: Outbox,
    strays: list[Path],
    keys: Collection[PublicKey],
    alive: Callable[[], None],
) -> int:
    """Queue the records among the strays, each chain in order; set the others aside. How many."""
    kept, torn = [], []
    for path in strays:
        try:
            kept.append(_verify(path, keys))
        except NotGenuine as error:
            torn.append((path, error))
        alive()
    kept = _in_order(kept)
    for start in range(0, len(kept), PAGE):
        for one in outbox.adopt(kept[start : start + PAGE]):
            words = f"another record has its number, {one.label.seq}"
            torn.append((layout.record(one.label.capture_id), NotGenuine(words)))
        alive()
    _set_aside(layout, torn)
    return len(strays) - len(torn)


def _in_order(records: list[Kept]) -> list[Kept]:
    """One chain after the other, by when they began, as far as a clock knew."""
    began: dict[str, str] = {}
    for label in (one.label for one in records):
        began[label.chain] = min(label.utc, began.get(label.chain, label.utc))
    return sorted(records, key=lambda one: (began[one.label.chain], one.label.seq))


def _verify(path: Path, keys: Collection[PublicKey]) -> Kept:
    with disk_errors(f"cannot read {path.name}"):
        if not path.is_file() or path.stat().st_size > recordfile.LARGEST_BYTES:
            raise NotGenuine("not a plain file of a record's size")
        content = path.read_bytes()
    opened = recordfile.unpack(content)
    if opened.key not in keys or opened.label.capture_id != path.stem:
        raise NotGenuine("made by another device, or under another name")
    digest = hashlib.sha256(content).hexdigest()
    return Kept(opened.label, opened.label_sha256, len(content), digest)


def _set_aside(layout: Layout, torn: list[tuple[Path, NotGenuine]]) -> None:
    with disk_errors("cannot set aside what does not verify"):
        for path, error in torn:
            _log.error("event=torn file=%s why=%r", path.name, str(error))
            path.rename(_free_name(layout.torn / path.name))
        if torn:
            sync_folder(layout.torn)
            sync_folder(layout.records)


def _free_name(target: Path) -> Path:
    """The name itself, or with a number behind it: a rename would delete what has it already."""
    names = (target.with_name(f"{target.name}.{number}") for number in count(1))
    return next(name for name in chain([target], names) if not os.path.lexists(name))


def _missing(
    outbox: Outbox, known: dict[CaptureId, State], files: set[CaptureId]
) -> tuple[int, int]:
    damaged = pruned = 0
    for capture_id, state in known.items():
        if capture_id in files:
            continue
        match state:
            case State.PENDING | State.REFUSED:
                outbox.mark_damaged(outbox.get(capture_id), "its file is gone")
                damaged += 1
            case State.DELIVERED:
                outbox.mark_pruned(outbox.get(capture_id))
                pruned += 1
            case State.PRUNED | State.DAMAGED:
                pass
            case other:
                assert_never(other)
    return damaged, pruned


def _counted(swept: Swept) -> Iterator[str]:
    for name in Swept.__dataclass_fields__:
        yield f"{name}={getattr(swept, name)}"


def head(layout: Layout, outbox: OutboxReader, key: PublicKey, device_id: str) -> Head | None:
    """Where this device and key go on, after a sweep; None where they have no chain to follow."""
    newest = outbox.newest()
    if newest is None:
        return None
    made = _label(layout, newest.capture_id)
    if made is not None and (made[0].device_id, made[1]) != (device_id, key):
        return None
    return Head(newest.chain, newest.seq, newest.label_sha256)


def gnss_label(
    layout: Layout, outbox: OutboxReader, keys: Collection[PublicKey], boot_id: str
) -> Label | None:
    """This boot's newest label that GNSS dated; None where there is none.

    What it says counts, not the row, which other processes can write too: signed by one of `keys`.
    """
    row = outbox.newest_by(ClockSource.GNSS)
    found = _label(layout, row.capture_id) if row else None
    if found is None or found[1] not in keys:
        return None
    label = found[0]
    return label if (label.boot_id, label.clock) == (boot_id, ClockSource.GNSS) else None


def boot_of(layout: Layout, capture_id: CaptureId) -> str | None:
    """The boot in which a record was made, as its own label says; None where no file tells."""
    found = _label(layout, capture_id)
    return found[0].boot_id if found else None


def _label(layout: Layout, capture_id: CaptureId) -> tuple[Label, PublicKey] | None:
    """A record's label and who signed it; None where its file does not tell.

    The id is a row's, and the file can be of any size and kind: neither may stop a start.
    """
    path = layout.record(capture_id)
    try:
        if not re.fullmatch(recordfile.UUID4, capture_id) or not path.is_file():
            return None
        with path.open("rb") as file:
            line = file.readline(recordfile.LABEL_LIMIT_BYTES + 1)
        return recordfile.open_label(line.removesuffix(b"\n"))
    except (OSError, NotGenuine):
        return None
