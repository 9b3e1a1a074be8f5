"""The time that capture learns from fixes, the network and receipts, and keeps in `trust/`."""

import logging
from datetime import datetime, timedelta
from typing import Final

from agent.capture.receipts import Receipts
from agent.config import Config
from agent.queue.paths import Layout
from agent.record.receipt import Receipt
from agent.trust.certain import Agreement, agreed, certain_now
from agent.trust.store import KeptTime, TrustStore
from hardware import floor as floors
from hardware.board import Board
from hardware.floor import Floor

_log = logging.getLogger(__name__)

FLOOR_STEP: Final = timedelta(hours=1)
"""Greatest lag of the kept time: each step costs a flush of the card."""

AGREED_STEP_S: Final = 6 * 3600.0
"""Age of an agreement from which a newer one is kept, for the same reason."""


class Timekeeping:
    """The time floor, and the agreement of a receipt with the clock, checked once a second.

    A receipt counts if capture verified it while this process runs; what an earlier process kept
    still counts. Sync may offer an old receipt: its date is past all the same, so that less is
    deleted, and nothing early.
    """

    def __init__(self, config: Config, board: Board, receipts: Receipts) -> None:
        self._board = board
        self._receipts = receipts
        self._store = TrustStore(Layout.of(config.state))
        self._kept = self._store.time()
        self._floor = Floor(board.clock.floor, self._kept.allowance)
        self._newest: Receipt | None = None

    def learn(self) -> None:
        """Take the newest fix, and move the floor by what the clock then says; no I/O."""
        fix = self._board.position.last_fix()
        if fix is not None and fix.utc is not None:
            self._board.clock.learn(fix.utc, fix.received_ns)
        self._settle(self._floor)

    def keep(self) -> None:
        """Take the newest receipt, and write what has changed by enough.

        Raises:
            StorageFault: the disk failed; the next tick tries again.
        """
        newest = self._receipts.newest
        if newest is not None and newest is not self._newest:
            self._settle(floors.by_receipt(self._floor, newest.received))
            self._agree(newest.received)
            self._newest = newest
        self._write(self._kept.agreed)

    def certain_now(self) -> datetime | None:
        """Return the latest time that is certainly reached, or None, as `certain.certain_now`."""
        clock = self._board.clock
        return certain_now(self._kept.agreed, clock.now(), clock.boottime_s())

    def _settle(self, floor: Floor) -> None:
        fix, clock = self._board.position.last_fix(), self._board.clock
        moment = clock.now()
        after = floors.by_clock(floor, moment, clock.boottime_s(), fix)
        if self._floor.utc - after.utc >= FLOOR_STEP:
            line = "event=floor_lowered from=%s to=%s meaning=network_time_is_earlier"
            _log.warning(line, self._floor.utc.isoformat(), after.utc.isoformat())
        self._floor = after
        clock.move_floor(after.utc, after.firm(moment.boot_id))

    def _agree(self, received: datetime) -> None:
        moment, boottime_s = self._board.clock.now(), self._board.clock.boottime_s()
        new = agreed(received, moment, boottime_s)
        if new is not None and not _is_fresh(self._kept.agreed, new):
            self._write(new)

    def _write(self, agreement: Agreement | None) -> None:
        floor, kept = self._floor, self._kept.floor
        lags = kept is None or abs(floor.utc - kept) >= FLOOR_STEP
        if lags or agreement != self._kept.agreed:
            known = KeptTime(floor.utc, agreement, floor.allowance)
            self._store.keep_time(known)
            self._kept = known


def _is_fresh(kept: Agreement | None, new: Agreement) -> bool:
    if kept is None or kept.boot_id != new.boot_id:
        return False
    return new.boottime_s - kept.boottime_s < AGREED_STEP_S
