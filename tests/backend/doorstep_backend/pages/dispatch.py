"""Dispatch's pages of photos: what waits for its order, quality flags, and what was taken back."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from agent.rule.manifest import PhotoRule
from doorstep_backend.office.access import Dispatch, viewer_name
from doorstep_backend.office.corrections import CannotBindError, NotWaitingError
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import Order
from doorstep_backend.office.photos import Photo
from doorstep_backend.office.showing import COUNTED, LISTED
from doorstep_backend.pages import PREFIX, words
from doorstep_backend.pages.auth import NOT_HERE, Auth, Render, Visit, fields
from doorstep_backend.pages.dispatch_list import SORTS, DispatchQuery
from doorstep_backend.pages.fleet import LONGEST_ID, FleetPages
from doorstep_backend.pages.fleet_list import Summary
from doorstep_backend.pages.pictures import Pictures
from doorstep_backend.reports.asked import NotAskedRightError
from doorstep_backend.wire.asking import in_page_thread
from doorstep_backend.wire.rescued import Rescues

NOT_ALONE: Final = (
    "This photo retakes a photo that has an order, or that one retakes it, and both would be "
    "deleted. Nothing was changed: give this photo to the same order, or open a case about the "
    "other one."
)
"""Message for deleting a photo with another one that dispatch has not seen."""

NOT_THIS_ORDER: Final = "This order was not on the device’s route, or takes no photo."
"""Why dispatch cannot bind a photo to any number that they type."""

NOT_WAITING: Final = (
    "This photo does not wait for an order any more, for example because somebody else assigned "
    "or deleted it. Nothing was changed."
)
"""Why of two people at one photo the second one changed nothing."""


class DispatchPages:
    """The pages on which dispatch gives waiting photos their orders, or deletes them."""

    def __init__(
        self, office: Office, pictures: Pictures, render: Render, fleet: FleetPages | None
    ) -> None:
        self._fleet = fleet
        self._office = office
        self._pictures = pictures
        self._render = render
        self._rescues = Rescues(office.store)

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages."""
        return [
            auth.page("/dispatch", Dispatch, self.overview),
            auth.page("/dispatch/{capture_id}", Dispatch, self.waiting),
            auth.page("/dispatch/{capture_id}/bind", Dispatch, self.confirm_bind),
            auth.action("/dispatch/{capture_id}/bind", Dispatch, self.bind),
            auth.page("/dispatch/{capture_id}/discard", Dispatch, self.confirm_discard),
            auth.action("/dispatch/{capture_id}/discard", Dispatch, self.discard),
        ]

    async def overview(self, visit: Visit[Dispatch]) -> Response:
        """Show the lists of photos and voids, and the fleet's summary with identity.

        Raise 400 for parameters that are wrong.
        """
        fleet = await self._fleet.summary(visit.now) if self._fleet else None
        return await in_page_thread(self._overview, visit, fleet)

    def _overview(self, visit: Visit[Dispatch], fleet: Summary | None) -> Response:
        filing, asked = self._office.filing, _asked(visit)
        flagged = [
            (photo, words.FLAGS.get(photo.verdict, words.NO_VERDICT)) for photo in filing.flagged()
        ]
        return self._render(
            visit,
            "dispatch.html",
            **self._table(asked),
            hand_overs=filing.waiting_hand_overs(),
            hand_overs_in_all=filing.how_many_hand_overs_wait(),
            flagged=flagged,
            voids=filing.voids(),
            revoked=filing.revoked(),
            flagged_in_all=filing.how_many_flagged(),
            voids_in_all=filing.how_many_voids(),
            revoked_in_all=filing.how_many_revoked(),
            fleet=fleet,
            **self._cases(visit),
        )

    def _cases(self, visit: Visit[Dispatch]) -> dict[str, Any]:
        """Return how many cases wait for this dispatcher, and whether these are all."""
        who = viewer_name(visit.viewer)
        found = len(self._office.cases.all_open_for(who, visit.now, LISTED + 1))
        return {"cases": min(found, LISTED), "cases_in_all": found <= LISTED}

    def _table(self, asked: DispatchQuery) -> dict[str, Any]:
        """Return what the templates of the waiting photos' table need."""
        waits = self._office.filing.waiting(asked.waiting())
        rescued = self._rescues.of([photo.capture_id for photo in waits])
        return {
            "asked": asked,
            "waiting": [
                (photo, _why_it_waits(photo), rescued.get(photo.capture_id)) for photo in waits
            ],
            "waiting_in_all": self._office.filing.how_many_wait(asked.waiting()),
            "counted_to": COUNTED,
            "zone": self._office.settings.zone,
            "whys": words.WAITS_SHORTLY,
            "sorts": SORTS,
            "longest_id": LONGEST_ID,
        }

    def waiting(self, visit: Visit[Dispatch]) -> Response:
        """Show a photo that waits, with the orders that it may be of. Raise 404 or 400.

        At a desk it is beside the table from which it was opened.
        """
        asked, photo = _asked(visit), self._still_waiting_photo(visit, gone=404)
        orders = [(order, self._office.orders.door_of(order)) for order in self._candidates(photo)]
        return self._render(
            visit,
            "waiting.html",
            shown=self._pictures.shown(visit, photo),
            why=_why_it_waits(photo),
            rescued_by=self._rescues.by(photo.capture_id),
            quality=words.QUALITY.get(photo.verdict, words.NO_VERDICT),
            orders=orders,
            **self._table(asked),
        )

    def confirm_bind(self, visit: Visit[Dispatch]) -> Response:
        """Say what binding to the order of the query does. Raise HTTPException as `bind` does."""
        photo = self._still_waiting_photo(visit)
        order = self._chosen(photo, fields(visit.query).get("number", ""))
        along = [one for one in self._moved_along(photo) if one != order.number]
        values = {"order": order, "line": self._office.orders.door_of(order), "along": along}
        return self._confirm(visit, photo, "bind", {"number": order.number}, **values)

    def bind(self, visit: Visit[Dispatch]) -> Response:
        """Bind a photo to an order. Raise 409 if it waits no more, or the order does not fit."""
        asked, photo = _asked(visit), self._still_waiting_photo(visit)
        order = self._chosen(photo, visit.form.get("number", ""))
        try:
            self._office.corrections.bind(
                photo.capture_id, order.number, viewer_name(visit.viewer), visit.now
            )
        except NotWaitingError as error:
            raise HTTPException(409, self._not_waiting(photo.capture_id)) from error
        except CannotBindError as error:
            raise HTTPException(409, NOT_THIS_ORDER) from error
        return RedirectResponse(f"{PREFIX}/dispatch{asked.query()}", 303)

    def confirm_discard(self, visit: Visit[Dispatch]) -> Response:
        """Say what deleting does. Raise HTTPException as `discard` does."""
        photo = self._still_waiting_photo(visit)
        if self._office.corrections.orders_along(photo.capture_id):
            raise HTTPException(409, NOT_ALONE)
        return self._confirm(visit, photo, "discard", {})

    def discard(self, visit: Visit[Dispatch]) -> Response:
        """Erase a photo that waits.

        Raise HTTPException: 404; 409 if it waits no more, or if a photo would go with it.
        """
        asked, photo = _asked(visit), self._still_waiting_photo(visit)
        try:
            self._office.corrections.discard(photo.capture_id, viewer_name(visit.viewer), visit.now)
        except NotWaitingError as error:
            raise HTTPException(409, self._not_waiting(photo.capture_id)) from error
        except CannotBindError as error:
            raise HTTPException(409, NOT_ALONE) from error
        return RedirectResponse(f"{PREFIX}/dispatch{asked.query()}", 303)

    def _confirm(
        self,
        visit: Visit[Dispatch],
        photo: Photo,
        what: str,
        hidden: Mapping[str, str],
        **values: Any,
    ) -> Response:
        page, table = f"/dispatch/{photo.capture_id}", _asked(visit).query()
        return self._render(
            visit,
            f"confirm_{what}.html",
            action=f"{page}/{what}{table}",
            back=f"{page}{table}",
            fields=hidden,
            photo=photo,
            zone=self._office.settings.zone,
            **values,
        )

    def _still_waiting_photo(self, visit: Visit[Dispatch], gone: int = 409) -> Photo:
        """Return the photo; say if it waits no more, as the page before may have been old."""
        photo = self._office.filing.photo(visit.path["capture_id"])
        if photo is not None and photo.number is None:
            return photo
        if self._office.filing.is_filed(visit.path["capture_id"]):
            raise HTTPException(gone, self._not_waiting(visit.path["capture_id"]))
        raise HTTPException(404, NOT_HERE)

    def _not_waiting(self, capture_id: str) -> str:
        made = self._office.corrections.of_record(capture_id)
        return words.not_waiting(NOT_WAITING, made, self._office.settings.zone)

    def _chosen(self, photo: Photo, number: str) -> Order:
        """Return the candidate with this number. Raise 409 without one."""
        for order in self._candidates(photo):
            if order.number == number:
                return order
        raise HTTPException(409, NOT_THIS_ORDER)

    def _candidates(self, photo: Photo) -> list[Order]:
        """Return orders that take a photo: dispatch sees no number or place of the others."""
        orders = self._office.filing.candidates(photo.capture_id)
        return [order for order in orders if order.photo is PhotoRule.ALLOWED]

    def _moved_along(self, photo: Photo) -> list[str]:
        """Return the orders that others are moved from with this photo, as `_candidates` does."""
        numbers = self._office.corrections.orders_along(photo.capture_id)
        orders = map(self._office.orders.find, numbers)
        return [order.number for order in orders if order.photo is not PhotoRule.NO_PHOTO]


def _asked(visit: Visit[Dispatch]) -> DispatchQuery:
    """Return which table the page belongs to. Raise 400 for parameters that are wrong."""
    try:
        return DispatchQuery.read(fields(visit.query))
    except NotAskedRightError as error:
        raise HTTPException(400, str(error)) from error


def _why_it_waits(photo: Photo) -> str:
    return words.WAITS.get(photo.bound_by, words.NOT_ON_ROUTE)
