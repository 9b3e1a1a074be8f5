"""The one way to a page: who asks, may they be here at all, and is the form theirs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from typing import Any, Final, Generic, Protocol, TypeVar, assert_never
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from doorstep_backend.languages import ENGLISH, Language, Languages, translatable
from doorstep_backend.office.access import Customer, CustomerService, Dispatch, Nobody, Viewer
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.sessions import Sessions
from doorstep_backend.wire.asking import in_page_thread
from doorstep_backend.wire.connections import prove_soon
from doorstep_backend.wire.places import MOST_OF_ACCOUNT

COOKIE: Final = "__Host-doorstep"
"""Source: RFC 6265bis section 4.1.3.2: only this host, over TLS, can set such a cookie."""

KNOWN_COOKIE: Final = "__Host-doorstep-known"
"""Says that an account was signed in here before, and opens nothing. Source: as above."""

LANGUAGE_COOKIE: Final = "__Host-doorstep-language"
"""The tag of the language that a link chose; nobody is known by it."""

LANGUAGE_KEPT: Final = timedelta(days=90)
"""Life of LANGUAGE_COOKIE: as long as that of KNOWN_COOKIE."""

LONGEST_FORM_BYTES: Final = 8_192
"""A password and a few words need a tenth of it."""

MOST_FIELDS: Final = 10
"""Fields in one form or query. Source: the longest of ours has 4."""

SIGN_IN: Final = f"{PREFIX}/sign-in"
"""Page to which people who are not signed in are sent."""

NOT_HERE: Final = translatable("There is no such page, or it is not for this account.")
"""Message for a missing page and for another account's: a number opens nothing."""

OLD_FORM: Final = translatable(
    "This form is too old. Go back, load the page again, and try once more."
)
"""For a form without the session's token."""

CANNOT_READ: Final = translatable("This form cannot be read.")
"""For one that no page of ours sends."""

TOO_LONG: Final = translatable("This form is too long.")

Clock = Callable[[], datetime]

V_co = TypeVar("V_co", bound=Viewer, covariant=True)


@dataclass(frozen=True, slots=True)
class Visit(Generic[V_co]):
    """A request by somebody who may be here.

    Attributes:
        cookie: names the session; empty when the browser sent none.
        known: what this browser was given at an earlier sign-in; empty when it sent none.
        form: first value of each field; empty for a GET.
        path: what stands in the path's places.
        query: what stands after the path, as `fields` reads it.
        address: of the network, for limits.
        language: of the page.
    """

    viewer: V_co
    cookie: str
    known: str
    form: Mapping[str, str]
    path: Mapping[str, str]
    query: str
    address: str
    now: datetime
    language: Language

    def with_cookie(self, cookie: str) -> "Visit[V_co]":
        """Return the same visit in the session of another cookie."""
        return replace(self, cookie=cookie)


Answer = Callable[[Visit[V_co]], Response | Awaitable[Response]]
"""The answer of a page. A plain function runs in a thread; a coroutine uses `in_page_thread`."""


class Render(Protocol):
    """A function that makes a page from a template (site.py)."""

    def __call__(
        self, visit: Visit[Viewer], template: str, status: int = 200, **values: Any
    ) -> Response:
        """Return the page of `template` with these values, as the visit's viewer sees it."""


