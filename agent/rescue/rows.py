"""The rows in the queue of a dead device, read in a copy of its own."""

import os
import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent.errors import DoorstepError, StorageFault
from agent.models import CaptureId, Item, RecordState
from agent.queue.database import Database
from agent.queue.disk import open_plain
from agent.queue.opening import LARGEST_BYTES
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.rescue.copying import CHUNK_BYTES, work_folder
from agent.rescue.places import below


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A row's contents; nothing confirms them."""

    capture_id: CaptureId
    chain: str
    seq: int
    is_delivered: bool


def rows(state: Path) -> list[QueueRow] | None:
    """Return all rows; None if they say nothing: gone, broken, or of a later release."""
    if (folder := below(state, "queue")) is None:
        return None
    with tempfile.TemporaryDirectory(prefix="doorstep-", dir=work_folder()) as name:
        layout = Layout(Path(name, "state"), Path(name, "run"))
        layout.make()
        try:
            _take(folder, layout)
            if layout.database.stat().st_size == 0:
                return None
            with closing(Database(layout, migrates=True)) as database:
                return [_row(item) for item in OutboxReader(database).every()]
        except (OSError, DoorstepError):
            return None


def _row(item: Item) -> QueueRow:
    is_delivered = item.state in {RecordState.DELIVERED, RecordState.PRUNED}
    return QueueRow(item.capture_id, item.chain, item.seq, is_delivered)


def _take(folder: Path, layout: Layout) -> None:
    """Copy the database and its log, without the index, which SQLite makes again."""
    for suffix in ("", "-wal"):
        target = layout.database.with_name(layout.database.name + suffix)
        try:
            source = open_plain(folder / target.name)
        except FileNotFoundError:
            continue
        if source is None:
            raise StorageFault("not a plain file")
        with source, target.open("wb") as copy:
            if os.fstat(source.fileno()).st_size > LARGEST_BYTES:
                raise StorageFault("larger than a queue")
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
