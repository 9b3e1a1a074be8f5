"""What an outcome means: for the record's row, for the pace of the loop, and for the log."""

import logging
from typing import Final, assert_never

from agent.models import Item
from agent.queue.outbox import Outbox
from agent.record.receipt import Receipt, Refusal
from agent.sync.backoff import Backoff
from agent.sync.outcome import (
    Damaged,
    DeadEnd,
    Deferred,
    NoService,
    Outcome,
    Suspect,
    Unauthorised,
)

log = logging.getLogger(__name__)

DEAD_ENDS: Final = 3
"""From here on a record's dead ends are an alarm: one or two may be a restart of the backend.

The record goes on being tried as often as before: the backend can be mended without this device.
"""


class Settlement:
    """Settles one outcome after the other.

    Attributes:
        is_stopping: whether this side hangs up; a lost line is not the backend's fault then.
    """

    def __init__(self, outbox: Outbox, backoff: Backoff) -> None:
        self.is_stopping = False
        self._outbox = outbox
        self._backoff = backoff

    def settle(self, item: Item, outcome: Outcome | Damaged, now_s: float) -> None:
        """Mark or book the item, slow the loop down or let it go on, and log what is new."""
        backoff = self._backoff
        match outcome:
            case Receipt(token, received):
                self._outbox.mark_delivered(item, token, received)
                backoff.signed(received, delivered=True)
            case Refusal(token, refused, reason):
                self._outbox.mark_refused(item, token, refused, reason)
                backoff.signed(refused, delivered=False)
                log.warning("event=refused capture_id=%s reason=%r", item.capture_id, reason)
            case Deferred() | DeadEnd():
                self._defer(item, now_s, outcome)
            case NoService(answer, retry_after_s, moved):
                self._book(item, now_s, answer, retry_after_s, failures=1 if moved else None)
                if not self.is_stopping:  # else it was this side that hung up
                    backoff.lost(now_s, answer, retry_after_s, moved=moved)
            case Unauthorised(answer):
                behind_s = backoff.paused(now_s, answer) + 0.001
                self._outbox.book(item, behind_s, answer)
            case Suspect(answer):
                wait_s = backoff.suspected(now_s, answer, item.suspected)
                self._outbox.book(item, now_s + wait_s, answer, suspected=True)
                line = "event=suspect capture_id=%s answer=%r wait_s=%d"
                log.warning(line, item.capture_id, answer, wait_s)
            case Damaged(what):
                self._outbox.mark_damaged(item, what)
                log.error("event=damaged capture_id=%s what=%r", item.capture_id, what)
            case other:
                assert_never(other)

    def _defer(self, item: Item, now_s: float, outcome: Deferred | DeadEnd) -> None:
        answer, retry_after_s, is_alarm = outcome.answer, None, False
        match outcome:
            case Deferred():
                retry_after_s = outcome.retry_after_s
            case DeadEnd():
                is_alarm = outcome.times >= DEAD_ENDS and not item.suspected
        self._book(item, now_s, answer, retry_after_s, suspected=is_alarm)
        self._backoff.deferred(now_s, answer)
        if is_alarm or answer != item.answer:
            event = "suspect" if is_alarm else "deferred"
            log.warning("event=%s capture_id=%s answer=%r", event, item.capture_id, answer)

    def _book(
        self,
        item: Item,
        now_s: float,
        answer: str,
        retry_after_s: float | None,
        failures: int | None = None,
        *,
        suspected: bool = False,
    ) -> None:
        wait_s = self._backoff.wait_s(failures or item.attempts, retry_after_s)
        self._outbox.book(item, now_s + wait_s, answer, suspected=suspected)
