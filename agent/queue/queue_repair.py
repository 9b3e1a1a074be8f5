"""When capture sweeps, and how it makes a broken queue again from the record files."""

import logging
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from agent.errors import QueueBroken, StateHeld
from agent.queue.database import Database
from agent.queue.deleting import Deleter
from agent.queue.disk import disk_errors
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.queue.recovery import Cursor, sweep
from agent.record.signing import PublicKey
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)

ENOUGH: Final = 5
"""Number of queues set aside after which a restart does not hurry the next repair either."""

REPAIR_EVERY_S: Final = 60.0
"""Interval of repairs: no repair helps a card that breaks each new queue within a minute."""

SWEEP_EVERY_S: Final = 3_600.0
"""Interval of sweeps: deleted rows come back within the hour; a sweep of 1,500 takes 0.1 s."""


CLEAN_STEP_S: Final = 0.05
"""Time of each tick for deleting queues that were set aside; a press waits no longer than that."""


class QueueRepair:
    """The repair of a broken queue from the record files; its owner holds `capture.lock`.

    `now_ns` returns CLOCK_MONOTONIC; a sweep calls `alive` each time that it makes progress.

    Attributes:
        is_whole: True if the last sweep brought every record file into the queue.
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
        self._repaired_ns: int | None = None
        self._due_ns = 0
        self._late = ChangeDetector(last=False)
        self._cleaning: list[Deleter] = []
        self._cursor = Cursor()
        self.is_whole = False

    def start(self) -> None:
        """Sweep, and repair a broken queue first.

        If another process keeps the queue to itself, or breaks it again and again, log that and let
        `tick` try again: records are kept without the queue.

        Raises:
            StorageFault: the disk failed.
        """
        self._due_ns = self._now_ns() + int(REPAIR_EVERY_S * 1e9)
        try:
            try:
                self._sweep()
            except QueueBroken as error:
                self.repair(error)
        except (QueueBroken, StateHeld) as error:
            if self._late.changed(now=True):
                _log.error("event=not_swept error=%r meaning=presses_are_kept_but_red", str(error))
        else:
            self._late.last = False

    def tick(self) -> None:
        """Sweep again when an hour has passed, or a minute after one that failed.

        Each call also deletes a little more of the queues that were set aside.
        """
        if self._now_ns() >= self._due_ns:
            self.start()
        self._clean()

    def repair(self, error: QueueBroken) -> None:
        """Set the queue aside, and fill a new one; the others may run meanwhile.

        What only the rows knew is asked again of the backend: receipts, refusals, uploads begun.

        Raises:
            QueueBroken: the same, when the last time was less than a minute ago.
            StateHeld: another process keeps the queue to itself.
            StorageFault: the disk failed.
        """
        now_ns = self._now_ns()
        is_soon = (
            self._repaired_ns is not None and now_ns - self._repaired_ns < REPAIR_EVERY_S * 1e9
        )
        quarantined = self._quarantined()
        if len(quarantined) >= ENOUGH:
            latest_s = max(aside.lstat().st_ctime for aside in quarantined)
            is_soon |= 0 <= time.time() - latest_s < REPAIR_EVERY_S
        if is_soon:
            raise error
        self._repaired_ns = now_ns
        self._due_ns = now_ns + int(REPAIR_EVERY_S * 1e9)
        aside = self._database.set_aside()
        _log.error("event=queue_set_aside folder=%s why=%r", aside.name, str(error))
        self._sweep()

    def _sweep(self) -> None:
        self.is_whole = False
        check_not_corrupt(self._layout)
        swept = sweep(self._layout, self._outbox, self._keys, self._alive, self._cursor)
        every_s = REPAIR_EVERY_S if swept.left else SWEEP_EVERY_S
        self._due_ns = self._now_ns() + int(every_s * 1e9)
        self.is_whole = not (swept.stuck or swept.left)
        if self.is_whole:
            self._begin_cleaning()

    def _begin_cleaning(self) -> None:
        """Start to delete what was set aside, because its records are in the queue again.

        Facts that only the rows held are requested from the backend again.
        """
        self._cleaning += map(Deleter, self._quarantined())

    def _quarantined(self) -> list[Path]:
        """Return the queues set aside that are not being deleted: deletion changes their times."""
        under_way = {one.path for one in self._cleaning}
        return [aside for aside in self._layout.quarantined() if aside not in under_way]

    def _clean(self) -> None:
        """Delete for CLEAN_STEP_S: another process may have put millions of names there.

        A power cut leaves the rest to the next start's sweep.
        """
        ends_s = time.monotonic() + CLEAN_STEP_S
        while self._cleaning and (rest_s := ends_s - time.monotonic()) > 0:
            deleter = self._cleaning[0]
            if deleter.step(rest_s):
                return
            del self._cleaning[0]
            if deleter.left.count:  # the next sweep tries again, and doctor shows the folder
                line = "event=aside_kept folder=%s error=%r"
                _log.warning(line, deleter.path.name, str(deleter.left))


def check_not_corrupt(layout: Layout) -> None:
    """Raise QueueBroken where another process says so, or left there what is not a queue's."""
    with disk_errors(f"cannot read {layout.queue}"):
        if corruption := layout.corruption():
            raise QueueBroken(corruption)
