"""Dispatch's pages of photos that have an order, as rows, and of cases, in which one opens."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from agent.rule.manifest import PhotoRule
from doorstep_backend.office.access import Dispatch, View, viewer_name
from doorstep_backend.office.bound import LISTED_FOR, PLACE, BoundRecord, Narrowed, place
from doorstep_backend.office.cases import CUSTOMER, LOOK, REASONS, REPORTED_AS, Case, Closing
from doorstep_backend.office.casework import (
    LOOKS,
    LOOKS_WITHIN,
    CaseOverError,
    Decision,
    NoCaseError,
    TooManyCasesError,
)
from doorstep_backend.office.corrections import CannotBindError, StaleCorrectionError
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import NoSuchOrder, Order
from doorstep_backend.office.showing import LISTED
from doorstep_backend.pages import PREFIX, words
from doorstep_backend.pages.auth import CANNOT_READ, NOT_HERE, Auth, Render, Visit, fields
from doorstep_backend.pages.pictures import Pictures, Shown

NO_CASE: Final = (
    "No case can be opened about this photo: it waits for an order, was taken back or deleted, or "
    "its order takes no photo."
)
"""Message of a row that has changed since its page was loaded."""

TOO_MANY: Final = f"You have opened {LOOKS} cases within an hour. Please wait, then try again."
"""Message for a dispatcher who has reached LOOKS; customers' cases stay open to them."""

OVER: Final = (
    "This case is not open any more: it was closed, or its time is over. Nothing was changed."
)
"""Message for a decision that comes too late."""

DECIDED: Final = (
    "{who} has decided about this photo on {at}. Nothing was changed: look at it again."
)
"""Message for a decision on an outdated page."""

NOT_SO: Final = (
    "This cannot be done: the device did not carry that order on that day, the order takes no "
    "photo, or the driver took the photo back. Nothing was changed."
)
"""Message for a correction that may not be made; withdrawing always may."""


