"""Receipts on their way to capture, which keeps them: by these it may delete records."""

import logging
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from agent.errors import DoorstepError, NotGenuine, NotNow, UnknownItem
from agent.models import CaptureId, Item, RecordState
from agent.process import control, sd_notify
from agent.process.offer_result import MOST_RECEIPTS
from agent.queue.disk import disk_errors
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record.receipt import Keys, verified_receipt
from agent.sync.document_fetch import AGAIN_S
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)

ANSWER_S: Final = 10.0
"""Longest wait for an answer: capture verifies a hundred in 0.1 s (December 2026, x86-64)."""

GATHER_S: Final = 1.0
"""Time for which a receipt waits for others: in a backlog, a hundred of them share an offer."""

LOOK_EVERY_S: Final = 3_600.0
"""Interval at which the rows are compared with the files, unless the keys change."""

_DELIVERED: Final = {RecordState.DELIVERED, RecordState.PRUNED}


class ReceiptOffers:
    """The offers of receipts until capture has them, and the rows of records that capture deleted.

    Args:
        layout: the paths of the files and of capture's socket.
        outbox: the queue; only the caller's thread uses it.
        keys: returns the keys that may sign receipts; raises NotNow without a fleet document.
            None if the receipts are not to be verified again.
    """

    def __init__(
        self, layout: Layout, outbox: Outbox, keys: Callable[[], Keys] | None = None
    ) -> None:
        self._layout = layout
        self._outbox = outbox
        self._keys = keys
        self._known_keys: Keys | None = None
        self._waiting: dict[CaptureId, None] = {}
        self._refused: set[CaptureId] = set()
        self._due_s = self._look_due_s = float("-inf")
        self._failed: ChangeDetector[str | None] = ChangeDetector(None)

    def add(self, capture_id: CaptureId, now_s: float) -> None:
        """Offer the receipt of a record that was delivered just now (CLOCK_BOOTTIME)."""
        if capture_id in self._refused:
            return  # until the next look: capture may get the signer's key meanwhile
        if not self._waiting:
            self._due_s = max(self._due_s, now_s + GATHER_S)
        self._waiting[capture_id] = None

    def tick(self, now_s: float) -> None:
        """Do what is due. Raises as the methods of `Outbox` do."""
        keys = self._current_keys()
        if now_s >= self._look_due_s or keys != self._known_keys:
            self._look(keys)
            self._look_due_s, self._known_keys = now_s + LOOK_EVERY_S, keys
        if self._waiting and now_s >= self._due_s:
            self.offer(now_s)

    def offer(self, now_s: float) -> None:
        """Offer up to MOST_RECEIPTS; without an answer they stay, and are offered again."""
        if not (items := list(self._next())):
            return
        request = {"offer": "receipts", "text": " ".join(item.decision or "" for item in items)}
        try:
            answer = control.ask(self._layout.capture_socket, request, ANSWER_S, sd_notify.alive)
        except DoorstepError as error:
            if self._failed.changed(str(error)):
                _log.warning("event=receipts_not_taken error=%r", str(error))
            answer = None
        else:
            self._failed.last = None
        if answer is None:
            self._due_s = now_s + AGAIN_S
            return
        self._due_s = now_s
        told = answer.get("refused")
        for item in items:
            self._waiting.pop(item.capture_id, None)
            if isinstance(told, list) and item.capture_id in told:
                self._refused.add(item.capture_id)
                self._outbox.requeue(item)

    def _next(self) -> Iterable[Item]:
        for capture_id in list(islice(self._waiting, MOST_RECEIPTS)):
            try:
                item = self._outbox.get(capture_id)
            except UnknownItem:
                item = None
            if item is not None and item.state in _DELIVERED:
                yield item
            else:  # it was queued again meanwhile
                del self._waiting[capture_id]

    def _current_keys(self) -> Keys | None:
        try:
            return self._keys and self._keys()
        except NotNow:
            return self._known_keys

    def _look(self, keys: Keys | None) -> None:
        """Find the receipts that capture does not have, and the records that it deleted.

        By changed keys, find the receipts of whole records that do not verify any more.
        """
        records, receipts = _names(self._layout.records), _names(self._layout.receipts)
        pruned, gone, whole = list[CaptureId](), list[CaptureId](), list[CaptureId]()
        for capture_id, state in self._outbox.states().items():
            is_whole, is_label = f"{capture_id}.rec" in records, f"{capture_id}.label" in records
            if state not in _DELIVERED:
                continue
            if (is_whole or is_label) and f"{capture_id}.jws" not in receipts:
                self._waiting[capture_id] = None
            if state is RecordState.DELIVERED:
                (whole if is_whole else pruned).append(capture_id)
            elif not (is_whole or is_label):
                gone.append(capture_id)
        if keys is not None and keys != self._known_keys:
            self._verify(whole, keys)
        self._outbox.mark_pruned(pruned)
        self._outbox.delete_rows(gone)
        self._refused.clear()

    def _verify(self, whole: Iterable[CaptureId], keys: Keys) -> None:
        """Queue records again whose receipts do not verify: sync asks the backend what it has."""
        for item in (self._outbox.get(capture_id) for capture_id in whole):
            try:
                verified_receipt(item.decision or "", item, keys)
            except NotGenuine as error:
                _log.warning("event=requeued id=%s why=%r", item.capture_id, str(error))
                self._outbox.requeue(item)


def _names(folder: Path) -> set[str]:
    with disk_errors(f"cannot read {folder}"):
        return {one.name for one in folder.iterdir()}
