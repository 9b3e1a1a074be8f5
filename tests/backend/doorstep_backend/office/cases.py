"""Cases: questions about one record, which dispatch may look at, and which is kept until then.

A customer's report opens a case, or a dispatcher does; casework.py has what they may do.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.languages import translatable
from doorstep_backend.office.families import of_same_order

CUSTOMER: Final = "customer"
"""`opened_by` of a case that a customer's report opened; other cases name the dispatcher."""

LOOK: Final = timedelta(minutes=15)
"""Life of a dispatcher's case: to look and to decide; as long as customer service's access."""

REPORTED: Final = timedelta(days=30)
"""Life of a customer's case: as long as a photo is kept without one."""

KEPT_LONGER: Final = timedelta(hours=72)
"""Longest that dispatchers' cases keep a photo beyond its time, however many there are: a weekend
and a night."""

EXPIRED: Final = "expired"
"""`closed_as` of a case that nobody closed within its life."""

REASONS: Final[Mapping[str, str]] = {
    "driver": translatable("The driver reported a wrong door."),
    "customer": translatable("The customer asked about the door."),
    "place": translatable("The place does not fit the door."),
    "other_photo": translatable("Another photo of this round was of a wrong door."),
}
"""Why a dispatcher opens a case: a closed list, since the customer reads it."""

_KEEPS: Final = f"""k.closed_at IS NULL
    AND (k.opened_by = '{CUSTOMER}' OR c.received_at > :kept_longer)"""

_ABOUT: Final = f"""EXISTS (SELECT 1 FROM captures f JOIN cases k ON k.capture_id = f.capture_id
    WHERE {{}} AND {_KEEPS} AND f.device_id || '' = c.device_id
    AND coalesce(f.own_number = c.own_number, TRUE))"""

IN_CASE: Final = f"""(EXISTS (SELECT 1 FROM cases k
    WHERE k.capture_id = c.capture_id AND {_KEEPS})
    OR {_ABOUT.format("f.capture_id = c.retake_of")}
    OR {_ABOUT.format("f.retake_of = c.capture_id")})"""
"""Condition: this capture is in a case, or what it retakes or its retake is (families.py).

It is not erased before that is closed, or ended. A dispatcher's case does not keep what was
received before `:kept_longer`.
"""


class Report(StrEnum):
    """A customer's report."""

    NOT_MY_DOOR = "not_my_door"
    CANNOT_FIND = "cannot_find"
    NOT_HANDED_TO_ME = "not_handed_to_me"


REPORTED_AS: Final[Mapping[str, str]] = {
    Report.NOT_MY_DOOR: translatable("Reported: “This is not my door.”"),
    Report.CANNOT_FIND: translatable("Reported: “I cannot find it.”"),
    Report.NOT_HANDED_TO_ME: translatable("Reported: “It was not handed to me.”"),
}
"""The customer's entry in the view log."""


class Closing(StrEnum):
    """The end of a case that a dispatcher decided."""

    MOVED = "moved"
    WITHDRAWN = "withdrawn"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class Case:
    """A question about one record.

    Attributes:
        opened_by: CUSTOMER, or a dispatcher as the view log names one.
        reason: a `Report`, or a key of REASONS if a dispatcher opened it.
        number: the order at that time.
        closed_as: a `Closing` or EXPIRED; None while it is open.
    """

    case_id: str
    capture_id: str
    opened_at: datetime
    opened_by: str
    reason: str
    number: str | None
    closed_at: datetime | None
    closed_by: str | None
    closed_as: str | None

    @property
    def ends(self) -> datetime:
        """End of the case, if nobody closes it before."""
        return self.opened_at + (REPORTED if self.opened_by == CUSTOMER else LOOK)

    def is_open(self, now: datetime) -> bool:
        """Return whether the picture opens by this case."""
        return self.closed_at is None and now < self.ends

    def is_for(self, dispatcher: str) -> bool:
        """Return whether this dispatcher may work on it; each may on a customer's case."""
        return self.opened_by in {CUSTOMER, dispatcher}


