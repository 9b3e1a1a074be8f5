"""Deletes what receipts cover: by and by when its time has come, and earlier when room is short."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from agent.capture.record_writer import RecordWriter
from agent.config import Config
from agent.errors import ConfigError, NotNow, StorageFault
from agent.identity.current_fleet import CurrentFleet
from agent.queue import retention
from agent.queue.paths import Layout
from agent.queue.retention import Pruned
from agent.record.receipt import Keys
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)

FIRST_S: Final = 60.0
"""Time from the start to the first round: presses after a reboot come before old records."""

EVERY_S: Final = 3600.0
"""Interval between two rounds: a record stays for hours anyway."""


class Pruning:
    """A round each hour that deletes a page of records a second, so that no press waits for more.

    Args:
        config: how long records and their labels stay.
        writer: knows the newest records; nothing is deleted if it could not read the others.
        fleet: names who may sign receipts.
        certain_now: returns a time that has certainly been reached, or None.
        now_ns: returns CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        writer: RecordWriter,
        fleet: CurrentFleet,
        *,
        certain_now: Callable[[], datetime | None],
        now_ns: Callable[[], int],
    ) -> None:
        self._layout = Layout.of(config.state)
        self._settings = config.retention
        self._newest = writer.newest
        self._may_delete = writer.has_read_all
        self._fleet = fleet
        self._certain_now = certain_now
        self._now_ns = now_ns
        self._due_ns = now_ns() + int(FIRST_S * 1e9)
        self._round: Iterator[Pruned] = iter(())
        self._is_idle = True
        self._pruned = Pruned()
        self._keyless: ChangeDetector[str | None] = ChangeDetector(None)
        self._failed: ChangeDetector[str | None] = ChangeDetector(None)

    def tick(self) -> None:
        """Delete the next page of the round, or begin one when it is time."""
        if self._is_idle:
            if self._now_ns() < self._due_ns:
                return
            self._begin()
        try:
            pruned = next(self._round, None)
        except StorageFault as error:
            if self._failed.changed(str(error)):
                _log.error("event=prune_failed error=%r meaning=tried_again_in_an_hour", str(error))
            pruned = None
        else:
            self._failed.last = None
        if pruned is not None:
            self._pruned += pruned
            return
        self._is_idle = True
        if self._pruned != Pruned():
            _log.info("event=pruned files=%d labels=%d", self._pruned.files, self._pruned.labels)

    def make_room(self, wanted_bytes: int) -> None:
        """Delete a page of delivered records if less than `wanted_bytes` are free.

        Raises:
            StorageFault: the disk failed.
        """
        if self._may_delete and (keys := self._receipt_keys()):
            retention.make_room(self._layout, keys, wanted_bytes)

    def _begin(self) -> None:
        self._due_ns = self._now_ns() + int(EVERY_S * 1e9)
        self._is_idle, self._pruned, self._round = False, Pruned(), iter(())
        now = self._certain_now()
        if self._may_delete and now is not None and (keys := self._receipt_keys()):
            self._round = retention.prune(
                self._layout, self._settings, keys, now=now, newest=self._newest
            )

    def _receipt_keys(self) -> Keys | None:
        """Return the keys whose receipts permit deletion now; log and return None without keys."""
        try:
            keys = self._fleet.receipt_keys()
        except (ConfigError, NotNow) as error:
            if self._keyless.changed(str(error)):
                _log.error("event=no_room_made error=%r", str(error))
            return None
        self._keyless.last = None
        return keys
