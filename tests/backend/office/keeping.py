"""How long what is kept: erasing by the retention table, and holding back from it."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.models import rfc3339
from tests.backend.engines.sql import Database
from tests.backend.identity.register import Register
from tests.backend.office.filing import CannotBindError
from tests.backend.office.orders import TAKES_NO_PHOTO, Orders
from tests.backend.office.routes import Routes
from tests.backend.reports.store import Reports
from tests.backend.settings import Retention
from tests.backend.wire.quota import Quota
from tests.backend.wire.rescued import Rescues
from tests.backend.wire.store import Store

log = logging.getLogger(__name__)

_DUE: Final = f"""SELECT capture_id, why FROM (SELECT c.capture_id, CASE
        WHEN c.kind = 'photo' AND c.number IS NOT NULL AND {TAKES_NO_PHOTO}
            THEN 'no photo at this stop'
        WHEN c.taken_back_at <= :void THEN 'taken back'
        WHEN c.kind = 'test' AND c.received_at <= :test THEN 'practice'
        WHEN c.received_at <= :photo THEN 'its time is over'
    END AS why FROM captures c LEFT JOIN orders o ON o.number = c.number
    WHERE c.erased_at IS NULL
    AND (c.number IS NULL OR c.number NOT IN (SELECT number FROM holds))) AS due
    WHERE why IS NOT NULL"""


class NotDone(Exception):
    """What was asked for makes no sense, and nothing was changed; says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One line of what is kept: in plain words, for people who ask.

    Attributes:
        days: from the retention table; None for what it does not limit.
    """

    what: str
    for_whom: str
    how_long: str
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """An order of which nothing is erased until its case is closed."""

    number: str
    case_number: str
    since: datetime


class Keeping:
    """Erases what is due. An erased record keeps its label, so that the chain still verifies."""

    def __init__(
        self,
        ledger: Database,
        store: Store,
        orders: Orders,
        routes: Routes,
        retention: Retention,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._orders = orders
        self._routes = routes
        self._retention = retention
        self._uploads = Quota(store)
        self._reports = Reports(store.folder)
        self._rescues = Rescues(store)
        self._register = Register(store.folder)

    def expire(self, now: datetime) -> int:
        """Erase all that is due at `now`; returns how many records. Interrupted, run it again."""
        due = self._ledger.execute(_DUE, self._before(now)).fetchall()
        for row in due:
            self._erase(row["capture_id"], row["why"], now)
        self._uploads.expire(now, self._retention.open_days, self._retention.refused_days)
        self._routes.forget_ended(now, now - timedelta(days=self._retention.photo_days))
        self._reports.expire(now - timedelta(days=self._retention.report_days))
        self._forget_access(now)
        self._forget_technicians(now - timedelta(days=self._retention.photo_days))
        if due:
            log.info("erased=%d", len(due))
        return len(due)

    def expire_one(self, capture_id: str, now: datetime) -> None:
        """Erase this record alone, if it is due. Any thread may; interrupted, run it again."""
        query = f"{_DUE} AND capture_id = :one"
        for row in self._ledger.execute(query, {**self._before(now), "one": capture_id}):
            self._erase(capture_id, row["why"], now)

    def _before(self, now: datetime) -> dict[str, str]:
        return {
            "photo": rfc3339(now - timedelta(days=self._retention.photo_days)),
            "void": rfc3339(now - timedelta(days=self._retention.void_days)),
            "test": rfc3339(now - timedelta(days=self._retention.test_days)),
        }

    def discard(self, capture_id: str, now: datetime) -> None:
        """Erase a photo that waits to be bound and is of no order that takes one.

        Raises:
            CannotBindError: it is not waiting.
        """
        query = """SELECT 1 FROM captures WHERE capture_id = ? AND kind = 'photo'
            AND number IS NULL AND erased_at IS NULL"""
        if self._ledger.execute(query, (capture_id,)).fetchone() is None:
            raise CannotBindError("not waiting to be bound: nothing was erased")
        self._erase(capture_id, "discarded by dispatch", now)

    def hold(self, number: str, case_number: str, now: datetime) -> None:
        """Erase nothing of this order until it is released.

        Raises:
            NoSuchOrder: there is none.
            NotDone: it is held already; a second case would end with the first one's release.
        """
        row = (self._orders.find(number).number, case_number, rfc3339(now))
        for hold in self.held():
            if hold.number == number:
                raise NotDone(f"order {number} is held for {hold.case_number} already")
        self._ledger.execute("INSERT INTO holds VALUES (?, ?, ?)", row)

    def release(self, number: str) -> None:
        """End a hold; the next `expire` erases what is due. Raises NotDone: it is not held."""
        if not self._ledger.execute("DELETE FROM holds WHERE number = ?", (number,)).rowcount:
            raise NotDone(f"order {number} is not held")

    def held(self) -> list[Hold]:
        rows = self._ledger.execute("SELECT * FROM holds ORDER BY since")
        return [
            Hold(row["number"], row["case_number"], datetime.fromisoformat(row["since"]))
            for row in rows
        ]

    def _erase(self, capture_id: str, why: str, now: datetime) -> None:
        """The files first: interrupted, the record is still due."""
        self._store.erase(capture_id)
        change = """UPDATE captures SET erased_at = ?, erased_why = ?, number = NULL,
            distance_m = NULL, accuracy_m = NULL, reason = NULL WHERE capture_id = ?"""
        self._ledger.execute(change, (rfc3339(now), why, capture_id))

    def _forget_access(self, now: datetime) -> None:
        horizon = rfc3339(now - timedelta(days=self._retention.view_log_days))
        gone = """DELETE FROM views WHERE at < ?
            AND (number IS NULL OR number NOT IN (SELECT number FROM holds))"""
        with self._ledger.together():
            self._ledger.execute("DELETE FROM view_horizon")
            self._ledger.execute("INSERT INTO view_horizon VALUES (?)", (horizon,))
            self._ledger.execute(gone, (horizon,))
            for table in ("grants", "one_time_codes"):
                self._ledger.execute(f"DELETE FROM {table} WHERE ends <= ?", (rfc3339(now),))

    def _forget_technicians(self, before: datetime) -> None:
        """Who brought a record, as long as the record; who retired a device, as long from then."""
        self._rescues.forget_names(before)
        self._register.forget_names(before)


def plain_language(retention: Retention) -> list[Kept]:
    """What is kept, for whom and how long; the days are the table's and stand nowhere else."""
    return [
        _kept(
            "The photo of a delivery, where it was taken and how exactly that is known",
            "The customer of the order. Customer service for 15 minutes, after the customer told "
            "them a code. Dispatch only while it is not known which order the photo is of. In a "
            "dispute, whoever the office gives it to as evidence; the customer can read of that.",
            retention.photo_days,
            "after we received it",
        ),
        _kept(
            "A photo that the driver took back or replaced",
            "Nobody. It waits for a question about the delivery.",
            retention.void_days,
            "after it was taken back",
        ),
        _kept("A practice photo", "Nobody.", retention.test_days, "after we received it"),
        _kept(
            "Who looked at a photo, when and why",
            "The customer of the order, on the order's page.",
            retention.view_log_days,
            "after the look",
        ),
        _kept(
            "A part of a record, where the rest did not come",
            "Nobody. The device still has it all.",
            retention.open_days,
            "after its last byte",
        ),
        _kept(
            "A record that we could not accept, a broken one for example",
            "Whoever looks for the fault. The device still has it.",
            retention.refused_days,
            "after we refused it",
        ),
        _kept(
            "What a device that is not let in any more last said of itself: how many records wait, "
            "since which hour, and what is wrong with it. No place, no order, no driver",
            "Dispatch, and systems that look after devices.",
            retention.report_days,
            "after it said so. Of a device that is let in there is the last one, and none before",
        ),
        Kept(
            "Which technician brought a record from a device’s card, or retired a device",
            "Dispatch, and whoever the office gives the record to as evidence.",
            "As long as a photo that was received then; afterwards it says “a technician”",
        ),
        Kept(
            "The label of each record: device, time and number, and a fingerprint of what was "
            "erased. No place, no order, no driver",
            "Whoever checks that no record was removed unseen.",
            "As long as the device's records are checked",
        ),
        Kept(
            "A photo of an order with “Don’t take delivery photos”",
            "Nobody.",
            "Not at all: it is deleted when it arrives, and what is already here is deleted at "
            "once",
        ),
        Kept(
            "All of an order, while there is an open case about it",
            "As above.",
            "Until the case is closed",
        ),
    ]


def _kept(what: str, for_whom: str, days: int, since: str) -> Kept:
    return Kept(what, for_whom, f"{days} {'day' if days == 1 else 'days'} {since}", days)
