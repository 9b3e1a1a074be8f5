"""What the queue of a dead device says of its records, looked at in a copy of its own."""

import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import DoorstepError, StorageFault
from agent.models import CaptureId, State
from agent.queue.content import MOST_ROWS
from agent.queue.database import Database
from agent.queue.disk import read_plain
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.rescue.places import below

_LARGEST_BYTES: Final = 268_435_456
"""Of a queue that is looked at: 100,000 rows with their receipts are 180 MB."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says; nobody vouches for it."""

    capture_id: CaptureId
    chain: str
    seq: int
    is_delivered: bool


def rows(state: Path) -> list[Row] | None:
    """All of them; None where they say nothing: gone, broken, or of another release."""
    if (folder := below(state, "queue")) is None:
        return None
    with tempfile.TemporaryDirectory(prefix="doorstep-") as name:
        layout = Layout(Path(name, "state"), Path(name, "run"))
        layout.make()
        try:
            _take(folder, layout)
            with closing(Database(layout)) as database:
                items = OutboxReader(database).items(None, 0, MOST_ROWS)
        except (OSError, DoorstepError):
            return None
    gone = {State.DELIVERED, State.PRUNED}
    return [Row(one.capture_id, one.chain, one.seq, one.state in gone) for one in items]


def _take(folder: Path, layout: Layout) -> None:
    """The database and its log, without the index, which SQLite makes anew."""
    for suffix in ("", "-wal"):
        target = layout.database.with_name(layout.database.name + suffix)
        try:
            content = read_plain(folder / target.name, _LARGEST_BYTES + 1)
        except FileNotFoundError:
            continue
        if content is None or len(content) > _LARGEST_BYTES:
            raise StorageFault("not a plain file of a queue's size")
        if content:
            target.write_bytes(content)
