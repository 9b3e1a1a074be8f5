"""The consequences of an outcome: for the record's row, for the back-off, and for the log."""

import logging
from typing import Final, assert_never

from agent.models import Item
from agent.queue.outbox import Outbox
from agent.record.receipt import Receipt, Refusal
from agent.sync.backoff import Backoff, suspect_wait_s
from agent.sync.outcome import (
    Damaged,
    Deferred,
    NoService,
    Outcome,
    StuckUpload,
    Unauthorised,
    UnsignedRejection,
    blocked_reason,
)

log = logging.getLogger(__name__)

DEAD_ENDS: Final = 3
"""Dead ends of a record that make an alarm: one or two may be a restart of the backend.

The record is still tried: the backend can be fixed without this device.
"""


class OutcomeHandler:
    """The bookkeeping of outcomes, one after the other.

    Attributes:
        is_stopping: True if this side hangs up: then a lost connection is not the backend's fault.
    """

    def __init__(self, outbox: Outbox, backoff: Backoff) -> None:
        self.is_stopping = False
        self._may_be_let_in = True  # what an earlier process was answered is in the rows
        self._outbox = outbox
        self._backoff = backoff

    def apply_outcome(self, item: Item, outcome: Outcome | Damaged, now_s: float) -> None:
        """Mark or book the item, slow the loop down or let it go on, and log what is new."""
        backoff = self._backoff
        self._note(outcome)
        match outcome:
            case Receipt(token, received):
                self._outbox.mark_delivered(item, token, received)
                backoff.note_decision(received, delivered=True)
            case Refusal(token, refused, reason):
                self._outbox.mark_refused(item, token, refused, reason)
                backoff.note_decision(refused, delivered=False)
                log.warning("event=refused capture_id=%s reason=%r", item.capture_id, reason)
            case Deferred(answer):
                self._schedule(item, now_s, outcome)
                self._defer(item, now_s, answer, is_new=_is_new(item, answer))
            case StuckUpload(answer):
                self._count_dead_end(item, now_s, answer)
            case NoService(answer, retry_after_s, moved):
                self._schedule(item, now_s, outcome, failures=1 if moved else None)
                if not self.is_stopping:  # else it was this side that hung up
                    backoff.note_lost(now_s, answer, retry_after_s, moved=moved)
            case Unauthorised(answer):
                self._schedule_shut_out(
                    item, backoff.note_not_let_in(now_s, answer) + 0.001, answer
                )
            case UnsignedRejection(answer):
                wait_s = backoff.note_suspect(now_s, answer, item.suspected)
                self._outbox.schedule_retry(item, now_s + wait_s, answer, suspected=True)
                _log_suspect(item, answer, wait_s)
            case Damaged(what):
                self._outbox.mark_damaged(item, what)
                log.error("event=damaged capture_id=%s what=%r", item.capture_id, what)
            case other:
                assert_never(other)
        self._note_entry(outcome)

    def _note_entry(self, outcome: Outcome | Damaged) -> None:
        """Note in the rows that the device is let in again; the cradle's light depends on them.

        Once is enough until the next 401 or 403, and each time reads all waiting rows.
        """
        match outcome:
            case Unauthorised():
                self._may_be_let_in = True
            case Receipt() | Refusal() if self._may_be_let_in:
                self._outbox.note_let_in()
                self._may_be_let_in = False

    def _note(self, outcome: Outcome | Damaged) -> None:
        """Note the outcome for the status; stopped attempts and damaged records are left out."""
        if not (self.is_stopping or isinstance(outcome, Damaged)):
            self._backoff.blocked_reason = blocked_reason(outcome)

    def _count_dead_end(self, item: Item, now_s: float, answer: str) -> None:
        times = _times(item) + 1
        is_alarm = times >= DEAD_ENDS and not item.suspected
        wait_s = self._backoff.retry_wait_s(item.attempts, None)
        words = f"dead end {times}: {answer}"
        self._outbox.schedule_retry(
            item, now_s + wait_s, words, suspected=is_alarm, dead_ends=times
        )
        self._defer(item, now_s, answer, is_new=times == 1)
        if is_alarm:
            _log_suspect(item, answer, wait_s)

    def _defer(self, item: Item, now_s: float, answer: str, *, is_new: bool) -> None:
        self._backoff.note_deferred(now_s, answer)
        if is_new:
            log.warning("event=deferred capture_id=%s answer=%r", item.capture_id, answer)

    def _schedule(
        self,
        item: Item,
        now_s: float,
        outcome: Deferred | NoService,
        failures: int | None = None,
    ) -> None:
        """Book the next attempt.

        A record that was sent whole three times waits as a suspect one does: each attempt may cost
        the whole record again, on a mobile line.
        """
        answer, times = outcome.answer, _times(item) + 1
        wait_s = self._backoff.retry_wait_s(failures or item.attempts, outcome.retry_after_s)
        if not outcome.sent_whole:
            self._schedule_uncounted(item, now_s + wait_s, answer)
        elif times < DEAD_ENDS:
            words = _sent_whole(times, answer)
            self._outbox.schedule_retry(item, now_s + wait_s, words, sent_whole=times)
        else:
            wait_s = max(wait_s, suspect_wait_s(item.suspected))
            words = f"dead end {times}: sent whole again, without a receipt: {answer}"
            self._outbox.schedule_retry(
                item, now_s + wait_s, words, suspected=True, dead_ends=times
            )
            _log_suspect(item, answer, wait_s)

    def _schedule_shut_out(self, item: Item, due_s: float, answer: str) -> None:
        """Book in plain words, which the cradle's light reads: a count below the alarm is over."""
        if item.suspected:
            self._schedule_uncounted(item, due_s, answer)
        else:
            self._outbox.schedule_retry(item, due_s, answer)

    def _schedule_uncounted(self, item: Item, due_s: float, answer: str) -> None:
        """Book an attempt that counts for nothing: the row's counts stay."""
        told, dead_ends, sent_whole = _keep_dead_end(item, answer), item.dead_ends, item.sent_whole
        self._outbox.schedule_retry(item, due_s, told, dead_ends=dead_ends, sent_whole=sent_whole)


def _times(item: Item) -> int:
    """Return how many attempts led nowhere; the row counts: each `sync --once` is a new process."""
    return item.dead_ends + item.sent_whole  # one of them is 0


def _keep_dead_end(item: Item, answer: str) -> str:
    """Return the row's answer after an attempt that counts for nothing.

    The text of a dead end stays, because a failed attempt did not change it.
    """
    if item.dead_ends:
        return item.answer or answer
    return _sent_whole(item.sent_whole, answer) if item.sent_whole else answer


def _sent_whole(times: int, answer: str) -> str:
    return f"sent whole {times}: {answer}"


def _is_new(item: Item, answer: str) -> bool:
    """Return whether the row says something else; the words of a dead end say all."""
    return _keep_dead_end(item, answer) != item.answer


def _log_suspect(item: Item, answer: str, wait_s: float) -> None:
    line = "event=suspect capture_id=%s answer=%r wait_s=%d"
    log.warning(line, item.capture_id, answer, wait_s)
