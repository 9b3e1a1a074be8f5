"""The sending process: claim, deliver, mark, wait."""

import logging
import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Final, Protocol

from agent.errors import ExitCode, NotNow, QueueBroken, StateHeld, StorageFull
from agent.models import Item, rfc3339
from agent.process import control, sd_notify
from agent.queue import disk
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record.receipt import Receipt, Refusal
from agent.status.troubles import Trouble
from agent.sync.backoff import Backoff
from agent.sync.batches import Batches
from agent.sync.delivery import Delivery
from agent.sync.downloads import Downloads
from agent.sync.link import LinkWatch, Waker
from agent.sync.outcome import Damaged, Outcome
from agent.sync.outcome_handler import OutcomeHandler
from agent.sync.read_verified import read_verified
from agent.sync.receipt_offers import ReceiptOffers
from agent.sync.round import Progress, Round, RoundResult, Rounds, read
from hardware.change_detector import ChangeDetector

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""Longest wait between two looks at the queue: new records come from another process."""

START_JITTER_S: Final = 30.0
"""Spread of what another boot had booked: a fleet may come back in the same second."""


class BootClock(Protocol):
    """The part of a clock that sync needs; hardware.clock.Clock has it."""

    def boottime_s(self) -> float:
        """Return CLOCK_BOOTTIME in seconds."""


class Sync:
    """The loop that sends records; there is one.

    Args:
        layout: the paths of files, lock and socket.
        outbox: the queue; only the caller's thread uses it.
        delivery: makes the attempts.
        clock: returns CLOCK_BOOTTIME.
        rng: for jitter.
        downloads: documents and certificates to ask for, while the loop does not rest.
        batches: the times at which the network may be used; by default always.
        receipts: the offers of receipts to capture.
    """

    def __init__(
        self,
        layout: Layout,
        outbox: Outbox,
        delivery: Delivery,
        clock: BootClock,
        rng: random.Random,
        *,
        downloads: Downloads | None = None,
        batches: Batches | None = None,
        receipts: ReceiptOffers | None = None,
    ) -> None:
        self._downloads = downloads or Downloads()
        self._batches = batches or Batches()
        self._receipts = receipts or ReceiptOffers(layout, outbox)
        self._layout = layout
        self._outbox = outbox
        self._delivery = delivery
        self._clock = clock
        self._backoff = Backoff(rng)
        self._outcomes = OutcomeHandler(outbox, self._backoff)
        self._is_sending = self._is_booked = False
        self._waiting = ChangeDetector(last=False)
        self._obstacle = ChangeDetector[str | None](None)
        self._rounds = Rounds()

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set, which ends a running transfer too; sets it in any case.

        Raises:
            NotNow: another sender runs, or capture has not made the state folder yet.
            StorageFault: the disk or the database failed.
        """
        with (
            disk.lock(self._layout.sync_lock, exclusive=True, wait=False),
            closing(Waker()) as waker,
            self._stopping(stop, waker),
            closing(LinkWatch()) as link,
            control.serve(self._layout.sync_socket, partial(self._answer, waker)),
        ):
            sd_notify.ready()
            while not stop.is_set():
                sd_notify.alive()
                if link.changed():
                    self.link_news()
                waker.wait(self._guarded_step(), link.sockets)
            self._backoff.log_delivered()

    def step(self) -> float:
        """Send one record that is due, or none; return how many seconds to wait.

        A round that a client waits for comes before the rest after a failure and the rest between
        batches, and both come before due records.
        """
        now_s = self._clock.boottime_s()
        self._receipts.tick(now_s)
        round_ = self._rounds.current()
        if round_ is None and not self._batches.is_open(now_s):
            return self._batches.wait_s(now_s)
        if round_ is not None and not round_.has_begun:
            self._begin(round_, now_s)
        if self._backoff.rest_until_s <= now_s:
            self._downloads.tick(now_s)
        if obstacle := self._look_for_obstacle():
            if round_ is not None:
                self._end(round_, obstacle)
            return LOOK_S
        if round_ is not None:
            self._continue_round(round_, now_s)
            return 0.0
        wait_s = self._poll_wait_s(now_s)
        self._batches.note_turn(now_s, is_idle=wait_s > 0 and self._is_settled(now_s))
        if wait_s <= 0 and (item := self._claim(now_s, due_s=now_s)):
            self._attempt(item)
        return max(wait_s, 0.0)

    def link_news(self) -> None:
        """Shorten the loop's wait after a change of the network."""
        self._backoff.link_news(self._clock.boottime_s())

    def send_once(self, progress: Progress) -> RoundResult:
        """Try once each due or backed-off record, except suspect ones; let a running daemon do it.

        Give up early if the backend refuses this device, does not answer, or asks for a long rest.

        Raises:
            NotNow: another process holds the lock, but does not listen yet.
        """
        total = self._sendable()

        def look() -> None:
            progress(min(max(total - self._sendable(), 0), total), total)

        answer = control.ask(self._layout.sync_socket, {"send": True}, None, look)
        if answer is not None:
            return read(answer)
        with disk.lock(self._layout.sync_lock, exclusive=True, wait=False):
            round_ = self._rounds.ask(Round(progress))
            while round_.result is None:
                self.step()
            return round_.result

    def _sendable(self) -> int:
        counts = self._outbox.counts()
        return counts.waiting - counts.suspected

    def _begin(self, round_: Round, now_s: float) -> None:
        """Make all backed-off records due; if the queue fails, the next tick tries again."""
        total = self._sendable()
        self._outbox.make_due(now_s)
        self._backoff.clear()
        self._downloads.make_due()
        round_.begin(now_s, total)

    def _continue_round(self, round_: Round, now_s: float) -> None:
        """Try one more record, without the short rests of the loop: a person waits."""
        item = self._claim(now_s, due_s=round_.started_s, suspects=False)
        if item is not None:
            round_.count(delivered=isinstance(self._attempt(item), Receipt))
        if item is None or self._backoff.is_hopeless(self._clock.boottime_s()):
            self._backoff.log_delivered()
            self._end(round_, self._backoff.pause)

    def _end(self, round_: Round, paused: str | None) -> None:
        """Tell who waits for this round; `sync --once` may end then, so offer what came in it."""
        self._receipts.offer(self._clock.boottime_s())
        round_.end(self._outbox.counts().waiting, paused, self._downloads.unkept())

    def _look_for_obstacle(self) -> str | None:
        """Return why nothing is sent at all: no receipt for it could be verified."""
        found = self._delivery.obstacle()
        if self._obstacle.changed(found) and found:
            log.warning("event=not_delivering why=%r", found)
        return found

    def _guarded_step(self) -> float:
        try:
            if not self._is_booked:
                spread_s = self._backoff.spread_s(START_JITTER_S)
                self._outbox.reset_schedule(self._clock.boottime_s() + spread_s)
                self._is_booked = True
            wait_s = self.step()
        except (NotNow, QueueBroken, StateHeld) as error:
            if self._waiting.changed(now=True):
                log.info("event=waiting_for_queue what=%r", str(error))
            return LOOK_S
        self._waiting.last = False
        return wait_s

    def _poll_wait_s(self, now_s: float) -> float:
        rest_s = self._backoff.rest_until_s - now_s
        if rest_s > 0:
            return min(rest_s, LOOK_S)
        due_s = self._outbox.due_s()
        if due_s is not None and due_s <= now_s:
            return 0.0
        self._backoff.log_delivered()
        if due_s is None:
            self._backoff.blocked_reason = None  # nothing waits
        return LOOK_S if due_s is None else min(due_s - now_s, LOOK_S)

    def _is_settled(self, now_s: float) -> bool:
        """Return True if the last answers were a working backend's: nothing is tried again soon."""
        return self._backoff.is_settled(now_s) and self._downloads.are_settled()

    def _claim(self, now_s: float, *, due_s: float, suspects: bool = True) -> Item | None:
        """Claim an item; try twice on a full card, since the first time gives the ballast up."""
        try:
            return self._outbox.claim(now_s, due_s=due_s, suspects=suspects)
        except StorageFull:
            return self._outbox.claim(now_s, due_s=due_s, suspects=suspects)

    def _attempt(self, item: Item) -> Outcome | Damaged:
        self._is_sending = True
        outcome: Outcome | Damaged | bytes = read_verified(
            self._layout.record(item.capture_id), item
        )
        if isinstance(outcome, bytes):
            outcome = self._delivery.send(item, outcome)
        self._is_sending = False
        now_s = self._clock.boottime_s()
        self._outcomes.apply_outcome(item, outcome, now_s)
        if isinstance(outcome, Receipt):
            self._receipts.add(item.capture_id, now_s)
        if isinstance(outcome, Receipt | Refusal):
            self._downloads.record_decided()
        return outcome

    def _answer(self, waker: Waker, request: control.Line, _user: str) -> control.Line:
        """Answer a request in the client's thread: read, and leave all work to the loop."""
        match request:
            case {"status": True}:
                return self.status()
            case {"send": True}:
                round_ = self._rounds.ask(Round())
                waker.wake()
                return asdict(round_.wait())
        return {"error": 'sync takes {"status": true} and {"send": true}', "exit": ExitCode.USAGE}

    def status(self) -> control.Line:
        """Return sync's report on itself; from any thread."""
        backoff, downloads = self._backoff, self._downloads
        now_s = self._clock.boottime_s()
        rest_s, batch_s = backoff.rest_until_s - now_s, self._batches.until_next_s(now_s)
        waits_s = max(rest_s, batch_s, 0.0)
        obstacle = self._obstacle.last
        pause = obstacle or backoff.pause
        between = "batch" if batch_s else "waiting" if waits_s else "idle"
        hindrance = downloads.blocked_reason(backoff.blocked_reason, obstacle)
        minutes = self._batches.minutes
        contact = downloads.last_contact(backoff.contact)
        return {
            "state": "sending" if self._is_sending else "paused" if pause else between,
            "last_contact": contact and rfc3339(contact),
            "last_answer": backoff.answer,
            "pause": pause,
            "waits_s": round(waits_s, 1),
            "hindrance": hindrance or (Trouble.BATCH if batch_s else None),
            **({"batch_minutes": minutes} if minutes else {}),
            **downloads.identity(),
        }

    @contextmanager
    def _stopping(self, stop: threading.Event, waker: Waker) -> Iterator[None]:
        """Let `stop` also end waits and a running transfer while the block runs."""

        def await_stop() -> None:
            stop.wait()
            self._outcomes.is_stopping = True
            self._delivery.interrupt()
            self._downloads.interrupt()
            waker.wake()

        waiting = threading.Thread(target=await_stop, daemon=True)
        waiting.start()
        try:
            yield
        finally:
            if not stop.is_set():
                # Not in this thread: a signal's stop.set() would wait for a lock that it holds.
                setting = threading.Thread(target=stop.set)
                setting.start()
                setting.join()
            waiting.join()
            self._rounds.abandon()
