"""The order that the capture process keeps between presses: the time, and the right to write."""

import logging
import os
from collections.abc import Callable
from typing import Final

from agent.capture import record_json
from agent.capture.dating import Dates
from agent.capture.documents import Documents
from agent.capture.pruning import Pruning
from agent.capture.record_json import Provenance
from agent.capture.record_writer import NotQueued, RecordWriter
from agent.capture.timekeeping import Timekeeping
from agent.config import Config
from agent.errors import DoorstepError, StorageFault
from agent.models import QueueCounts, RecordKind, RecordLabel
from agent.queue import disk
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.rule.policy import Absent
from agent.status import kept
from agent.status.document import queue_part
from hardware.board import Board
from hardware.change_detector import ChangeDetector
from hardware.clock import Clock, ClockSource, Moment

_log = logging.getLogger(__name__)

ASK_SHUT_OUT_S: Final = 10.0
"""Shortest time between two looks at all waiting rows: one takes 60 ms for 100,000 rows.

Measured in November 2026 on x86-64, not on a Pi.
"""

EVERY_S: Final = 60.0
"""Interval at which the status is kept: its reader sees its age."""


class KeptStatus:
    """The state of the queue in `run/status.json`, to read while no process has the database open.

    It is written in the loop's thread; a failure delays nothing.

    Args:
        layout: the paths of the state folder.
        outbox: the queue to report on; if it cannot be read, the file says so.
        clock: dates the file.
        now_ns: returns CLOCK_MONOTONIC.
    """

    def __init__(
        self, layout: Layout, outbox: Outbox, clock: Clock, now_ns: Callable[[], int]
    ) -> None:
        self._layout = layout
        self._outbox = outbox
        self._clock = clock
        self._now_ns = now_ns
        self._due_ns = 0
        self._failed = ChangeDetector[str | None](None)

    def tick(self) -> None:
        """Write the status when it is time."""
        if self._now_ns() >= self._due_ns:
            self.keep()

    def keep(self) -> None:
        """Write the status now."""
        self._due_ns = self._now_ns() + int(EVERY_S * 1e9)
        try:
            kept.keep_queue(self._layout, queue_part(self._outbox), self._clock.now().utc)
        except StorageFault as error:
            if self._failed.changed(str(error)):
                _log.error("event=status_not_kept error=%r", str(error))
        else:
            self._failed.last = None