class Cases:
    """The cases. Each change is durable when the call returns."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    def find(self, case_id: str) -> Case | None:
        """Return the case, open or not; None if it is unknown."""
        query = "SELECT * FROM cases WHERE case_id = ?"
        row = self._ledger.execute(query, (case_id,)).fetchone()
        return None if row is None else _case(row)

    def open_for(self, dispatcher: str, capture_id: str, now: datetime) -> Case | None:
        """Return the case by which this dispatcher may look at a record now; None without one.

        A case about a photo is about its retakes on the same order too: one may replace it.
        """
        ids = of_same_order(self._ledger, capture_id)
        query = f"""SELECT * FROM cases WHERE capture_id IN ({", ".join("?" * len(ids))})
            AND closed_at IS NULL AND opened_by IN (?, ?) ORDER BY opened_at"""
        rows = self._ledger.execute(query, (*ids, CUSTOMER, dispatcher))
        return next((case for case in map(_case, rows) if case.is_open(now)), None)

    def all_open_for(self, dispatcher: str, now: datetime, most: int) -> list[Case]:
        """Return open cases on which this dispatcher may work: the oldest `most`."""
        query = """SELECT * FROM cases WHERE closed_at IS NULL
            AND (opened_by = ? AND opened_at > ? OR opened_by = ? AND opened_at > ?)
            ORDER BY opened_at, case_id LIMIT ?"""
        since = rfc3339(now - REPORTED), rfc3339(now - LOOK)
        row = (CUSTOMER, since[0], dispatcher, since[1], most)
        return [_case(one) for one in self._ledger.execute(query, row)]

    def latest_report(self, number: str) -> Case | None:
        """Return the last case that this order's customer opened; None without one."""
        query = """SELECT * FROM cases WHERE number = ? AND opened_by = ?
            ORDER BY opened_at DESC LIMIT 1"""
        row = self._ledger.execute(query, (number, CUSTOMER)).fetchone()
        return None if row is None else _case(row)

    def opened_since(self, who: str, since: datetime) -> int:
        """Return how many cases `who` opened since then."""
        query = "SELECT count(*) FROM cases WHERE opened_by = ? AND opened_at > ?"
        return int(self._ledger.execute(query, (who, rfc3339(since))).fetchone()[0])

    def add(
        self, capture_id: str, reason: str, who: str, number: str | None, now: datetime
    ) -> Case:
        """Open a case; the caller has checked that it may be opened."""
        row = (secrets.token_urlsafe(16), capture_id, rfc3339(now), who, reason, number)
        into = """INSERT INTO cases (case_id, capture_id, opened_at, opened_by, reason, number)
            VALUES (?, ?, ?, ?, ?, ?) RETURNING *"""
        return _case(self._ledger.execute(into, row).fetchone())

    def close(self, capture_ids: Sequence[str], how: Closing, who: str, now: datetime) -> list[str]:
        """Close the open cases about these records; return the ids of these cases."""
        change = f"""UPDATE cases SET closed_at = ?, closed_by = ?, closed_as = ?
            WHERE closed_at IS NULL AND capture_id IN ({", ".join("?" * len(capture_ids))})
            RETURNING case_id"""
        row = (rfc3339(now), who, how, *capture_ids)
        return [one["case_id"] for one in self._ledger.execute(change, row)]

    def end(self, now: datetime, most: int) -> list[str]:
        """Close at most `most` cases whose life is over; return the ids of their records."""
        change = """UPDATE cases SET closed_at = :now, closed_as = :how
            WHERE closed_at IS NULL AND case_id IN (
            SELECT case_id FROM cases WHERE closed_at IS NULL AND (opened_at <= :reported
                OR opened_by <> :customer AND opened_at <= :look) LIMIT :most)
            RETURNING capture_id"""
        values = {"now": rfc3339(now), "how": EXPIRED, "customer": CUSTOMER, "most": most}
        values |= {"reported": rfc3339(now - REPORTED), "look": rfc3339(now - LOOK)}
        return [row["capture_id"] for row in self._ledger.execute(change, values)]

    def forget(self, before: str) -> None:
        """Delete closed cases that were opened before a time, except those of held orders."""
        gone = """DELETE FROM cases WHERE closed_at IS NOT NULL AND opened_at < ?
            AND (number IS NULL OR number NOT IN (SELECT number FROM holds))
            AND capture_id NOT IN (SELECT capture_id FROM held)"""
        self._ledger.execute(gone, (before,))


def _case(row: Row) -> Case:
    closed_at = row["closed_at"]
    return Case(
        case_id=row["case_id"],
        capture_id=row["capture_id"],
        opened_at=from_rfc3339(row["opened_at"]),
        opened_by=row["opened_by"],
        reason=row["reason"],
        number=row["number"],
        closed_at=None if closed_at is None else from_rfc3339(closed_at),
        closed_by=row["closed_by"],
        closed_as=row["closed_as"],
    )