class Auth:
    """A maker of routes that let nobody in who has no business there."""

    def __init__(self, sessions: Sessions, now: Clock, languages: Languages) -> None:
        self._sessions = sessions
        self._now = now
        self._languages = languages

    def page(self, path: str, role: type[V_co], answer: Answer[V_co]) -> Route:
        """Return a route for a page of one role: others get 404, and Nobody the sign-in page."""
        return self._route(path, "GET", role, answer)

    def action(self, path: str, role: type[V_co], answer: Answer[V_co]) -> Route:
        """Return a route for a form of one role; the form must be of this session."""
        return self._route(path, "POST", role, answer)

    def granting(
        self, path: str, role: type[V_co], answer: Callable[[Visit[V_co]], Response]
    ) -> Route:
        """Return a route for an action that opens something for a while, if the session still runs.

        The account of the session stays as it is until the answer is there (`Sessions.held`).
        """

        def granted(visit: Visit[V_co]) -> Response:
            with self._sessions.held(visit.cookie, visit.now) as viewer:
                return answer(visit) if viewer == visit.viewer else RedirectResponse(SIGN_IN, 303)

        return self._route(path, "POST", role, granted)

    def signed_in(self, path: str, answer: Answer[Viewer]) -> Route:
        """Return a route for every role; the answer looks at who it is."""
        return self._route(path, "GET", (Customer, CustomerService, Dispatch), answer)

    def public(self, path: str, answer: Answer[Viewer], method: str = "GET") -> Route:
        """Return a route for a page, or a form, for everybody."""
        return self._route(path, method, None, answer)

    def _route(
        self,
        path: str,
        method: str,
        role: type[Any] | tuple[type[Any], ...] | None,
        answer: Callable[[Any], Any],
    ) -> Route:
        def entered(request: Request, form: Mapping[str, str]) -> Any:
            """Return the answer, or the visit for a coroutine. Asks engines: in a thread."""
            visit = self._visit(request, form)
            if role is not None and isinstance(visit.viewer, Nobody):
                return RedirectResponse(SIGN_IN, 303)
            if role is not None and not isinstance(visit.viewer, role):
                raise HTTPException(404, NOT_HERE)
            token = form.get("form", "")
            if method == "POST" and not self._sessions.is_form_token(visit.cookie, token):
                raise HTTPException(403, OLD_FORM)
            return visit if iscoroutinefunction(answer) else answer(visit)

        async def endpoint(request: Request) -> Response:
            form = await _form(request) if method == "POST" else {}
            told = await in_page_thread(entered, request, form)
            response: Response = await answer(told) if isinstance(told, Visit) else told
            self._keep_choice(request, response)
            return response

        return Route(path, endpoint, methods=[method], name=f"{method} {path}")

    def _visit(self, request: Request, form: Mapping[str, str]) -> Visit[Viewer]:
        now, cookie = self._now(), request.cookies.get(COOKIE, "")
        viewer = self._sessions.viewer(cookie, now)
        if not isinstance(viewer, Nobody):
            prove_soon(request.scope, repr(viewer), MOST_OF_ACCOUNT)
        address = request.client.host if request.client else ""
        known = request.cookies.get(KNOWN_COOKIE, "")
        path, query = request.path_params, request.url.query
        language = language_of(request, viewer, self._languages)
        return Visit(viewer, cookie, known, form, path, query, address, now, language)

    def _keep_choice(self, request: Request, response: Response) -> None:
        """Remember the language of a link in this browser."""
        tag = request.query_params.get("language", "")
        if tag in self._languages.offered:
            set_cookie(response, LANGUAGE_COOKIE, tag, LANGUAGE_KEPT)


def language_of(request: Request, viewer: Viewer, languages: Languages) -> Language:
    """Return the language of a page: the pages of customer service and dispatch are English."""
    if isinstance(viewer, CustomerService | Dispatch):
        return ENGLISH
    link = request.query_params.get("language", "")
    cookie = request.cookies.get(LANGUAGE_COOKIE, "")
    return languages.choose(link, cookie, request.headers.get("accept-language", ""))


def set_cookie(answer: Response, name: str, value: str, age: timedelta | None = None) -> None:
    """Set a cookie for `age`, or else until the browser is closed."""
    age_s = None if age is None else int(age.total_seconds())
    answer.set_cookie(
        name, value, max_age=age_s, path="/", secure=True, httponly=True, samesite="lax"
    )


def home(viewer: Viewer) -> str:
    """Return the path where a viewer's work begins; empty for one that is not signed in."""
    match viewer:
        case Customer():
            return f"{PREFIX}/orders"
        case CustomerService():
            return f"{PREFIX}/service"
        case Dispatch():
            return f"{PREFIX}/dispatch"
        case Nobody():
            return ""
        case other:
            assert_never(other)


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM_BYTES:
            raise HTTPException(413, TOO_LONG)
    try:
        return fields(body.decode())
    except ValueError as error:  # not UTF-8
        raise HTTPException(400, CANNOT_READ) from error


def fields(text: str) -> dict[str, str]:
    """Return the first value of each field of a form or query, without empty ones. Answers 400."""
    try:
        found = parse_qs(text, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:  # also not UTF-8
        raise HTTPException(400, CANNOT_READ) from error
    return {name: values[0] for name, values in found.items()}
