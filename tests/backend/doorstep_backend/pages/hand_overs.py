"""Dispatch's pages of deliveries without a photo: hand-overs that wait, and a dispatcher's word."""

from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from doorstep_backend.office.access import Dispatch, viewer_name
from doorstep_backend.office.corrections import CannotBindError
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import NoSuchOrder, Order
from doorstep_backend.office.outcomes import How
from doorstep_backend.office.photos import HandOver
from doorstep_backend.pages import PREFIX, words
from doorstep_backend.pages.auth import CANNOT_READ, NOT_HERE, Auth, Render, Visit, fields

NOT_WAITING: Final = (
    "This hand-over does not wait for an order any more, for example because somebody else "
    "assigned or deleted it. Nothing was changed."
)
"""Message for the second of two dispatchers who decide about one hand-over."""

NOT_CARRIED: Final = "The device did not have this order that day. Nothing was changed."
"""Message for an order that the page does not offer."""

NO_SUCH_ORDER: Final = "There is no order with this number."
"""Answer to a number in the form of a dispatcher's word."""


class HandOverPages:
    """The pages on which dispatch says what no photo proves."""

    def __init__(self, office: Office, render: Render) -> None:
        self._office = office
        self._render = render

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages."""
        return [
            auth.page("/hand-overs/{capture_id}", Dispatch, self.waiting),
            auth.page("/hand-overs/{capture_id}/bind", Dispatch, self.confirm_bind),
            auth.action("/hand-overs/{capture_id}/bind", Dispatch, self.bind),
            auth.page("/hand-overs/{capture_id}/discard", Dispatch, self.confirm_discard),
            auth.action("/hand-overs/{capture_id}/discard", Dispatch, self.discard),
            auth.page("/delivered", Dispatch, self.ask),
            auth.page("/delivered/confirm", Dispatch, self.confirm_word),
            auth.action("/delivered", Dispatch, self.take_word),
        ]

    def waiting(self, visit: Visit[Dispatch]) -> Response:
        """Show a hand-over with all orders that its device had that day. Raise 404.

        The page does not say which orders take photos: the hand-over may be of any.
        """
        pressed = self._still_waiting(visit, gone=404)
        orders = [
            (order, self._office.orders.door_of(order)) for order in self._candidates(pressed)
        ]
        why = words.WAITS.get(pressed.named_by, words.NOT_ON_ROUTE)
        zone = self._office.settings.zone
        return self._render(
            visit, "hand_over.html", pressed=pressed, orders=orders, why=why, zone=zone
        )

    def confirm_bind(self, visit: Visit[Dispatch]) -> Response:
        """Say what binding to the order of the query does. Raise HTTPException as `bind` does."""
        pressed = self._still_waiting(visit)
        order = self._chosen(pressed, fields(visit.query).get("number", ""))
        return self._confirm(visit, pressed, "bind", order)

    def bind(self, visit: Visit[Dispatch]) -> Response:
        """Bind a hand-over to an order. Raise 409 if it waits no more, or has no such order."""
        pressed = self._still_waiting(visit)
        order = self._chosen(pressed, visit.form.get("number", ""))
        who, bind = viewer_name(visit.viewer), self._office.corrections.bind
        try:
            bind(pressed.capture_id, order.number, who, visit.now)
        except CannotBindError as error:
            raise HTTPException(409, self._not_waiting(pressed.capture_id)) from error
        return RedirectResponse(f"{PREFIX}/dispatch", 303)

    def confirm_discard(self, visit: Visit[Dispatch]) -> Response:
        """Say what deleting does. Raise HTTPException as `discard` does."""
        return self._confirm(visit, self._still_waiting(visit), "discard", None)

    def discard(self, visit: Visit[Dispatch]) -> Response:
        """Erase a hand-over that waits. Raise 404, or 409 if it waits no more."""
        pressed, who = self._still_waiting(visit), viewer_name(visit.viewer)
        try:
            self._office.corrections.discard(pressed.capture_id, who, visit.now)
        except CannotBindError as error:
            raise HTTPException(409, self._not_waiting(pressed.capture_id)) from error
        return RedirectResponse(f"{PREFIX}/dispatch", 303)

    def ask(self, visit: Visit[Dispatch]) -> Response:
        """Show the form for the number of an order that was delivered without a photo.

        After a dispatcher's word the query has the number, and the page says how the order reads.
        """
        number = fields(visit.query).get("number", "").strip()
        try:
            order = self._office.orders.find(number)
        except NoSuchOrder:
            return self._render(visit, "delivered.html", wrong="", number=number, now="")
        outcome = self._office.filing.outcomes.of(number)
        now = words.delivered(order, outcome, self._office.zone_of(number))
        return self._render(visit, "delivered.html", wrong="", number=number, now=now)

    def confirm_word(self, visit: Visit[Dispatch]) -> Response:
        """Say what the word does; of an order that has it already, what taking it back does."""
        number = fields(visit.query).get("number", "").strip()
        try:
            order = self._office.orders.find(number)
        except NoSuchOrder:
            return self._render(
                visit, "delivered.html", 404, wrong=NO_SUCH_ORDER, number=number, now=""
            )
        outcome = self._office.filing.outcomes.of(number)
        takes_back = outcome is not None and outcome.how is How.DISPATCH
        return self._render(
            visit,
            "confirm_delivered.html",
            action="/delivered",
            back="/delivered",
            fields={"number": number, "word": "back" if takes_back else "delivered"},
            number=number,
            takes_back=takes_back,
            now=words.delivered(order, outcome, self._office.zone_of(number)),
        )

    def take_word(self, visit: Visit[Dispatch]) -> Response:
        """Take a dispatcher's word, or take it back. Raise 400, or 404 for an unknown order."""
        number, outcomes = visit.form.get("number", ""), self._office.filing.outcomes
        try:
            match visit.form.get("word"):
                case "delivered":
                    outcomes.mark_delivered(number, viewer_name(visit.viewer), visit.now)
                case "back":
                    outcomes.take_word_back(self._office.orders.find(number).number)
                case _:
                    raise HTTPException(400, CANNOT_READ)
        except NoSuchOrder as error:
            raise HTTPException(404, NOT_HERE) from error
        number = quote(number, safe="")
        return RedirectResponse(f"{PREFIX}/delivered?number={number}", 303)

    def _confirm(
        self, visit: Visit[Dispatch], pressed: HandOver, what: str, order: Order | None
    ) -> Response:
        page = f"/hand-overs/{pressed.capture_id}"
        return self._render(
            visit,
            f"confirm_hand_over_{what}.html",
            action=f"{page}/{what}",
            back=page,
            fields={} if order is None else {"number": order.number},
            pressed=pressed,
            order=order,
            line="" if order is None else self._office.orders.door_of(order),
            zone=self._office.settings.zone,
        )

    def _still_waiting(self, visit: Visit[Dispatch], gone: int = 409) -> HandOver:
        """Return the hand-over; say if it waits no more, as the page before may have been old."""
        pressed = self._office.filing.hand_over(visit.path["capture_id"])
        if pressed is not None and pressed.number is None:
            return pressed
        if self._office.filing.is_hand_over(visit.path["capture_id"]):
            raise HTTPException(gone, self._not_waiting(visit.path["capture_id"]))
        raise HTTPException(404, NOT_HERE)

    def _not_waiting(self, capture_id: str) -> str:
        made = self._office.corrections.of_record(capture_id)
        return words.not_waiting(NOT_WAITING, made, self._office.settings.zone)

    def _chosen(self, pressed: HandOver, number: str) -> Order:
        """Return the candidate with this number. Raise 409 without one."""
        for order in self._candidates(pressed):
            if order.number == number:
                return order
        raise HTTPException(409, NOT_CARRIED)

    def _candidates(self, pressed: HandOver) -> list[Order]:
        return self._office.filing.candidates(pressed.capture_id)
