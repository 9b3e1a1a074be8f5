"""The retention of what is kept: erasing by the retention table, and holding back from it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from agent.models import rfc3339
from doorstep_backend.engines.sql import Database
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.register import Register
from doorstep_backend.languages import ENGLISH, Language
from doorstep_backend.office import view_log
from doorstep_backend.office.cases import Cases
from doorstep_backend.office.delivery_routes import DeliveryRoutes
from doorstep_backend.office.due import Due, DueErasures
from doorstep_backend.office.families import family_of
from doorstep_backend.office.filing import Filing
from doorstep_backend.office.orders import Orders
from doorstep_backend.office.view_log import OFFICE, Act
from doorstep_backend.pages.accounts import ACCOUNTS
from doorstep_backend.pages.limits import SignInLimit
from doorstep_backend.pages.sessions import Sessions
from doorstep_backend.reports.store import Reports
from doorstep_backend.settings import Retention
from doorstep_backend.wire.failure_budget import MOST_FAILURES, FailureBudget
from doorstep_backend.wire.quota import UnfinishedUploadsQuota
from doorstep_backend.wire.rescued import Rescues
from doorstep_backend.wire.store import Store

log = logging.getLogger(__name__)

BATCH: Final = 100
"""Routes that are dropped at once, with up to 150 orders on each, and manifests of some 80 KB that
are wiped; and ten times as many views."""

LOOK_BACK: Final = timedelta(days=1)
"""Interval at which all orders that take no photo are checked, to repair rare failures."""

ERASING_TRIES: Final = 10
"""Waits for a row of 1.5 s each (LOCK_MS): the five requests to S3 for one record have 3 s each."""


class NotDone(Exception):
    """A command that makes no sense; nothing was changed, and the text says why."""


@dataclass(frozen=True, slots=True)
class RetentionLine:
    """A line about what is kept: in plain words, for people who ask.

    Attributes:
        days: from the retention table; None for what it does not limit.
    """

    what: str
    for_whom: str
    how_long: str
    days: int | None = None

    def in_language(self, language: Language) -> "RetentionLine":
        """Return the line in a language, with the days in `how_long`."""
        what, for_whom = language.gettext(self.what), language.gettext(self.for_whom)
        how_long = language.gettext(self.how_long)
        if self.days is not None:
            how_long %= {"days": days(self.days, language)}
        return RetentionLine(what, for_whom, how_long, self.days)


@dataclass(frozen=True, slots=True)
class Hold:
    """An order of which nothing is erased until its case is closed."""

    number: str
    case_number: str
    since: datetime


class Erasure:
    """The erasing of what is due. A record's label stays, so that the chain still verifies."""

    def __init__(
        self,
        ledger: Database,
        store: Store,
        orders: Orders,
        routes: DeliveryRoutes,
        filing: Filing,
        *,
        retention: Retention,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._orders = orders
        self._routes = routes
        self._filing = filing
        self._cases = Cases(ledger)
        self._retention = retention
        self._dues = DueErasures(ledger, retention)
        self._uploads = UnfinishedUploadsQuota(store)
        self._reports = Reports(store.folder)
        self._rescues = Rescues(store)
        self._register = Register(store.folder)
        ledger.migrate(ACCOUNTS)  # sessions refer to them
        self._sessions = Sessions(ledger)
        self._tries = SignInLimit(ledger)
        self._looked_back_at: datetime | None = None

    def now(self) -> datetime:
        """Return the time by which records are due (`Database.now`)."""
        return self._ledger.now()

    def expire(self, now: datetime) -> int:
        """Erase what is due at `now`; returns how many records. Interrupted, run it again.

        Not what another process is at, nor what cannot be erased: `overdue_s` says that some is.
        """
        return sum(self.steps(now))

    def steps(self, now: datetime, budget: FailureBudget | None = None) -> Iterator[int]:
        """Erase what is due in steps of some records or rows; give how many records each erased.

        Whoever stops in between leaves the rest due. What cannot be reached stops nothing that can
        be; Unavailable is raised in the end, where MOST_FAILURES in a row could not be, or the
        rows.

        Args:
            budget: counts, for whoever tells what came of it.
        """
        before, away = now - timedelta(days=self._retention.photo_days), None
        budget = budget or FailureBudget(MOST_FAILURES)
        for part in (
            self._end_cases(now, budget),
            self._erase_records(now, budget),
            self._erase_hopeless(before, budget),
            self._drop_uploads(now, budget),
            self._forget(now, before),
            self._erase_unwanted(now, budget),
        ):
            try:
                yield from part
            except Unavailable as error:
                away, self._looked_back_at = error, None
        if away is not None:
            raise away

    def _end_cases(self, now: datetime, budget: FailureBudget) -> Iterator[int]:
        """End cases whose life is over, and erase the due records that only they kept."""
        erase = partial(self._erase_due, now=now, waits=False)
        while ended := self._cases.end(now, BATCH):
            held = dict.fromkeys(one for each in ended for one in self._family(each))
            yield self._erased(list(held), erase, budget)

    def _erase_records(self, now: datetime, budget: FailureBudget) -> Iterator[int]:
        for due in self._dues.all(now):
            yield self._erase_all(due, now, budget, waits=False)

    def _erase_unwanted(self, now: datetime, budget: FailureBudget) -> Iterator[int]:
        """Erase what an opt-out should have erased: its process died, or this one could not.

        So as one begins, after a failure, and else once in LOOK_BACK.
        """
        if self._looked_back_at is not None and now < self._looked_back_at + LOOK_BACK:
            return
        self._looked_back_at = now
        for due in self._dues.unwanted():
            yield self._erase_all(due, now, budget, waits=False)

    def _erase_hopeless(self, before: datetime, budget: FailureBudget) -> Iterator[int]:
        for hopeless in self._store.filing_backlog.hopeless(before):
            yield self._erased(hopeless, self._erase_unfiled, budget)

    def _drop_uploads(self, now: datetime, budget: FailureBudget) -> Iterator[int]:
        days = self._retention.open_days, self._retention.refused_days
        for _ in self._uploads.expire(now, *days, budget):
            yield 0

    def _forget(self, now: datetime, before: datetime) -> Iterator[int]:
        """Delete rows without an object."""
        while self._routes.forget_ended(now, BATCH):
            yield 0
        while self._routes.forget(before, BATCH):
            yield 0
        while self._forget_orders(before):
            yield 0
        while self._filing.outcomes.forget_sources(before):
            yield 0
        self._reports.expire(now - timedelta(days=self._retention.report_days))
        self._forget_technicians(before)
        self._forget_access(now)
        while self._forget_corrections(before):
            yield 0
        while self._forget_views():
            yield 0

    def overdue_s(self, now: datetime) -> float:
        """Return for how long a record has been due and is not erased, at most; 0 for none."""
        return self._dues.overdue_s(now)

    def expire_family(self, capture_id: str, now: datetime) -> None:
        """Erase of this record and its retakes what is due, as `expire_one` does."""
        for one in self._family(capture_id):
            self.expire_one(one, now)

    def _family(self, capture_id: str) -> list[str]:
        return [one.capture_id for one in family_of(self._ledger, capture_id)]

    def expire_one(self, capture_id: str, now: datetime) -> None:
        """Erase this record alone, if it is due. Any thread may; interrupted, run it again."""
        self._erase_all(self._dues.one(capture_id, now), now, FailureBudget(1))

    def expire_order(self, number: str, now: datetime) -> None:
        """Erase the photos of this order, if it takes none."""
        self._erase_all(self._dues.of_orders([number]), now, FailureBudget(1))

    def expire_address(self, address: str, now: datetime) -> None:
        """Erase the photos of what goes to this address, where it takes none."""
        self._erase_all(self._dues.of_address(address), now, FailureBudget(1))

    def _erase_all(
        self, due: Sequence[Due], now: datetime, budget: FailureBudget, *, waits: bool = True
    ) -> int:
        erase = partial(self._erase_due, now=now, waits=waits)
        return self._erased([capture_id for capture_id, _ in due], erase, budget)

    def _erased(
        self, capture_ids: Sequence[str], erase: Callable[[str], bool], budget: FailureBudget
    ) -> int:
        before = budget.erased
        try:
            for capture_id in capture_ids:
                budget.erased += budget.attempt(erase, capture_id)
        finally:
            if budget.failed:
                self._looked_back_at = None
            if erased := budget.erased - before:
                log.info("erased=%d", erased)
        return erased

    def _erase_due(self, capture_id: str, now: datetime, *, waits: bool) -> bool:
        """Erase a record, unless another process has done so meanwhile, or it is held by now.

        Args:
            waits: for another process that is at it. Without, that one goes on: of several that
                erase what is due, each does a part.
        """
        if self._filing.is_erased(capture_id):
            return False  # before its row is held: that is six questions
        with self._store.upload_locked(capture_id, waits=waits) as upload:
            if upload is None and self._store.find(capture_id) is not None:
                return False
            due = self._dues.one(capture_id, now)
            for _, why in due:
                self._erase(capture_id, why, now)
        return bool(due)

    def _erase_unfiled(self, capture_id: str) -> bool:
        """Erase a record that is damaged or missing, with its mark: its order is not known."""
        with self._store.upload_locked(capture_id):
            if self._filing.is_filed(capture_id) or not self._store.filing_backlog.has(capture_id):
                return False  # filed after all: it is due as any other, and may be held
            self._store.erase(capture_id)
            self._store.filing_backlog.done([capture_id])
        log.warning("record=given_up capture_id=%s", capture_id)
        return True

    def hold(self, number: str, case_number: str, now: datetime) -> int:
        """Erase nothing of this order until it is released, also if it is moved to another one.

        What another process was erasing already, it ends before this returns. Said again for the
        same case, it waits once more.

        Returns:
            How many records went so, since the order was held.

        Raises:
            NoSuchOrder: there is none.
            NotDone: it is held already; a second case would end with the first one's release.
            Unavailable: it is held, and what was being erased has not ended in time.
        """
        upsert = """INSERT INTO holds VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE
            SET case_number = holds.case_number RETURNING case_number"""
        row = (self._orders.find(number).number, case_number, rfc3339(now))
        with self._ledger.transaction():
            self._orders.lock([number])  # what is being moved away is there then
            held = "SELECT 1 FROM holds WHERE number = ?"
            is_new = self._ledger.execute(held, (number,)).fetchone() is None
            (held_for,) = self._ledger.execute(upsert, row).fetchone()  # of two at once the first
            if held_for != case_number:
                raise NotDone(f"order {number} is held for {held_for} already")
            found = self._of_order(number)
            into = "INSERT INTO held VALUES (?, ?) ON CONFLICT DO NOTHING"
            self._ledger.executemany(into, [(capture_id, number) for capture_id in found])
            if is_new:
                held = f"{Act.HELD} Case {case_number}."
                self._log_hold(number, held, Act.HELD_RECORD, now)
        for capture_id in found:
            self._await_end(capture_id)
        return sum(self._filing.is_erased(capture_id) for capture_id in found)

    def _of_order(self, number: str) -> list[str]:
        """Return what is kept of an order, and with its retakes what was moved away from it."""
        own = """SELECT capture_id FROM captures WHERE number = :number AND erased_at IS NULL
            UNION SELECT capture_id FROM captures
            WHERE own_number = :number AND version > 0 AND erased_at IS NULL"""
        moved = """SELECT capture_id FROM corrections WHERE from_number = :number
            UNION SELECT capture_id FROM corrections WHERE to_number = :number"""
        found = {row["capture_id"] for row in self._ledger.execute(own, {"number": number})}
        for row in self._ledger.execute(moved, {"number": number}):
            family = family_of(self._ledger, row["capture_id"])
            found |= {one.capture_id for one in family if not one.is_erased}
        return sorted(found)

    def _await_end(self, capture_id: str) -> None:
        """Wait until its erasing has ended, if that is under way: who erases holds its row."""
        for budget in range(ERASING_TRIES, 0, -1):
            try:
                with self._store.upload_locked(capture_id):
                    return
            except Unavailable:
                if budget == 1:
                    raise

    def release(self, number: str, now: datetime) -> None:
        """End a hold; the next `expire` erases what is due, and this what takes no photo.

        Raises:
            NotDone: it is not held.
        """
        with self._ledger.transaction():
            self._orders.lock([number])
            found = self._log_hold(number, Act.RELEASED, Act.RELEASED, now)
            if not self._ledger.execute("DELETE FROM holds WHERE number = ?", (number,)).rowcount:
                raise NotDone(f"order {number} is not held")
        for one in found:
            self.expire_order(one, now)

    def _log_hold(self, number: str, own: str, others: str, now: datetime) -> set[str]:
        """Write a hold or its end down for its order, and others with what it covers; name them."""
        query = """SELECT DISTINCT c.number FROM held h JOIN captures c USING (capture_id)
            WHERE h.number = ? AND c.number IS NOT NULL"""
        found = {number, *(row[0] for row in self._ledger.execute(query, (number,)))}
        for one in sorted(found):
            why = own if one == number else others
            view_log.write(self._ledger, OFFICE, one, "", why, at=now)
        return found

    def holds(self) -> list[Hold]:
        """Return all holds, the oldest first."""
        rows = self._ledger.execute("SELECT * FROM holds ORDER BY since")
        return [
            Hold(row["number"], row["case_number"], datetime.fromisoformat(row["since"]))
            for row in rows
        ]

    def _erase(self, capture_id: str, why: str, now: datetime) -> None:
        """Erase one record while its upload is held: a second process would find no label.

        The files are erased first, so that an interrupted record is still due.
        """
        self._store.erase(capture_id)
        change = """UPDATE captures SET erased_at = ?, erased_why = ?, number = NULL,
            distance_m = NULL, accuracy_m = NULL, reason = NULL WHERE capture_id = ?"""
        self._ledger.execute(change, (rfc3339(now), why, capture_id))

    def _forget_access(self, now: datetime) -> None:
        """Delete what opens nothing any more; note from when on no look is forgotten."""
        horizon = rfc3339(now - timedelta(days=self._retention.view_log_days))
        with self._ledger.exclusive_transaction():
            self._ledger.execute("DELETE FROM view_horizon")
            self._ledger.execute("INSERT INTO view_horizon VALUES (?)", (horizon,))
        for table in ("grants", "one_time_codes"):
            self._ledger.execute(f"DELETE FROM {table} WHERE ends <= ?", (rfc3339(now),))
        self._cases.forget(horizon)
        self._sessions.forget_ended(now)
        self._tries.forget_ended(now)

    def _forget_orders(self, before: datetime) -> int:
        """Forget which order some erased records named, after `photo_days`; return how many.

        Until then a void, or a correction of a retake, finds its record.
        """
        change = f"""UPDATE captures SET own_number = NULL WHERE capture_id IN
            (SELECT capture_id FROM captures WHERE own_number IS NOT NULL
            AND erased_at IS NOT NULL AND received_at <= ? LIMIT {10 * BATCH})"""
        return self._ledger.execute(change, (rfc3339(before),)).rowcount

    def _forget_corrections(self, before: datetime) -> int:
        """Delete some corrections older than any kept view, if their records are erased.

        The latest one of a family also stays as long as a photo of any member: it says since when
        a withdrawn one is due, where a late one belongs, and which order an erased one proved.
        """
        gone = f"""DELETE FROM corrections WHERE version IN (SELECT version FROM corrections k
            WHERE k.at < (SELECT max(before) FROM view_horizon)
            AND NOT EXISTS (SELECT 1 FROM captures c
                WHERE c.capture_id = k.capture_id AND c.erased_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.version > 0 AND c.version = k.version
                AND (c.erased_at IS NULL OR c.received_at > ?))
            LIMIT {10 * BATCH})"""
        return self._ledger.execute(gone, (rfc3339(before),)).rowcount

    def _forget_views(self) -> int:
        """Delete some views of before the horizon; return how many."""
        gone = f"""DELETE FROM views WHERE id IN (SELECT id FROM views
            WHERE at < (SELECT max(before) FROM view_horizon)
            AND (number IS NULL OR number NOT IN (SELECT number FROM holds))
            AND capture_id NOT IN (SELECT capture_id FROM held)
            LIMIT {10 * BATCH})"""
        return self._ledger.execute(gone).rowcount

    def _forget_technicians(self, before: datetime) -> None:
        """Forget who brought a record with the record, and who ended a device as long after it."""
        self._rescues.forget_names(before)
        self._register.forget_names(before)


def plain_language(retention: Retention, language: Language = ENGLISH) -> list[RetentionLine]:
    """Return what is kept, for whom and how long; the days are in the table alone."""
    lines = [
        _kept(
            "The photo of a delivery, where it was taken and how exactly that is known",
            "The customer of the order. Customer service for 15 minutes, after the customer told "
            "them a code. Dispatch only while it is not known which order the photo is of, or in a "
            "case. In a dispute, people who get it from the office as evidence; the customer can "
            "read of that.",
            retention.photo_days,
            "%(days)s after we received it",
        ),
        _kept(
            "A photo that the driver took back or replaced",
            "Nobody on these pages: it waits for a question about the delivery. In a dispute, "
            "people who get it from the office as evidence.",
            retention.void_days,
            "%(days)s after it was taken back",
        ),
        _kept("A practice photo", "Nobody.", retention.test_days, "%(days)s after we received it"),
        _kept(
            "The list of who looked at a photo or did something with it, when and why",
            "The customer of the order, on the order's page.",
            retention.view_log_days,
            "%(days)s after each entry",
        ),
        _kept(
            "A part of a record, where the rest did not come",
            "Nobody. The device still has it all.",
            retention.open_days,
            "%(days)s after its last byte",
        ),
        _kept(
            "A record that we could not accept, a broken one for example",
            "Technicians who look for the fault. The device still has it.",
            retention.refused_days,
            "%(days)s after we refused it",
        ),
        _kept(
            "The last status of a device that is not let in any more: how many records wait, since "
            "which hour, and what is wrong with it. No place, no order, no driver",
            "Dispatch, and systems that look after devices.",
            retention.report_days,
            "%(days)s after it said so. For a device that is let in there is the last one, and "
            "none before",
        ),
        RetentionLine(
            "The list of who moved a photo to another order, hid it or withdrew it, when and why",
            "The office, and people who get the record from it as evidence.",
            "As long as who looked, and at least as long as the record",
        ),
        RetentionLine(
            "That an order was delivered, how and when",
            "The customer of the order, customer service, dispatch, and our systems that plan "
            "deliveries. For a confidential order, a gift and an order with “Don’t take delivery "
            "photos” they read the day alone.",
            "As long as the order. Which record or which dispatcher said so: as long as a photo, "
            "also where the photo itself is deleted before",
        ),
        RetentionLine(
            "A case: you or our dispatch asked whether a photo is of your door. Which photo, who "
            "asked, why, and what was decided",
            "You and dispatch. Until it is closed, dispatch may look at the photo, and you can "
            "read each look. Your report keeps its photo for a month at most. Cases that dispatch "
            "opened keep it for three days longer than usual at most.",
            "As long as we keep who looked at a photo",
        ),
        RetentionLine(
            "Which technician brought a record from a device’s card, or retired a device",
            "Dispatch, and people who get the record from the office as evidence.",
            "As long as a photo that was received then; afterwards it says “a technician”",
        ),
        RetentionLine(
            "The label of each record: device, time and number, and a fingerprint of what was "
            "erased. No place, no order, no driver",
            "Experts who check that no record was removed unseen.",
            "As long as the device's records are checked",
        ),
        RetentionLine(
            "A photo of an order with “Don’t take delivery photos”",
            "Nobody.",
            "Not at all: it is deleted when it arrives, and what is already here is deleted at "
            "once. While there is an open case about the order, it is kept until that is closed",
        ),
        RetentionLine(
            "All of an order, while there is an open case about it",
            "As above, and in a dispute people who get it from the office as evidence.",
            "Until the case is closed",
        ),
    ]
    return [line.in_language(language) for line in lines]


def days(count: int, language: Language = ENGLISH) -> str:
    """Return a number of days as in `1 day`, `30 days`."""
    found = language.ngettext("%(count)s day", "%(count)s days", count)
    return found % {"count": language.number(count)}


def _kept(what: str, for_whom: str, count: int, how_long: str) -> RetentionLine:
    return RetentionLine(what, for_whom, how_long, count)
