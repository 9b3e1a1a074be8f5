"""A customer's reports about a photo or a hand-over of their own order, and what came of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from doorstep_backend.languages import translatable
from doorstep_backend.office.access import Customer
from doorstep_backend.office.bound import BoundRecord
from doorstep_backend.office.cases import EXPIRED, REPORTED_AS, Case, Report
from doorstep_backend.office.casework import (
    REPORTS_WITHIN,
    NoCaseError,
    TooManyCasesError,
)
from doorstep_backend.office.corrections import CannotBindError
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import Order
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.auth import CANNOT_READ, Auth, Render, Visit, fields
from doorstep_backend.pages.owned import own_order
from doorstep_backend.pages.words import WHAT_CAME_OF_IT

NOT_HERE_ANY_MORE: Final = translatable(
    "You cannot report this any more: it is not with this order any more, or it is deleted. "
    "Nothing was changed. The order’s page says what we know now."
)
"""Message for a report about a record that was moved, withdrawn or erased, or stays hidden."""

TOO_MANY: Final = translatable("You have reported very often today. Please come back tomorrow.")
"""Message for a report beyond the limit of its order or customer."""


@dataclass(frozen=True, slots=True)
class ReportSection:
    """The part of an order's page about reports.

    Attributes:
        records: what can be reported.
        case: the last one that the customer opened; None without one.
        reported: the customer's words in it.
        answer: what came of it.
        kept_until: until when the record of an open case is kept at most; else None.
        opens: whether dispatch may open a picture by it.
    """

    records: list[BoundRecord]
    case: Case | None
    reported: str = ""
    answer: str = ""
    kept_until: datetime | None = None
    opens: bool = False


def report_section(office: Office, order: Order, visit: Visit[Customer]) -> ReportSection:
    """Return what an order's page says about reports."""
    case, said = office.cases.latest_report(order.number), visit.language.gettext
    records = [one for one in office.bound.of_order(order.number) if not one.is_hidden]
    if case is None:
        return ReportSection(records, None)
    is_open, reported = case.is_open(visit.now), said(REPORTED_AS[case.reason])
    answer = said(WHAT_CAME_OF_IT[None if is_open else case.closed_as or EXPIRED])
    until = office.casework.kept_until(case) if is_open else None
    record = office.bound.find(case.capture_id)
    opens = record is not None and not record.is_hand_over
    return ReportSection(records, case, reported, answer, until, opens)


class ReportPages:
    """The pages of a report: one says what will happen, and one takes the report."""

    def __init__(self, office: Office, render: Render) -> None:
        self._office = office
        self._render = render

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages."""
        return [
            auth.page("/orders/{number}/report", Customer, self.confirm),
            auth.action("/orders/{number}/report", Customer, self.report),
        ]

    def confirm(self, visit: Visit[Customer]) -> Response:
        """Say what a report does. Raise HTTPException: 400 for none, 409 if it is too late."""
        order, given = own_order(self._office, visit), fields(visit.query)
        what, capture_id = _what(given.get("what", "")), given.get("record", "")
        try:
            record = self._office.casework.reported(order, capture_id, what, visit.now)
        except NoCaseError as error:
            raise HTTPException(409, NOT_HERE_ANY_MORE) from error
        back = f"/orders/{quote(order.number, safe='')}"
        return self._render(
            visit,
            "confirm_report.html",
            action=f"{back}/report",
            back=back,
            fields={"what": what.value, "record": capture_id},
            what=what,
            until=self._office.casework.kept_until_if_reported(record, visit.now),
            zone=self._office.zone_of(order.number),
        )

    def report(self, visit: Visit[Customer]) -> Response:
        """Take the report. Raise HTTPException as `confirm` does, and 429 after too many."""
        order = own_order(self._office, visit)
        what, capture_id = _what(visit.form.get("what", "")), visit.form.get("record", "")
        try:
            self._office.casework.report(order, capture_id, what, visit.now)
        except (NoCaseError, CannotBindError) as error:
            raise HTTPException(409, NOT_HERE_ANY_MORE) from error
        except TooManyCasesError as error:
            retry = {"Retry-After": str(int(REPORTS_WITHIN.total_seconds()))}
            raise HTTPException(429, TOO_MANY, retry) from error
        return RedirectResponse(f"{PREFIX}/orders/{quote(order.number, safe='')}", 303)


def _what(given: str) -> Report:
    try:
        return Report(given)
    except ValueError as error:
        raise HTTPException(400, CANNOT_READ) from error
