"""Queues that keep photos on the disk: ours, and what Python projects use for it."""

import hashlib
import os
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import litequeue  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import persistqueue

from agent.capture import record_json
from agent.capture.chain import Chain
from agent.capture.record_json import Photo, Setting, Trigger
from agent.models import UNASSIGNED, Head, Kind, QualityReport, Verdict
from agent.queue import disk, labels
from agent.queue.database import Database
from agent.queue.mending import Mending
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record import signing
from agent.sync.reread import reread
from hardware.camera import Frame
from hardware.clock import BUILT
from hardware.clock_system import SystemClock, boot_id
from hardware.power import PowerReading
from tests.powercut.stage import frames
from tests.support.sealed import left_plain

PHOTO_BYTES: Final = 300_000
"""A photo of 2304x1296 at JPEG quality 70."""

LONG_BYTES: Final = (860_000,) * 5
"""Items that fill a write-ahead log: SQLite empties it at 1000 pages of 4 KB. Ours reads no value
of more than 1 MiB, and lets all of SQLite in this process have 32 MiB."""

PAGE: Final = 100
"""Rows that are read at once: enough that the reading does not show in the figures."""


class Keeper(Protocol):
    """What keeps photos in a folder; used from one thread."""

    def grow(self) -> None:
        """Leaves the files of a queue in use: its log was full, and what filled it is out."""

    def put(self, photo: bytes) -> None:
        """Returns when the photo is called kept."""

    def close(self) -> None: ...


class Queue(Keeper, Protocol):
    """A keeper that gives photos back."""

    def photos(self) -> Iterator[bytes]:
        """Yields what waits, by the queue's own means."""


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
    how: str


class OurQueue:
    """The product's chain and outbox, as its capture process wires them."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder / "state", folder / "run")
        self.layout.make()
        key = _device_key(self.layout.capture_keys / "device.pem")
        self._database = Database(self.layout, migrates=True)
        self._outbox = Outbox(self._database, boot_id())
        mending = Mending(
            self.layout,
            self._database,
            self._outbox,
            [key.public_key()],
            time.monotonic_ns,
            alive=lambda: None,
        )
        mending.start()
        seen = labels.glances(self.layout)
        head = labels.head(self.layout, seen, key.public_key(), "bench")
        self._moment = SystemClock(BUILT).now()
        self._ticks = 0
        self._chain = Chain(
            self.layout,
            self._outbox,
            key=key,
            device_id="bench",
            head=head or Head(str(uuid.uuid4()), 0, None),
            seal=left_plain,
            mending=mending,
        )

    def grow(self) -> None:
        with self._database.step() as sql:
            rows = [(f"long {number}", " " * size) for number, size in enumerate(LONG_BYTES)]
            sql.executemany("INSERT INTO facts VALUES (?, ?)", rows)
        self.tick()

    def put(self, photo: bytes) -> None:
        self._chain.keep(Kind.PHOTO, self._moment, _record(photo), photo)

    def photos(self) -> Iterator[bytes]:
        last = 0
        while items := self._outbox.items(None, last, PAGE):
            for item in items:
                content = reread(self.layout.record(item.capture_id), item)
                photo = recordfile.unpack(content).photo if isinstance(content, bytes) else None
                if photo is not None:
                    yield photo
            last = items[-1].number

    def tick(self) -> None:
        """Writes one page of SQLite's log."""
        self._ticks += 1
        with self._database.step() as sql:
            sql.execute("INSERT OR REPLACE INTO facts VALUES ('tick', ?)", (str(self._ticks),))

    def log_pages(self) -> int:
        """Returns how many pages SQLite's log holds now."""
        return frames(self.layout)

    def newest_bytes(self) -> int:
        """Returns the size of the newest record's file; raises LookupError without one."""
        for item in self._outbox.items(None, 0, 1_000_000)[-1:]:
            return item.bytes
        raise LookupError("nothing was put")

    def close(self) -> None:
        self._database.close()


