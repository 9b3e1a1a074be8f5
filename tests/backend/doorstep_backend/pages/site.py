"""The people's pages, wired by hand; mounted below PREFIX."""

from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.models import rfc3339
from doorstep_backend.copies.kept import Copies
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.register import Register
from doorstep_backend.languages import Language, Languages, translatable
from doorstep_backend.office.access import Customer, Nobody, Viewer
from doorstep_backend.office.erasure import days
from doorstep_backend.office.model import Office
from doorstep_backend.pages import PREFIX, fleet_words, words
from doorstep_backend.pages.accounts import Accounts
from doorstep_backend.pages.auth import COOKIE, Auth, Clock, Visit, home, language_of
from doorstep_backend.pages.cases import CasePages
from doorstep_backend.pages.customer import CustomerPages
from doorstep_backend.pages.dispatch import DispatchPages
from doorstep_backend.pages.fleet import FleetPages
from doorstep_backend.pages.front import FrontPages
from doorstep_backend.pages.hand_overs import HandOverPages
from doorstep_backend.pages.pictures import Pictures
from doorstep_backend.pages.refusals import RefusalPages
from doorstep_backend.pages.reporting import ReportPages
from doorstep_backend.pages.service import ServicePages
from doorstep_backend.pages.sessions import Sessions
from doorstep_backend.reports.fleet import FleetReports
from doorstep_backend.reports.store import Reports
from doorstep_backend.wire.asking import in_page_thread
from doorstep_backend.wire.outage import RETRY, note_away

FOLDER: Final = Path(__file__).parent
"""Folder of templates and style.css."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer, errors too. Source: OWASP HTTP Headers Cheat Sheet; CSP Level 3."""


AWAY: Final = translatable(
    "We cannot do this now. Please look again in a minute: it may have been done."
)
"""Message after a timeout: the action may still finish."""

_STARLETTES: Final = translatable("Not Found"), translatable("Method Not Allowed")
"""Messages of Starlette's own errors."""


class Site:
    """All pages over one office; the clock is passed in."""

    def __init__(
        self,
        office: Office,
        now: Clock | None = None,
        accounts: Accounts | None = None,
        register: Register | None = None,
        reports: Reports | None = None,
        *,
        languages: Languages | None = None,
    ) -> None:
        self._register = register
        self._reports = reports
        self.accounts = accounts or Accounts(office.ledger)
        self.sessions = Sessions(office.ledger)
        self._simulated = office.filing.show_simulated
        self._office = office
        self._copies = Copies(office.store)
        self._now = now or office.ledger.now
        self._languages = languages or office.settings.languages
        offered = self._languages.offered
        self._templates = {tag: _templates(language) for tag, language in offered.items()}

    def mount(self) -> Mount:
        """Mount everything below PREFIX, with its own headers and its own error pages."""
        auth = Auth(self.sessions, self._now, self._languages)
        pictures = Pictures(self._office, self.sessions, self._copies)
        fleet = self._fleet_pages()
        routes = [
            *FrontPages(self._office, self.sessions, self.accounts, self.page).routes(auth),
            *CustomerPages(self._office, pictures, self.page).routes(auth),
            *ReportPages(self._office, self.page).routes(auth),
            *ServicePages(self._office, pictures, self.page).routes(auth),
            *CasePages(self._office, pictures, self.page).routes(auth),
            *DispatchPages(self._office, pictures, self.page, fleet).routes(auth),
            *HandOverPages(self._office, self.page).routes(auth),
            *RefusalPages(self._office, self.page).routes(auth),
            *(fleet.routes(auth) if fleet else ()),
            *pictures.routes(auth),
        ]
        app = Starlette(
            routes=routes,
            middleware=[Middleware(_Headers)],
            exception_handlers={
                HTTPException: self._refused,
                ClientDisconnect: _nobody_hears,
                Unavailable: self._away,
            },
        )
        app.router.redirect_slashes = False  # Starlette's would lead where the Host header says
        return Mount(PREFIX, app)

    def _fleet_pages(self) -> FleetPages | None:
        """Return the fleet's pages; None without identity, as no report is certain then."""
        if self._register is None or self._reports is None:
            return None
        fleet = FleetReports(self._office.store.folder)
        return FleetPages(
            fleet, self._reports, DeviceEnding(self._register, self._office), self.page
        )

    def page(
        self, visit: Visit[Viewer], template: str, status: int = 200, **values: Any
    ) -> Response:
        """Make a page from a template: every value in it is escaped."""
        form = self.sessions.form_token(visit.cookie)
        return self._render(
            template,
            status,
            visit.viewer,
            visit.language,
            form=form,
            languages=[] if visit.form else self._choices(visit.viewer),
            **values,
        )

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        cookie = request.cookies.get(COOKIE, "")
        try:
            now = await in_page_thread(self._now)
            viewer = await in_page_thread(self.sessions.viewer, cookie, now)
        except Unavailable as away:
            return await self._away(request, away)
        form = self.sessions.form_token(cookie)
        answer = self._render(
            "message.html",
            error.status_code,
            viewer,
            language_of(request, viewer, self._languages),
            form=form,
            languages=self._choices(viewer) if request.method == "GET" else [],
            message=error.detail,
        )
        answer.headers.update(error.headers or {})
        return answer

    async def _away(self, request: Request, error: Exception) -> Response:
        """Answer an outage without looking at the session, which continues."""
        note_away(error)
        language = language_of(request, Nobody(), self._languages)
        answer = self._render(
            "message.html", 503, Nobody(), language, form="", languages=[], message=AWAY
        )
        answer.headers.update(RETRY)
        return answer

    def _choices(self, viewer: Viewer) -> list[Language]:
        """Return the languages that a page offers, if there are several."""
        offered = list(self._languages.offered.values())
        return offered if isinstance(viewer, Customer | Nobody) and len(offered) > 1 else []

    def _render(
        self, template: str, status: int, viewer: Viewer, language: Language, **values: Any
    ) -> Response:
        common = {"prefix": PREFIX, "home": home(viewer), "simulated": self._simulated}
        retention = self._office.settings.retention
        common |= {"photo_days": retention.photo_days, "view_log_days": retention.view_log_days}
        text = self._templates[language.tag].get_template(template).render(**common, **values)
        return HTMLResponse(text, status)


def _templates(language: Language) -> Environment:
    """Return the templates in one language: `_()` and the filters translate."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)  # type: ignore[attr-defined]
    templates.globals["language"] = language
    templates.filters["alternative_text"] = partial(words.alternative_text, language=language)
    templates.filters["day_and_time"] = partial(words.day_and_time, language=language)
    templates.filters["days"] = partial(days, language=language)
    templates.filters["looker"] = partial(words.looker, language=language)
    templates.filters["translated"] = language.gettext
    templates.filters["utc"] = rfc3339
    templates.filters["why"] = partial(words.why, language=language)
    templates.filters.update(fleet_words.FILTERS)
    return templates


def _nobody_hears(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)


class _Headers:
    """ASGI middleware that puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
