"""The work on cases: a customer reports, a dispatcher looks, and decides by a correction.

The photo is moved to another order, withdrawn, or is where it belongs. A report erases nothing, and
changes nothing about whether an order is done.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Database
from doorstep_backend.office.bound import BoundRecord, BoundRecords
from doorstep_backend.office.cases import (
    CUSTOMER,
    REASONS,
    REPORTED,
    REPORTED_AS,
    Case,
    Cases,
    Closing,
    Report,
)
from doorstep_backend.office.corrections import Corrections, State, Why
from doorstep_backend.office.families import family_of
from doorstep_backend.office.filing import Filing
from doorstep_backend.office.orders import Order, Orders
from doorstep_backend.office.view_log import OF_HAND_OVER, Act, because, write
from doorstep_backend.wire.store import Store

LOOKS: Final = 10
"""Most cases of one dispatcher within LOOKS_WITHIN: a busy hour has a few wrong doors."""

LOOKS_WITHIN: Final = timedelta(hours=1)
"""Time for which a dispatcher's case counts."""

REPORTS_OF_ORDER: Final = 3
"""Most reports about one order within REPORTS_WITHIN: one of each kind."""

REPORTS_OF_CUSTOMER: Final = 10
"""Most reports of one customer within REPORTS_WITHIN: each is work for a dispatcher."""

REPORTS_WITHIN: Final = timedelta(days=1)
"""Time for which a report counts."""


class NoCaseError(LookupError):
    """A record about which no case can be opened: nobody may be shown it, or it has moved."""


class TooManyCasesError(Exception):
    """A case beyond the limit of this dispatcher, order or customer; nothing was changed."""


class CaseOverError(Exception):
    """A case that is closed, or whose life is over; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A dispatcher's answer to a case.

    Attributes:
        number: the order that the photo is of, if it was moved.
        version: of the latest correction, as the page showed it.
    """

    closing: Closing
    number: str
    version: int


