"""Queues that keep photos on the disk: ours, and one that Python projects use for it."""

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import persistqueue

from agent.capture import record_json
from agent.capture.record_json import Provenance, StoredPhoto, Trigger
from agent.capture.record_writer import RecordWriter, new_id
from agent.identity.device_key import device_key
from agent.models import UNASSIGNED, ChainHead, Item, QualityReport, QualityVerdict, RecordKind
from agent.queue import labels
from agent.queue.database import Database
from agent.queue.disk import RECORD_MODE, write_durably
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.queue.queue_repair import QueueRepair
from agent.record import file as recordfile
from agent.sync.read_verified import read_verified
from hardware.camera import Frame
from hardware.clock import BUILT
from hardware.clock_system import SystemClock, boot_id
from hardware.power import PowerReading
from tests.bench.bare import PHOTO_BYTES, Sizes
from tests.faults.powercut.stage import frames
from tests.support.sealed import left_plain

LONG_BYTES: Final = (860_000,) * 5
"""Items that fill a write-ahead log: SQLite empties it at 1000 pages of 4 KB. Ours reads no value
of more than 1 MiB, and lets all of SQLite in this process have 32 MiB."""

ALL: Final = 1_000_000
"""More records than any queue here has."""


class Queue(Protocol):
    """A queue that keeps photos in a folder; used from one thread."""

    def grow(self) -> None:
        """Leave the files of a queue in use: its log was full, and what filled it is out."""

    def put(self, photo: bytes) -> None:
        """Return when the photo is called kept."""

    def photos(self) -> Iterator[bytes]:
        """Yield what waits, by the queue's own means."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Contender:
    """A queue with its settings.

    Attributes:
        name: in the table.
        open: opens or makes it in a folder, with all that it does after a power cut.
        how: its settings, in words.
    """

    name: str
    open: Callable[[Path], Queue]
    how: str = ""


class OurQueue:
    """The product's chain and outbox, as its capture process wires them."""

    def __init__(self, layout: Layout, device_id: str = "bench") -> None:
        layout.make()
        self.layout = layout
        key, _ = device_key(layout)
        self.database = Database(layout, migrates=True)
        self.close = self.database.close
        self.outbox = Outbox(self.database, boot_id())
        repair = QueueRepair(
            layout,
            self.database,
            self.outbox,
            [key.public_key()],
            time.monotonic_ns,
            alive=lambda: None,
        )
        repair.start()
        seen = labels.read_labels(layout)
        head = labels.head(layout, seen, key.public_key(), device_id)
        self._moment = SystemClock(BUILT).now()
        self._ticks = count()
        self._writer = RecordWriter(
            layout,
            self.outbox,
            key=key,
            device_id=device_id,
            head=head or ChainHead(str(uuid.uuid4()), 0, None),
            seal=left_plain,
            newest=labels.newest_of_each_chain(seen),
            repair=repair,
        )

    def grow(self) -> None:
        with self.database.step() as sql:
            rows = [(f"long {number}", " " * size) for number, size in enumerate(LONG_BYTES)]
            sql.executemany("INSERT INTO facts VALUES (?, ?)", rows)
        self.tick()

    def put(self, photo: bytes) -> None:
        self._writer.append(RecordKind.PHOTO, self._moment, record_of(photo), photo)

    def add(self, image: bytes) -> Item:
        """Add a record with its own variant of a photo; it is durable, and due at once."""
        capture_id = new_id()
        photo = image + capture_id.encode()
        self._writer.append(
            RecordKind.PHOTO, self._moment, record_of(photo), photo, capture_id=capture_id
        )
        return self.outbox.get(capture_id)

    def photos(self) -> Iterator[bytes]:
        for item in self.outbox.items(None, 0, ALL):
            content = read_verified(self.layout.record(item.capture_id), item)
            photo = recordfile.unpack(content).photo if isinstance(content, bytes) else None
            if photo is not None:
                yield photo

    def tick(self) -> None:
        """Write one page of SQLite's log."""
        with self.database.step() as sql:
            tick = str(next(self._ticks))
            sql.execute("INSERT OR REPLACE INTO facts VALUES ('tick', ?)", (tick,))

    def log_pages(self) -> int:
        """Return how many pages SQLite's log holds now."""
        return frames(self.layout)

    def sizes(self) -> Sizes:
        """Keep one photo and return what was written; the log may not be emptied just then."""
        before = self.log_pages()
        self.put(new_photo())
        newest = self.outbox.items(None, 0, ALL)[-1]
        return Sizes(newest.bytes, self.log_pages() - before)


class SignedQueue(OurQueue):
    """The product's file and row, of a record that was signed before."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        item = self.add(new_photo())
        self._content = layout.record(item.capture_id).read_bytes()
        self._label = recordfile.unpack(self._content).label
        self._numbers = count(item.seq + 1)

    def put(self, photo: bytes) -> None:
        """Keep a record with a number of its own; the bytes are always the same."""
        del photo
        label = replace(self._label, capture_id=new_id(), seq=next(self._numbers))
        write_durably(self.layout.record(label.capture_id), self._content, RECORD_MODE)
        digest = f"{label.seq:064x}"  # as long as a real one, which would take time
        self.outbox.add(label, digest, (len(self._content), digest), adopted=False)


def in_folder(folder: Path) -> OurQueue:
    """Open or make the product's queue there."""
    return OurQueue(Layout(folder / "state", folder / "run"))


class AckQueue:
    """persist-queue's SQLiteAckQueue, as it comes."""

    def __init__(self, folder: Path) -> None:
        self._queue = persistqueue.SQLiteAckQueue(str(folder))

    def grow(self) -> None:
        for size in (*LONG_BYTES, 1):
            self.put(bytes(size))
            self._queue.ack(self._queue.get())
            self._queue.clear_acked_data(keep_latest=0)

    def put(self, photo: bytes) -> None:
        self._queue.put(photo)

    def photos(self) -> Iterator[bytes]:
        for _ in range(self._queue.qsize()):
            yield self._queue.get(block=False)

    def close(self) -> None:
        self._queue.close()


OURS: Final = Contender(
    "doorstep",
    in_folder,
    "the product's own code, from a JPEG in memory to its row: digests, tar, signature, file, row; "
    "EXIF and JPEG are made before",
)

OTHER: Final = Contender(
    "persist-queue SQLiteAckQueue",
    AckQueue,
    "as it comes: SQLite's log, flushed at each commit (SQLite's own default); the median "
    "leaves out every 13th photo, which empties the log, as it does every 166th of ours",
)


def record_of(photo: bytes) -> dict[str, Any]:
    """Return what the capture process says of a photo: its digest is the part that takes time."""
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 8000, 1.0, 400.0, time.monotonic_ns())
    scores = {"clipped_pct": 0.4, "mean_pct": 41.0, "noise": 0.38, "sharpness": 353.0}
    return record_json.photo_record(
        Provenance(simulated=True, manifest="off"),
        Trigger("command", "bench"),
        StoredPhoto(hashlib.sha256(photo).hexdigest(), len(photo), frame, False, 0, "switched off"),
        QualityReport(QualityVerdict.OK, scores, "bench"),
        stop=UNASSIGNED,
        fix=None,
        power=PowerReading(80, False, False),
        retake_of=None,
    )


def new_photo() -> bytes:
    """Return bytes that no compression and no other photo helps with."""
    return os.urandom(PHOTO_BYTES)
