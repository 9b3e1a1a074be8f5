"""The requests of the office's HTTP API, below PREFIX.

An address for other systems is added here, to tests/backend/docs/api.md and to
`openapi-office.json`; a scope is a member of `Scope` in `tokens.py`. An address for devices has its
row in agent/docs/wire.md, its answers in `tests/backend/openapi.json`, and a check in
`tests/conformance/` if devices rely on the answer.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from doorstep_backend.api import PREFIX, Put, addresses, day_routes, orders, outcomes
from doorstep_backend.api.authority import Authority
from doorstep_backend.api.problem import (
    Fault,
    WrongDocumentError,
    faults_found,
    json_answer,
    refusal,
)
from doorstep_backend.api.reading import AN_ID, ID
from doorstep_backend.api.tokens import Scope
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.register import Register
from doorstep_backend.office.model import Office
from doorstep_backend.office.view_log import SYSTEM
from doorstep_backend.pages.auth import Clock
from doorstep_backend.wire.asking import in_page_thread
from doorstep_backend.wire.connections import prove
from doorstep_backend.wire.outage import RETRY, note_away
from doorstep_backend.wire.places import MOST_OF_ACCOUNT
from doorstep_backend.wire.questions import json_object

log = logging.getLogger(__name__)

MOST_BYTES: Final = 262_144
"""Bytes of a document: the 5,000 stops of a manifest, with numbers of 48 characters each."""

JSON: Final = "application/json"

NOT_JSON: Final = f"Content-Type must be {JSON}"

AWAY: Final = "the database is unavailable; repeat the same request later"
"""Also after a timeout: the change may have been made, and a PUT repeats it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a system that may make it.

    Attributes:
        token: its name.
        route: the path without its parameters.
        path: the parameters of the path.
        body: the document; empty for a GET.
        query: the parameters behind the path.
    """

    token: str
    route: str
    path: Mapping[str, str]
    body: Mapping[str, Any]
    query: list[tuple[str, str]]

    @property
    def who(self) -> str:
        """The system as the view log names it."""
        return f"{SYSTEM} {self.token}"


Answer = Callable[[Call], Response]


class Api:
    """The routes of the API over one office; without a register, any device may have a route."""

    def __init__(
        self, office: Office, register: Register | None = None, now: Clock | None = None
    ) -> None:
        self._office = office
        self._now = now or office.ledger.now
        self._register = register
        self._authority = Authority(office.ledger)

    def mount(self) -> Mount:
        """Mount everything below PREFIX; each error is a problem (RFC 9457)."""
        app = Starlette(
            routes=[
                self._route("PUT", "/addresses/{address}", Scope.ORDERS, self.put_address),
                self._route("PUT", "/orders/{number}", Scope.ORDERS, self.put_order),
                self._route("PUT", "/routes/{device}/{day}", Scope.ROUTES, self.put_route),
                self._route("GET", "/outcomes", Scope.OUTCOMES, self.changes),
                self._route("GET", "/orders/{number}/outcome", Scope.OUTCOMES, self.outcome),
            ],
            exception_handlers={
                HTTPException: _refused,
                WrongDocumentError: _wrong,
                ClientDisconnect: _disconnected,
                Unavailable: _away,
            },
        )
        app.router.redirect_slashes = False
        return Mount(PREFIX, app)

    def put_address(self, call: Call) -> Response:
        """Add or replace an address and its customer."""
        return _put(call, *addresses.put(self._office, _id(call, "address"), call.body, call.who))

    def put_order(self, call: Call) -> Response:
        """Add or replace an order."""
        return _put(call, *orders.put(self._office, _id(call, "number"), call.body, call.who))

    def put_route(self, call: Call) -> Response:
        """Plan or replace a device's route of a day."""
        asked, now = (call.path["device"], call.path["day"]), self._now()
        result = day_routes.put(self._office, self._register, asked, call.body, now)
        return _put(call, *result)

    def changes(self, call: Call) -> Response:
        """Answer with a page of outcomes in the order of their changes."""
        return json_answer(outcomes.page(self._office, call.query, self._now()))

    def outcome(self, call: Call) -> Response:
        """Answer with the outcome of an order."""
        return json_answer(outcomes.of_order(self._office, call.path["number"]))

    def _route(self, method: str, path: str, scope: Scope, answer: Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            name = await in_page_thread(self._admitted, request, scope)
            prove(request.scope, f"token {name}", MOST_OF_ACCOUNT)
            body = await _document(request) if method == "PUT" else {}
            query = request.query_params.multi_items()
            call = Call(name, path, request.path_params, body, query)
            return await in_page_thread(answer, call)

        return Route(path, endpoint, methods=[method])

    def _admitted(self, request: Request, scope: Scope) -> str:
        return self._authority.check(request, scope, self._now()).name


async def _document(request: Request) -> Mapping[str, Any]:
    given = request.headers.get("Content-Type", "").partition(";")[0]
    if given.strip().lower() != JSON:  # any case, and blanks: RFC 9110 section 8.3.1
        raise HTTPException(415, NOT_JSON)
    return await json_object(request, MOST_BYTES)


def _id(call: Call, name: str) -> str:
    if not ID.fullmatch(call.path[name]):
        raise WrongDocumentError([Fault(name, f"must be {AN_ID}")])
    return call.path[name]


def _put(call: Call, result: Put, members: Mapping[str, Any]) -> Response:
    if result is not Put.SAME:
        log.info("event=document_put token=%s path=%s result=%s", call.token, call.route, result)
    return json_answer(members, 201 if result is Put.NEW else 200)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error)


async def _wrong(_request: Request, error: Exception) -> Response:
    assert isinstance(error, WrongDocumentError)
    return faults_found(error)


async def _away(_request: Request, error: Exception) -> Response:
    note_away(error)
    return refusal(HTTPException(503, AWAY, dict(RETRY)))


async def _disconnected(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)