class Casework:
    """The work of people on cases. Each change is durable when the call returns."""

    def __init__(
        self,
        ledger: Database,
        store: Store,
        filing: Filing,
        corrections: Corrections,
        bound: BoundRecords,
        *,
        photo_days: int,
    ) -> None:
        self._cases = Cases(ledger)
        self._bound = bound
        self._ledger = ledger
        self._filing = filing
        self._store = store
        self._corrections = corrections
        self._kept_for = timedelta(days=photo_days)

    def open(self, capture_id: str, reason: str, dispatcher: str, now: datetime) -> Case:
        """Open a case for a dispatcher; return the open one if there is one for them already.

        Args:
            reason: a key of REASONS.

        Raises:
            NoCaseError: nobody may look at this record, or it waits for an order.
            TooManyCasesError: this dispatcher had LOOKS cases within LOOKS_WITHIN.
        """
        with self._ledger.exclusive_transaction(dispatcher):
            found = self._cases.open_for(dispatcher, capture_id, now)
            if found is not None:
                return found
            number = self._record(capture_id).photo.number or ""
            if self._cases.opened_since(dispatcher, now - LOOKS_WITHIN) >= LOOKS:
                raise TooManyCasesError(f"{dispatcher} opened {LOOKS} cases already")
            Orders(self._ledger).lock([number])
            record = self._record(capture_id)
            if record.photo.number != number:
                raise NoCaseError("the record is being moved to another order")
            act = OF_HAND_OVER[Act.CASE] if record.is_hand_over else Act.CASE
            why = because(act, REASONS[reason])
            write(self._ledger, dispatcher, number, capture_id, why, at=now)
            return self._cases.add(capture_id, reason, dispatcher, number, now)

    def report(self, order: Order, capture_id: str, what: Report, now: datetime) -> None:
        """Take a customer's word about a record of their order; NOT_MY_DOOR hides it at once.

        A report about a record with an open case joins that case; a repeated report changes
        nothing.

        Raises:
            NoCaseError: the record is not of this order any more, or is not kept.
            TooManyCasesError: this order or customer had too many reports.
            StaleCorrectionError: somebody corrected it at the same moment.
        """
        with (
            self._store.upload_locked(capture_id),
            self._ledger.exclusive_transaction(f"reports of {order.customer}"),
        ):
            record = self.reported(order, capture_id, what, now)
            if self._is_said(capture_id, what, now):
                return
            self._check_reports(order, now)
            if what is not Report.NOT_MY_DOOR:
                self._note(order, capture_id, what, now)
                return
            self._corrections.correct(
                capture_id,
                record.photo.version,
                to=order.number,
                state=State.HIDDEN,
                who=CUSTOMER,
                why=Why.NOT_MY_DOOR,
                now=now,
                also=lambda: self._note(order, capture_id, what, now),
            )

    def close(self, case: Case, decision: Decision, dispatcher: str, now: datetime) -> None:
        """Close a case, and all others about its record, with the correction that decides it.

        `Office.close_case` also erases what only the case held.

        Raises:
            CaseOverError: it is closed, or its life is over.
            StaleCorrectionError: somebody corrected the record since the page was shown.
            CannotBindError: the record may not go there, or it is gone; see `correct`.
            NoSuchOrder: there is none.
        """
        if not case.is_open(now):
            raise CaseOverError("the case is not open")
        to, state, why = self._correction(case, decision)
        self._corrections.correct(
            case.capture_id,
            decision.version,
            to=to,
            state=state,
            who=dispatcher,
            why=why,
            now=now,
            also=lambda: self._close_all(case, decision.closing, dispatcher, now),
        )

    def reported(self, order: Order, capture_id: str, what: Report, now: datetime) -> BoundRecord:
        """Return the record, if its customer may report this about it. Raise NoCaseError."""
        record = self._record(capture_id)
        is_fitting = record.is_hand_over is (what is Report.NOT_HANDED_TO_ME)
        if record.photo.number != order.number or not is_fitting:
            raise NoCaseError("the record is not of this order, or the report does not fit it")
        if record.photo.received_at + self._kept_for <= now:
            raise NoCaseError("the record is about to be erased, and a report would keep it")
        if record.is_hidden and self._open_report(capture_id, now) is None:
            raise NoCaseError("the record stays hidden: nobody decided about it in time")
        return record

    def kept_until_if_reported(self, record: BoundRecord, now: datetime) -> datetime:
        """Return until when a record is kept at most, if its customer reports it now."""
        case = self._open_report(record.photo.capture_id, now)
        ends = case.ends if case else now + REPORTED
        return max(record.photo.received_at + self._kept_for, ends)

    def kept_until(self, case: Case) -> datetime:
        """Return until when the record of an open case is kept at most."""
        filed = self._filing.filed(case.capture_id)
        received_at = from_rfc3339(filed.received_at) if filed else case.opened_at
        return max(received_at + self._kept_for, case.ends)

    def _record(self, capture_id: str) -> BoundRecord:
        found = self._bound.find(capture_id)
        if found is None:
            raise NoCaseError("nobody may be shown this record, or it has no order")
        return found

    def _open_report(self, capture_id: str, now: datetime) -> Case | None:
        return self._cases.open_for(CUSTOMER, capture_id, now)

    def _is_said(self, capture_id: str, what: Report, now: datetime) -> bool:
        """Return whether the customer has made this report in the open case."""
        case = self._open_report(capture_id, now)
        if case is None:
            return False
        query = "SELECT 1 FROM views WHERE capture_id = ? AND viewer = ? AND why = ? AND at >= ?"
        row = (capture_id, CUSTOMER, REPORTED_AS[what], rfc3339(case.opened_at))
        return self._ledger.execute(query, row).fetchone() is not None

    def _check_reports(self, order: Order, now: datetime) -> None:
        # By the orders' own index (`|| ''`): of one day there are the looks of all customers.
        query = """SELECT v.number FROM views v
            WHERE v.number IN (SELECT number FROM orders WHERE customer = ?)
            AND v.viewer || '' = ? AND v.why IN (?, ?, ?) AND v.at || '' > ?"""
        row = (order.customer, CUSTOMER, *REPORTED_AS.values(), rfc3339(now - REPORTS_WITHIN))
        numbers = [one["number"] for one in self._ledger.execute(query, row)]
        if len(numbers) >= REPORTS_OF_CUSTOMER or numbers.count(order.number) >= REPORTS_OF_ORDER:
            raise TooManyCasesError("this order, or this customer, had too many reports")

    def _note(self, order: Order, capture_id: str, what: Report, now: datetime) -> None:
        """Write a report down, in the open case about the record or in a new one."""
        if self._open_report(capture_id, now) is None:
            self._cases.add(capture_id, what, CUSTOMER, order.number, now)
        why = REPORTED_AS[what]
        write(self._ledger, CUSTOMER, order.number, capture_id, why, at=now)

    def _correction(self, case: Case, decision: Decision) -> tuple[str | None, State, Why]:
        match decision.closing:
            case Closing.MOVED:
                return decision.number, State.SHOWN, Why.WRONG_ORDER
            case Closing.WITHDRAWN:
                was_handed = case.reason == Report.NOT_HANDED_TO_ME
                why = Why.NOT_HANDED_OVER if was_handed else Why.NOT_OF_DELIVERY
                return None, State.WITHDRAWN, why
            case Closing.CORRECT:
                filed = self._filing.filed(case.capture_id)
                return filed.number if filed else None, State.SHOWN, Why.CHECKED
            case other:
                assert_never(other)

    def _close_all(self, case: Case, closing: Closing, who: str, now: datetime) -> None:
        """Close what is open about the record and its retakes; part of a correction."""
        ids = [one.capture_id for one in family_of(self._ledger, case.capture_id)]
        if case.case_id not in self._cases.close(ids, closing, who, now):
            raise CaseOverError("somebody closed the case at the same moment")
