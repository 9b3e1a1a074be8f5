"""What a power cut left behind: sweep the folder, adopt what verifies, find the chain's head."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent import recordfile
from agent.errors import NotGenuine
from agent.journal import Head, Kept
from agent.layout import Layout
from agent.models import CaptureId, State
from agent.outbox import Outbox
from agent.signing import PublicKey
from agent.storage import disk_errors, sync_folder

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweep found and did.

    Attributes:
        parts: unfinished files deleted; green was never shown for them.
        adopted: whole records without a row, queued.
        torn: files that do not verify, moved to `torn/`.
        damaged: rows whose file is gone, marked DAMAGED.
        pruned: delivered rows whose file is gone, marked PRUNED.
    """

    parts: int
    adopted: int
    torn: int
    damaged: int
    pruned: int


def sweep(layout: Layout, outbox: Outbox, key: PublicKey) -> Swept:
    """Bring files and rows together again; a second sweep changes nothing.

    Held under `capture.lock`. Nothing but unfinished `.part` files is deleted.

    Raises:
        StorageFault: the disk failed.
    """
    with disk_errors("cannot read the records"):
        names = sorted(path.name for path in layout.records.iterdir())
        parts = [layout.records / name for name in names if name.endswith(".part")]
        for part in parts:
            part.unlink()
    files = {CaptureId(name.removesuffix(".rec")) for name in names if name.endswith(".rec")}
    known = outbox.states()
    strays = [layout.record(capture_id) for capture_id in sorted(files - known.keys())]
    kept, torn = _verify(strays, key)
    for record in kept:
        file = (record.file_bytes, record.file_sha256)
        outbox.add(record.label, record.label_sha256, file, adopted=True)
    _set_aside(layout, torn)
    damaged, pruned = _missing(outbox, known, files)
    swept = Swept(len(parts), len(kept), len(torn), damaged, pruned)
    if swept != Swept(0, 0, 0, 0, 0):
        _log.warning("event=swept %s", " ".join(_counted(swept)))
    return swept


def _verify(strays: list[Path], key: PublicKey) -> tuple[list[Kept], list[Path]]:
    kept, torn = [], []
    for path in strays:
        with disk_errors(f"cannot read {path.name}"):
            content = path.read_bytes()
        try:
            opened = recordfile.unpack(content)
            if opened.key != key or f"{opened.label.capture_id}.rec" != path.name:
                raise NotGenuine("made by another device, or under another name")  # noqa: TRY301
        except NotGenuine as error:
            _log.error("event=torn file=%s why=%r", path.name, str(error))
            torn.append(path)
            continue
        digest = hashlib.sha256(content).hexdigest()
        kept.append(Kept(opened.label, opened.label_sha256, len(content), digest))
    return sorted(kept, key=lambda record: (record.label.chain, record.label.seq)), torn


def _set_aside(layout: Layout, torn: list[Path]) -> None:
    with disk_errors("cannot set aside what does not verify"):
        for path in torn:
            path.rename(layout.torn / path.name)
        if torn:
            sync_folder(layout.torn)
            sync_folder(layout.records)


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
    return damaged, pruned


def _counted(swept: Swept) -> Iterator[str]:
    for name in Swept.__dataclass_fields__:
        yield f"{name}={getattr(swept, name)}"


def head(outbox: Outbox) -> Head | None:
    """Where the chain goes on, after a sweep; None where there is no record at all."""
    newest = outbox.newest()
    if newest is None:
        return None
    return Head(newest.chain, newest.seq, newest.label_sha256)