class _Other(ABC):
    """What all the others do in the same way."""

    def grow(self) -> None:
        for size in (*LONG_BYTES, 1):
            self.put(bytes(size))
            self.take()

    @abstractmethod
    def put(self, photo: bytes) -> None: ...

    @abstractmethod
    def take(self) -> None:
        """Takes the oldest out, for good."""


class FileQueue(_Other):
    """persist-queue's Queue: files of `chunksize` items each, and one that says where it ends."""

    def __init__(self, folder: Path, chunksize: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._queue = persistqueue.Queue(str(folder), chunksize=chunksize, tempdir=str(folder))

    def take(self) -> None:
        self._queue.get()
        self._queue.task_done()

    def put(self, photo: bytes) -> None:
        self._queue.put(photo)

    def photos(self) -> Iterator[bytes]:
        for _ in range(self._queue.qsize()):
            yield self._queue.get(block=False)

    def close(self) -> None:
        self._queue.headf.close()
        self._queue.tailf.close()


class AckQueue(_Other):
    """persist-queue's SQLiteAckQueue."""

    def __init__(self, folder: Path) -> None:
        self._queue = persistqueue.SQLiteAckQueue(str(folder))

    def take(self) -> None:
        self._queue.ack(self._queue.get())
        self._queue.clear_acked_data(keep_latest=0)

    def put(self, photo: bytes) -> None:
        self._queue.put(photo)

    def photos(self) -> Iterator[bytes]:
        for _ in range(self._queue.qsize()):
            yield self._queue.get(block=False)

    def close(self) -> None:
        self._queue.close()


class LiteQueue(_Other):
    """litequeue, which is made for text and takes bytes as well."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._queue = litequeue.LiteQueue(folder / "queue.db")

    def take(self) -> None:
        self._queue.done(self._queue.pop().message_id)
        self._queue.prune()

    def put(self, photo: bytes) -> None:
        self._queue.put(photo)

    def photos(self) -> Iterator[bytes]:
        while (message := self._queue.pop()) is not None:
            yield message.data

    def close(self) -> None:
        self._queue.close()


OURS: Final = Contender(
    "doorstep",
    OurQueue,
    "the product's own code, from a JPEG in memory to its row: digests, tar, signature, file, row; "
    "EXIF and JPEG are made before",
)

OTHERS: Final = (
    Contender("persist-queue Queue", partial(FileQueue, chunksize=100), "as it comes"),
    Contender(
        "persist-queue Queue, chunksize=1",
        partial(FileQueue, chunksize=1),
        "its most durable setting: it flushes a file once that has its number of items, and "
        "never the one that says how many there are",
    ),
    Contender(
        "persist-queue SQLiteAckQueue",
        AckQueue,
        "as it comes: SQLite's log, flushed at each commit (SQLite's own default); the median "
        "leaves out every 13th photo, which empties the log, as it does every 166th of ours",
    ),
    Contender(
        "litequeue",
        LiteQueue,
        "as it comes: it sets synchronous=NORMAL, and has no setting for another; it gets "
        "the bytes as they are, base64 would be a third more",
    ),
)


def _device_key(path: Path) -> signing.PrivateKey:
    if path.exists():
        return signing.read_private_key(path)
    key = signing.new_key()
    disk.write_durably(path, signing.private_pem(key), mode=0o600)
    return key


def _record(photo: bytes) -> dict[str, Any]:
    """What the capture process says of a photo: its digest is the one part that takes time."""
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 8000, 1.0, 400.0, time.monotonic_ns())
    scores = {"clipped_pct": 0.4, "mean_pct": 41.0, "noise": 0.38, "sharpness": 353.0}
    return record_json.photo_record(
        Setting(simulated=True, manifest="off"),
        Trigger("command", "bench"),
        Photo(hashlib.sha256(photo).hexdigest(), len(photo), frame, False, 0, "switched off"),
        QualityReport(Verdict.OK, scores, "bench"),
        stop=UNASSIGNED,
        fix=None,
        power=PowerReading(80, False, False),
        retake_of=None,
    )


def new_photo() -> bytes:
    """Returns bytes that no compression and no other photo helps with."""
    return os.urandom(PHOTO_BYTES)
