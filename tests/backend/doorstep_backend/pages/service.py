"""Customer service's pages: a code that the customer tells opens one order for a while."""

from typing import Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from doorstep_backend.office.access import AGENT_WINDOW, GRANT, CustomerService
from doorstep_backend.office.model import Office
from doorstep_backend.pages import PREFIX, words
from doorstep_backend.pages.auth import Auth, Render, Visit
from doorstep_backend.pages.pictures import Pictures

WRONG: Final = "Order and code do not fit, or the code is too old. Ask the customer for a new code."
"""Message for a wrong code, and for an order that does not exist."""

TOO_OFTEN: Final = "Too many codes did not fit. Please wait an hour, then try again."
"""Also for a code that would fit."""

CLOSED: Final = "This order is not open to you. Ask the customer for a code."
"""Message when the time is over, and for an order that does not exist."""

NO_REASON: Final = "Choose a reason. The customer can read it."


class ServicePages:
    """An agent sees one order at a time, and the customer reads that they looked."""

    def __init__(self, office: Office, pictures: Pictures, render: Render) -> None:
        self._office = office
        self._pictures = pictures
        self._render = render

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages."""
        return [
            auth.page("/service", CustomerService, self.ask),
            auth.granting("/service", CustomerService, self.verify),
            auth.page("/service/{number}", CustomerService, self.order),
        ]

    def ask(self, visit: Visit[CustomerService]) -> Response:
        """Show the form for an order and its code."""
        return self._form(visit, 200, "")

    def verify(self, visit: Visit[CustomerService]) -> Response:
        """Open an order for GRANT, or show the form: 400 no reason, 403 wrong, 429 too often."""
        number = visit.form.get("number", "").strip()
        code = "".join(visit.form.get("code", "").split())
        why = words.REASONS.get(visit.form.get("why", ""))
        if why is None:
            return self._form(visit, 400, NO_REASON, number)
        if not self._office.access.may_try(visit.viewer, visit.now):
            answer = self._form(visit, 429, TOO_OFTEN, number)
            answer.headers["Retry-After"] = str(AGENT_WINDOW.seconds)
            return answer
        if not self._office.access.verify(visit.viewer, number, code, why, visit.now):
            return self._form(visit, 403, WRONG, number)
        return RedirectResponse(f"{PREFIX}/service/{quote(number, safe='')}", 303)

    def order(self, visit: Visit[CustomerService]) -> Response:
        """Show the photos of an order, or the form with 403 if it is not open to this agent."""
        number = visit.path["number"]
        if not self._office.access.may_see_order(visit.viewer, number, visit.now):
            return self._form(visit, 403, CLOSED, number)
        return self._render(
            visit,
            "service_order.html",
            number=number,
            photos=self._pictures.of_order(visit, number),
            why=self._office.access.why(visit.viewer, number),
            delivered=words.delivered(
                self._office.orders.find(number),
                self._office.filing.outcomes.of(number),
                self._office.zone_of(number),
            ),
            minutes=GRANT.seconds // 60,
        )

    def _form(
        self, visit: Visit[CustomerService], status: int, wrong: str, number: str = ""
    ) -> Response:
        return self._render(
            visit,
            "service.html",
            status,
            wrong=wrong,
            number=number,
            agent=visit.viewer.number,
            reasons=words.REASONS,
            minutes=GRANT.seconds // 60,
        )
