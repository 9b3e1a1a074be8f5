"""The time that capture learns from fixes, the network and receipts, and keeps in `trust/`."""

import logging
from datetime import datetime, timedelta
from typing import Final

from agent.config import Config
from agent.errors import ConfigError, NotGenuine, NotNow, UnknownItem
from agent.models import CaptureId
from agent.queue.labels import boot_of
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.record.receipt import verified_receipt
from agent.trust.certain import Agreement, agreed, certain_now
from agent.trust.keys import receipt_keys
from agent.trust.store import KeptTime, TrustStore
from hardware import floor as floors
from hardware.board import Board
from hardware.change_detector import ChangeDetector
from hardware.floor import Floor

_log = logging.getLogger(__name__)

FLOOR_STEP: Final = timedelta(hours=1)
"""Greatest lag of the kept time: each step costs a flush of the card."""

AGREED_STEP_S: Final = 6 * 3600.0
"""Age of an agreement from which a newer one is kept, for the same reason."""


class Timekeeping:
    """The time floor, and the agreement of a receipt with the clock, checked once a second.

    The database is input: a receipt's date counts if capture has verified it. It counts as one of
    this boot only if the receipt came in while this process ran, or if the record's own label says
    that the record was made in this boot. The agreement that an earlier process of this boot kept
    still counts. Another process may name an old receipt: its date is past, so that less is
    deleted, and nothing early.
    """

    def __init__(self, config: Config, board: Board, outbox: OutboxReader) -> None:
        self._config = config
        self._board = board
        self._outbox = outbox
        self._layout = Layout.of(config.state)
        self._store = TrustStore(self._layout)
        self._kept = self._store.time()
        self._floor = Floor(board.clock.floor, self._kept.allowance)
        self._decided: CaptureId | None = None
        self._found: CaptureId | None = None  # at the start: it may have come in another boot
        self._has_looked = False
        self._undated = ChangeDetector(last=False)

    def learn(self) -> None:
        """Take the newest fix, and move the floor by what the clock then says; no I/O."""
        fix = self._board.position.last_fix()
        if fix is not None and fix.utc is not None:
            self._board.clock.learn(fix.utc, fix.received_ns)
        self._settle(self._floor)

    def keep(self) -> None:
        """Take the newest receipt, and write what has changed by enough.

        Raises:
            StorageFault: the disk or the database failed; the next tick tries again.
        """
        decided = self._outbox.last_decided()
        if not self._has_looked:
            self._found = decided
        if decided != self._decided and decided is not None:
            received = self._received(decided)
            if received is not None:
                self._settle(floors.by_receipt(self._floor, received))
                self._agree(decided, received)
                self._decided = decided  # any other is asked for again: its key may come yet
        self._write(self._kept.agreed)
        self._has_looked = True

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

    def _agree(self, decided: CaptureId, received: datetime) -> None:
        moment, boottime_s = self._board.clock.now(), self._board.clock.boottime_s()
        new = agreed(received, moment, boottime_s)
        if new is None or _is_fresh(self._kept.agreed, new):
            return
        if decided != self._found or boot_of(self._layout, decided) == moment.boot_id:
            self._write(new)

    def _received(self, decided: CaptureId) -> datetime | None:
        """Return the date of the record's own receipt; None if it does not verify."""
        try:
            item = self._outbox.get(decided)
            received = verified_receipt(
                item.decision or "", item, receipt_keys(self._config)
            ).received
        except (UnknownItem, NotGenuine, ConfigError, NotNow) as error:
            if self._undated.changed(now=True):
                line = "event=receipt_undated why=%r meaning=its_date_counts_nowhere"
                _log.warning(line, str(error))
            return None
        self._undated.last = False
        return received

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