class Housekeeping:
    """The work of each second; `is_ready` may be called from any thread."""

    def __init__(
        self,
        config: Config,
        board: Board,
        writer: RecordWriter,
        outbox: Outbox,
        documents: Documents,
        *,
        dates: Dates,
        now_ns: Callable[[], int],
    ) -> None:
        self._board = board
        self._writer = writer
        self._outbox = outbox
        self._layout = Layout.of(config.state)
        self._reserve_bytes = config.state.reserve_mb * 1_000_000
        self._documents = documents
        self._dates = dates
        self._dated_by = ClockSource.NTP  # until the queue can be asked: at the first tick
        self._has_asked = False
        self._writable = ChangeDetector(last=True)
        self._timekeeping = Timekeeping(config, board, documents.receipts)
        self._pruning = Pruning(
            config,
            writer,
            documents.fleet,
            certain_now=self._timekeeping.certain_now,
            now_ns=now_ns,
        )
        self._now_ns = now_ns
        self._shut_out = False
        self._ask_shut_out_ns = 0  # CLOCK_MONOTONIC; 0 for at once
        self._status = KeptStatus(self._layout, outbox, board.clock, now_ns)

    def tick(self) -> None:
        """Learn the time from a fix, and do all that is due: rows, ballast, times, pruning."""
        self._timekeeping.learn()
        try:
            if not self._writable.last:
                disk.write_durably(self._layout.state / "capture.probe", b"writable\n")
            if self._writer.tick() or not self._has_asked:  # first: it repairs a broken queue
                self._dated_by, self._has_asked = self._outbox.dated_by(), True
            if self.has_room():
                disk.reserve_ballast(self._layout.ballast)
            self._documents.tick()
            self._date_boot()
            self._outbox.due_s()  # it reports a queue that cannot be read, or is gone
            self._timekeeping.keep()
            self._pruning.tick()
        except StorageFault as error:
            if self._writable.changed(now=False):
                _log.error("event=storage_fault error=%r", str(error))
        else:
            if self._writable.changed(now=True):
                _log.info("event=storage_back")
        self._status.tick()

    def end(self) -> None:
        """Keep the status after the last tick: from now on capture does not maintain the queue."""
        self._status.keep()

    def has_room(self) -> bool:
        """Return True if the reserve is free, if necessary after pruning what receipts cover.

        Unsent records are never pruned.

        Raises:
            StorageFault: the disk or the database failed.
        """
        if self._room_bytes() < self._reserve_bytes:
            self._pruning.make_room(self._reserve_bytes)
        return self._room_bytes() >= self._reserve_bytes

    def kept(self, label: RecordLabel) -> None:
        """Note that a record was written, so that others can be."""
        self._dates = self._dates.after_label(label)
        clock = ClockSource(label.clock)
        if self._dated_by.beats(clock):
            self._dated_by = clock
        self._writable.last = True

    def failed(self) -> None:
        """Note that a record was not written: not ready until a tick could write."""
        self._writable.last = False

    def is_ready(self) -> bool:
        """Return True if a press could leave its photo where the rule permits one."""
        manifest = self._documents.manifest.in_force()
        has_manifest = manifest not in (Absent.MISSING, Absent.EXPIRED)
        return self._documents.fleet.is_enrolled and has_manifest and self.may_write()

    def may_write(self) -> bool:
        """Return True if the card takes a photo; from any thread."""
        try:
            room_bytes = self._room_bytes()
        except StorageFault:
            return False
        takes_files = self._writable.last and os.access(self._layout.records, os.W_OK)
        return takes_files and room_bytes >= self._reserve_bytes

    def is_whole(self) -> bool:
        """Return True if records can be written, and the queue has every record on the card."""
        return self.may_write() and self._writer.is_whole()

    def counts(self) -> QueueCounts | None:
        """Count the records in the queue; None if it cannot be read."""
        try:
            return self._outbox.counts()
        except DoorstepError:
            return None

    def is_shut_out(self) -> bool:
        """Return whether the backend lets in none of the waiting records, up to 10 s ago."""
        now_ns = self._now_ns()
        if now_ns >= self._ask_shut_out_ns:
            self._ask_shut_out_ns = now_ns + int(ASK_SHUT_OUT_S * 1e9)
            try:
                self._shut_out = self._outbox.is_shut_out()
            except DoorstepError:
                self._shut_out = False
        return self._shut_out

    def _room_bytes(self) -> int:
        return disk.room_bytes(self._layout.records, self._layout.ballast)

    def _date_boot(self) -> None:
        """Write a `time` record if records of this boot have a worse or a contradicting date.

        The last `time` record of the best source dates the boot. The queue knows the earlier ones;
        it is read only when something may have changed.
        """
        moment = self._board.clock.now()
        if self._dates.is_time_record_due(moment):
            self._keep_time(moment)
        elif moment.source.beats(self._dated_by):
            if moment.source.beats(self._outbox.dated_by()):
                self._keep_time(moment)
            self._dated_by = moment.source

    def _keep_time(self, moment: Moment) -> None:
        provenance = Provenance(
            simulated=self._board.simulated, manifest=self._documents.manifest.version()
        )
        told = record_json.time_record(provenance, moment)
        try:
            label = self._writer.append(RecordKind.TIME, moment, told)
        except NotQueued as error:  # the record exists all the same
            self._dates = self._dates.after_label(error.label)
            raise
        self._dates = self._dates.after_label(label)
