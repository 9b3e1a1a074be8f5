"""The chain of records: each one signed, written durably, then queued, in this order."""

import hashlib
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

from agent.errors import NotNow, QueueBroken, StorageFault
from agent.models import Body, CaptureId, ChainHead, RecordKind, RecordLabel, StoredRecord, rfc3339
from agent.queue.disk import RECORD_MODE, release_ballast, write_durably
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.queue.queue_repair import QueueRepair, check_not_corrupt
from agent.record import file as recordfile
from agent.record.signing import PrivateKey
from hardware.clock import Moment


class NotQueued(StorageFault):
    """The record's file is in place and safe; its row follows at the next tick, or next start."""

    def __init__(self, label: RecordLabel, error: Exception) -> None:
        super().__init__(f"{label.capture_id} is kept, but not yet queued: {error}")
        self.label = label


Sealing = Callable[[bytes, bool], tuple[bytes, str]]
"""Function from a packed body, and if it has a photo, to the stored body and its media type."""


def new_id() -> CaptureId:
    """Make the id of a record."""
    return CaptureId(str(uuid.uuid4()))


class RecordWriter:
    """The writer of a device's records, one after the other; only the capture process has one.

    `seal` seals each body before any byte of it is written.
    `newest` are the newest records on the card, by chain; None if they could not be read.
    `repair` makes a broken queue again from the files; without it, a broken queue is an error
    like any other.
    """

    def __init__(
        self,
        layout: Layout,
        outbox: Outbox,
        *,
        key: PrivateKey,
        device_id: str,
        head: ChainHead,
        seal: Sealing,
        newest: Mapping[str, CaptureId] | None,
        repair: QueueRepair | None = None,
    ) -> None:
        self._layout = layout
        self._outbox = outbox
        self._key = key
        self._device_id = device_id
        self._head = head
        self._seal = seal
        self.has_read_all = newest is not None
        self._newest = dict(newest or {})
        self._repair = repair
        self._unqueued: list[StoredRecord] = []

    def append(
        self,
        kind: RecordKind,
        moment: Moment,
        record: dict[str, Any],
        photo: bytes | None = None,
        *,
        capture_id: CaptureId | None = None,
        about: CaptureId | None = None,
    ) -> RecordLabel:
        """Make one record; when this returns, its file and its row survive a power cut.

        `capture_id` is new unless given; a photo's EXIF names it before there is a label.

        The number is used only when the file is in place, so that the chain has no gaps.

        Raises:
            StorageFull: no room; the number is free again.
            StorageFault: the disk failed; the number is free again.
            NotQueued: the record exists, and has its number, but not yet its row.
        """
        packed = recordfile.pack_body(record, photo, moment.utc)
        body, media_type = self._seal(packed, photo is not None)
        told = recordfile.describe(body, media_type)
        label = self._label(capture_id or new_id(), kind, moment, told, about)
        self._keep_file(label, recordfile.sign(label, body, self._key))
        try:
            self.queue_leftovers()
        except (StorageFault, NotNow) as error:
            raise NotQueued(label, error) from error
        return label

    def newest(self) -> Collection[CaptureId]:
        """Return the records that the next label may build on: the newest of each chain."""
        return self._newest.values()

    def is_whole(self) -> bool:
        """Return True if the queue has every record on the card, as far as was checked."""
        return not self._unqueued and (self._repair is None or self._repair.is_whole)

    def tick(self) -> int:
        """Sweep if it is time; queue leftovers; return how many. Raises as `Outbox.add` does."""
        if self._repair is not None:
            self._repair.tick()
        return self.queue_leftovers()

    def queue_leftovers(self) -> int:
        """Queue records with a file but no row; return how many. Raises as `Outbox.add` does.

        A queue that this or another process found broken is made again first.
        """
        try:
            return self._queue()
        except QueueBroken as error:
            if self._repair is None:
                raise
            self._repair.repair(error)
            return self._queue()

    def _keep_file(self, label: RecordLabel, content: bytes) -> None:
        """Commit: from here on the record exists, even if its row fails."""
        release_ballast(self._layout.ballast)
        write_durably(self._layout.record(label.capture_id), content, RECORD_MODE)
        digest = recordfile.label_digest(content)
        self._head = ChainHead(label.chain, label.seq, digest)
        self._newest[label.chain] = label.capture_id
        file_sha256 = hashlib.sha256(content).hexdigest()
        self._unqueued.append(StoredRecord(label, digest, len(content), file_sha256))

    def _queue(self) -> int:
        check_not_corrupt(self._layout)
        waiting = len(self._unqueued)
        while self._unqueued:
            kept = self._unqueued[0]
            self._outbox.add(
                kept.label,
                kept.label_sha256,
                (kept.file_bytes, kept.file_sha256),
                adopted=False,
            )
            del self._unqueued[0]
        return waiting

    def _label(
        self,
        capture_id: CaptureId,
        kind: RecordKind,
        moment: Moment,
        body: Body,
        about: CaptureId | None,
    ) -> RecordLabel:
        return RecordLabel(
            v=1,
            capture_id=capture_id,
            device_id=self._device_id,
            chain=self._head.chain,
            seq=self._head.seq + 1,
            prev=self._head.label_sha256,
            boot_id=moment.boot_id,
            kind=kind,
            about=about,
            utc=rfc3339(moment.utc),
            monotonic_ns=moment.monotonic_ns,
            clock=moment.source,
            body=body,
        )