class CasePages:
    """Dispatch sees the facts of a photo that has an order; its picture opens inside a case."""

    def __init__(self, office: Office, pictures: Pictures, render: Render) -> None:
        self._office = office
        self._pictures = pictures
        self._render = render

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages; they come before `/dispatch/{capture_id}`."""
        return [
            auth.page("/dispatch/photos", Dispatch, self.photos),
            auth.granting("/dispatch/photos/{capture_id}/case", Dispatch, self.open),
            auth.page("/dispatch/cases", Dispatch, self.cases),
            auth.page("/dispatch/cases/{case_id}", Dispatch, self.case),
            auth.page("/dispatch/cases/{case_id}/close", Dispatch, self.confirm_close),
            auth.action("/dispatch/cases/{case_id}/close", Dispatch, self.close),
        ]

    def photos(self, visit: Visit[Dispatch]) -> Response:
        """Show the photos of the last days that have an order, without a picture. Raise 400."""
        query = fields(visit.query)
        asked = Narrowed(*(query.get(name, "").strip() for name in ("order", "device", "before")))
        if asked.before and not PLACE.fullmatch(asked.before):
            raise HTTPException(400, CANNOT_READ)
        found = self._office.bound.latest(asked, visit.now)
        listed = found[:LISTED]
        return self._render(
            visit,
            "bound.html",
            asked=asked,
            records=listed,
            goes_on=place(listed[-1]) if len(found) > LISTED else "",
            reasons=REASONS,
            rings=words.RINGS,
            days=LISTED_FOR.days,
            minutes=LOOK.seconds // 60,
            zone=self._office.settings.zone,
        )

    def open(self, visit: Visit[Dispatch]) -> Response:
        """Open a case about a photo. Raise HTTPException: 400 no reason, 409 none, 429 too many."""
        capture_id, reason = visit.path["capture_id"], visit.form.get("reason", "")
        if reason not in REASONS:
            raise HTTPException(400, CANNOT_READ)
        if not self._office.filing.is_filed(capture_id):
            raise HTTPException(404, NOT_HERE)
        try:
            case = self._office.casework.open(
                capture_id, reason, viewer_name(visit.viewer), visit.now
            )
        except NoCaseError as error:
            raise HTTPException(409, NO_CASE) from error
        except TooManyCasesError as error:
            retry = {"Retry-After": str(LOOKS_WITHIN.seconds)}
            raise HTTPException(429, TOO_MANY, retry) from error
        return RedirectResponse(f"{PREFIX}/dispatch/cases/{case.case_id}", 303)

    def cases(self, visit: Visit[Dispatch]) -> Response:
        """Show the cases that this dispatcher may work on, the oldest first."""
        who = viewer_name(visit.viewer)
        found = self._office.cases.all_open_for(who, visit.now, LISTED + 1)
        listed = [(case, self._office.bound.current(case.capture_id)) for case in found[:LISTED]]
        return self._render(
            visit,
            "cases.html",
            cases=listed,
            has_more=len(found) > LISTED,
            why=words.CASES,
            zone=self._office.settings.zone,
        )

    def case(self, visit: Visit[Dispatch]) -> Response:
        """Show a case, with the picture while it is open. Raise 404 for another dispatcher's."""
        case = self._case(visit)
        record = self._office.bound.current(case.capture_id)
        return self._render(
            visit,
            "case.html",
            case=case,
            is_open=case.is_open(visit.now),
            record=record,
            shown=self._shown(visit, case, record),
            version=self._version(case),
            others=self._others(case),
            why=words.CASES,
            rings=words.RINGS,
            closings=words.CLOSINGS,
            reports=self._reports(case),
            zone=self._office.settings.zone,
        )

    def confirm_close(self, visit: Visit[Dispatch]) -> Response:
        """Say what a decision does. Raise HTTPException as `close` does."""
        case, given = self._open_case(visit), fields(visit.query)
        decision, line = self._decision(case, given)
        back = f"/dispatch/cases/{case.case_id}"
        return self._render(
            visit,
            "confirm_close.html",
            action=f"{back}/close",
            back=back,
            fields={name: given.get(name, "") for name in ("as", "number", "version")},
            decision=decision,
            record=self._office.bound.current(case.capture_id),
            line=line,
        )

    def close(self, visit: Visit[Dispatch]) -> Response:
        """Close a case by a decision.

        Raise HTTPException: 400 for no decision, 409 if it is over, decided, or may not be so.
        """
        case = self._open_case(visit)
        decision, _ = self._decision(case, visit.form)
        try:
            self._office.close_case(case, decision, viewer_name(visit.viewer), visit.now)
        except CaseOverError as error:
            raise HTTPException(409, OVER) from error
        except StaleCorrectionError as error:
            at = words.day_and_time(error.latest.at, self._office.settings.zone)
            who = error.latest.who.capitalize()
            raise HTTPException(409, DECIDED.format(who=who, at=at)) from error
        except (CannotBindError, NoSuchOrder) as error:
            raise HTTPException(409, NOT_SO) from error
        return RedirectResponse(f"{PREFIX}/dispatch/cases", 303)

    def _open_case(self, visit: Visit[Dispatch]) -> Case:
        """Return the case for a decision; say if it is not open any more, and who closed it."""
        case = self._case(visit)
        if case.closed_at is not None and case.closed_by is not None:
            at = words.day_and_time(case.closed_at, self._office.settings.zone)
            who = case.closed_by.capitalize()
            raise HTTPException(409, DECIDED.format(who=who, at=at))
        if not case.is_open(visit.now):
            raise HTTPException(409, OVER)
        return case

    def _version(self, case: Case) -> int:
        """Return the version of the latest correction, 0 without any."""
        made = self._office.corrections.of_record(case.capture_id)
        return made[-1].version if made else 0

    def _others(self, case: Case) -> list[tuple[Order, str]]:
        """Return the other orders that the record may be of, and their doors, likeliest first.

        A hand-over may be of any order of the day: the list does not tell which take no photo.
        """
        filed = self._office.filing.filed(case.capture_id)
        record = self._office.bound.find(case.capture_id)
        number = filed.number if filed else None
        is_hand_over = record is not None and record.is_hand_over
        return [
            (order, self._office.orders.door_of(order))
            for order in self._office.filing.candidates(case.capture_id)
            if order.number != number and (is_hand_over or order.photo is PhotoRule.ALLOWED)
        ]

    def _decision(self, case: Case, given: Mapping[str, str]) -> tuple[Decision, str]:
        """Return the decision of a form or query, and the door that it moves a photo to.

        Raise HTTPException: 400 if there is none, 409 for another order than the page offers.
        """
        try:
            number, version = given.get("number", ""), int(given["version"])
            decision = Decision(Closing(given["as"]), number, version)
        except (KeyError, ValueError) as error:
            raise HTTPException(400, CANNOT_READ) from error
        doors = {order.number: line for order, line in self._others(case)}
        if decision.closing is Closing.MOVED and number not in doors:
            raise HTTPException(409, NOT_SO)
        return decision, doors.get(number, "")

    def _case(self, visit: Visit[Dispatch]) -> Case:
        case = self._office.cases.find(visit.path["case_id"])
        if case is None or not case.is_for(viewer_name(visit.viewer)):
            raise HTTPException(404, NOT_HERE)
        return case

    def _reports(self, case: Case) -> list[tuple[View, bool]]:
        """Return what customers reported about the record, and whether before its last move."""
        made = self._office.corrections.of_record(case.capture_id)
        moved_at = max((one.at for one in made if one.from_number != one.number), default=None)
        views = self._office.access.views_of_record(case.capture_id)
        return [
            (view, moved_at is not None and view.at < moved_at)
            for view in views
            if view.viewer == CUSTOMER and view.why in REPORTED_AS.values()
        ]

    def _shown(
        self, visit: Visit[Dispatch], case: Case, record: BoundRecord | None
    ) -> Shown | None:
        if record is None or record.is_hand_over or not case.is_open(visit.now):
            return None
        return self._pictures.shown(visit, record.photo)
