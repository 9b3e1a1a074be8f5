"""Access to photos, and the log of who has seen one."""

import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from agent.models import rfc3339
from doorstep_backend.engines.sql import Database
from doorstep_backend.languages import translatable
from doorstep_backend.office.bound import BoundRecords
from doorstep_backend.office.cases import Cases
from doorstep_backend.office.filing import Filing
from doorstep_backend.office.orders import NoSuchOrder, Orders
from doorstep_backend.office.view_log import OFFICE, SYSTEM, Act, because, write

GRANT: Final = timedelta(minutes=15)
"""Time for which an agent sees an order's photos: longer than a call, shorter than a shift."""

CODE_VALID: Final = timedelta(minutes=10)
"""Life of a one-time code: a phone call, with its waiting."""

CODE_TRIES: Final = 5
"""Wrong codes until the order needs a new one: a guess has 5 in a million."""


AGENT_TRIES: Final = 10
"""Wrong codes of one agent within AGENT_WINDOW: a slip at every call of a busy hour."""

AGENT_WINDOW: Final = timedelta(hours=1)
"""Time for which a wrong code counts: a guesser has 240 a day, and the customer reads each."""

DISPATCH: Final = "dispatch"
"""First word of a dispatcher's `viewer`."""

WRONG_CODE: Final = translatable("Gave a code that does not fit. No photo was shown.")
"""The customer's entry for a wrong code."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """Not signed in."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Signed in as this customer."""

    customer: str


@dataclass(frozen=True, slots=True)
class CustomerService:
    """Customer service, by number; sees nothing until an account was verified."""

    number: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A dispatcher, by the account's name; sees photos that wait to be bound, or are in a case."""

    name: str


Viewer = Nobody | Customer | CustomerService | Dispatch


def may_read_label(viewer: Viewer) -> bool:
    """Return whether this viewer sees the parcel label in a photo, if they may see the photo.

    It is the customer's own. Dispatch finds by it whose the photo is. Customer service has the
    order before them, and looks where the parcel is.
    """
    match viewer:
        case Customer() | Dispatch():
            return True
        case CustomerService() | Nobody():
            return False
        case other:
            assert_never(other)


@dataclass(frozen=True, slots=True)
class View:
    """A look at one photo.

    Attributes:
        viewer: `customer`, `agent 17`, `dispatch ana`, `system orders` or `office`; an earlier
            version wrote `dispatch` alone.
        capture_id: empty if it is of the whole order, or of a code.
    """

    at: datetime
    viewer: str
    capture_id: str
    why: str

    def for_customer(self) -> "View":
        """Return the look as its customer reads it: without the name of a dispatcher or a token.

        A customer needs to know that the office looked, and why; the office answers for its people.
        """
        role = self.viewer.partition(" ")[0]
        return replace(self, viewer=role) if role in {DISPATCH, SYSTEM} else self


class PhotoAccess:
    """The permissions to see photos, and the log of who saw them."""

    def __init__(
        self, ledger: Database, orders: Orders, filing: Filing, bound: BoundRecords
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._filing = filing
        self._bound = bound
        self._cases = Cases(ledger)

    def may_see(self, viewer: Viewer, capture_id: str, now: datetime) -> bool:
        """Return whether this viewer may see this photo now; to be asked again for every look."""
        photo = self._filing.photo(capture_id)
        if isinstance(viewer, Dispatch):
            waits = photo is not None and photo.number is None
            return waits or self.may_see_in_case(viewer, capture_id, now)
        if photo is None or photo.number is None:
            return False
        return self.may_see_order(viewer, photo.number, now)

    def may_see_in_case(self, viewer: Dispatch, capture_id: str, now: datetime) -> bool:
        """Return whether a case opens this photo to a dispatcher, hidden from its customer or not.

        Nothing opens the photo of an order that takes none, or one that was taken back.
        """
        is_open = self._cases.open_for(viewer_name(viewer), capture_id, now) is not None
        return is_open and self._bound.find(capture_id) is not None

    def may_see_order(self, viewer: Viewer, number: str, now: datetime) -> bool:
        """Return whether this viewer may see an order's photos; False if there is no order."""
        match viewer:
            case Customer(customer):
                return self._is_owner(customer, number)
            case CustomerService(agent):
                query = "SELECT 1 FROM grants WHERE agent = ? AND number = ? AND ends > ?"
                row = (agent, number, rfc3339(now))
                return self._ledger.execute(query, row).fetchone() is not None
            case Nobody() | Dispatch():
                return False
            case other:
                assert_never(other)

    def make_one_time_code(self, number: str, now: datetime) -> str:
        """Make a new code of six digits for the customer, in place of an earlier one.

        It is stored as it is: a digest of six digits would hide nothing.
        """
        code = f"{secrets.randbelow(1_000_000):06}"
        row = (number, code, rfc3339(now + CODE_VALID))
        upsert = """INSERT INTO one_time_codes VALUES (?, ?, ?, 0) ON CONFLICT (number) DO UPDATE
            SET code = excluded.code, ends = excluded.ends, tries = 0"""
        self._ledger.execute(upsert, row)
        return code

    def verify(
        self, agent: CustomerService, number: str, code: str, why: str, now: datetime
    ) -> bool:
        """Return whether the code is the customer's; if so the agent may look for GRANT.

        A code works once. Every try counts: after CODE_TRIES the code works no more, and after
        AGENT_TRIES wrong ones the agent waits. `why` is what the customer will read in the log;
        each use of a code is written there at once.
        """
        count = """UPDATE one_time_codes SET tries = tries + 1
            WHERE number = ? AND ends > ? AND tries < ? RETURNING code"""
        grant = """INSERT INTO grants VALUES (?, ?, ?, ?) ON CONFLICT (agent, number) DO UPDATE
            SET why = excluded.why, ends = excluded.ends"""
        with self._ledger.exclusive_transaction(viewer_name(agent)):
            if not self.may_try(agent, now):
                return False
            row = (number, rfc3339(now), CODE_TRIES)
            found = self._ledger.execute(count, row).fetchall()
            if not found or not hmac.compare_digest(found[0]["code"].encode(), code.encode()):
                self._write(
                    viewer_name(agent),
                    number if self._exists(number) else None,
                    "",
                    WRONG_CODE,
                    now,
                )
                return False
            self._ledger.execute("DELETE FROM one_time_codes WHERE number = ?", (number,))
            self._ledger.execute(grant, (agent.number, number, why, rfc3339(now + GRANT)))
            self._write(viewer_name(agent), number, "", because(Act.USED_CODE, why), now)
        return True

    def may_try(self, agent: CustomerService, now: datetime) -> bool:
        """Return True if this agent may try a code; one for an unknown order counts too."""
        query = """SELECT count(*) FROM views
            WHERE viewer = ? AND capture_id = '' AND why = ? AND at > ?"""
        row = (viewer_name(agent), WRONG_CODE, rfc3339(now - AGENT_WINDOW))
        return int(self._ledger.execute(query, row).fetchone()[0]) < AGENT_TRIES

    def why(self, agent: CustomerService, number: str) -> str:
        """Return this agent's reason when the account was last verified; empty if never."""
        query = "SELECT why FROM grants WHERE agent = ? AND number = ?"
        row = self._ledger.execute(query, (agent.number, number)).fetchone()
        return str(row["why"]) if row else ""

    def log(self, viewer: Viewer, capture_id: str, why: str, now: datetime) -> None:
        """Write down a look before the picture is sent. Durable when it returns."""
        filed = self._filing.filed(capture_id)
        self._write(viewer_name(viewer), filed.number if filed else None, capture_id, why, now)

    def log_export(
        self,
        by: CustomerService | Dispatch | None,
        capture_id: str,
        number: str | None,
        why: str,
        at: datetime,
    ) -> None:
        """Write down an export of a record as evidence; `by` None is the office's terminal."""
        self._write(OFFICE if by is None else viewer_name(by), number, capture_id, why, at)

    def _write(
        self, who: str, number: str | None, capture_id: str, why: str, now: datetime
    ) -> None:
        write(self._ledger, who, number, capture_id, why, at=now)

    def views_of(self, number: str) -> list[View]:
        """Return the looks at an order's photos, also at erased ones; the latest last."""
        return self._views("number", number)

    def views_of_record(self, capture_id: str) -> list[View]:
        """Return the looks at this record, also before it had its order; the latest last."""
        return self._views("capture_id", capture_id)

    def _views(self, column: str, value: str) -> list[View]:
        query = f"SELECT * FROM views WHERE {column} = ? ORDER BY id"
        return [
            View(datetime.fromisoformat(row["at"]), row["viewer"], row["capture_id"], row["why"])
            for row in self._ledger.execute(query, (value,))
        ]

    def _is_owner(self, customer: str, number: str) -> bool:
        try:
            return self._orders.find(number).customer == customer
        except NoSuchOrder:
            return False

    def _exists(self, number: str) -> bool:
        try:
            self._orders.find(number)
        except NoSuchOrder:
            return False
        return True


def viewer_name(viewer: Viewer) -> str:
    """Return the viewer as the log names one. Raise ValueError for nobody, who sees nothing."""
    match viewer:
        case Customer():
            return "customer"
        case CustomerService(number):
            return f"agent {number}"
        case Dispatch(name):
            return f"{DISPATCH} {name}"
        case Nobody():
            raise ValueError("nobody sees a photo: this look was not to happen")
        case other:
            assert_never(other)
