"""Pages for everybody: signing in and out, and what is kept."""

from pathlib import Path
from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from doorstep_backend.languages import translatable
from doorstep_backend.office.access import Viewer
from doorstep_backend.office.erasure import plain_language
from doorstep_backend.office.model import Office
from doorstep_backend.pages.accounts import KNOWN_FOR, Accounts, SignedIn
from doorstep_backend.pages.auth import (
    COOKIE,
    KNOWN_COOKIE,
    SIGN_IN,
    Auth,
    Render,
    Visit,
    home,
    set_cookie,
)
from doorstep_backend.pages.limits import WINDOW, SignInLimit, Try
from doorstep_backend.pages.sessions import Sessions
from doorstep_backend.wire.asking import in_page_thread

FOLDER: Final = Path(__file__).parent
"""Folder of style.css and icon.svg."""

WRONG: Final = translatable("Account or password is wrong. Please try again.")
"""Message for a wrong password, and for a name that nobody has."""

TOO_OFTEN: Final = translatable("Too many tries. Please wait %(minutes)s minutes, then try again.")
"""Message for too many tries, even with the right password."""


BUSY: Final = translatable("Very many people are signing in. Please try again in a minute.")
"""Also for who has the right password: checking it costs what a stranger's costs."""

BUSY_S: Final = 60
"""When to come back, in seconds: as the words say."""


class FrontPages:
    """The way in and out."""

    def __init__(
        self, office: Office, sessions: Sessions, accounts: Accounts, render: Render
    ) -> None:
        self._office = office
        self._sessions = sessions
        self._accounts = accounts
        self._render = render
        self._limit = SignInLimit(office.ledger)

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages."""
        return [
            auth.public("/", self.first),
            auth.public("/sign-in", self.ask),
            auth.public("/sign-in", self.sign_in, "POST"),
            auth.public("/sign-out", self.sign_out, "POST"),
            auth.public("/what-is-kept", self.kept),
            auth.public("/style.css", self.style),
            auth.public("/icon.svg", self.icon),
        ]

    def first(self, visit: Visit[Viewer]) -> Response:
        """Redirect to where the viewer's work begins, or to the sign-in."""
        return RedirectResponse(home(visit.viewer) or SIGN_IN, 303)

    def ask(self, visit: Visit[Viewer]) -> Response:
        """Show the form; a browser without a cookie gets one, so that its form is its own."""
        if visit.cookie:
            return self._render(visit, "sign_in.html", wrong="")
        cookie = self._sessions.visitor()
        answer = self._render(visit.with_cookie(cookie), "sign_in.html", wrong="")
        return _with_cookie(answer, cookie)

    async def sign_in(self, visit: Visit[Viewer]) -> Response:
        """Check a password in its turn, which nothing else waits for."""
        with self._accounts.password_slot() as is_free:
            if not is_free:
                return self._later(visit, 503, visit.language.gettext(BUSY), BUSY_S)
            made = await in_page_thread(self._booked, visit)
            if made is None:
                minutes = visit.language.number(WINDOW.seconds // 60)
                why = visit.language.gettext(TOO_OFTEN) % {"minutes": minutes}
                return self._later(visit, 429, why, WINDOW.seconds)
            signed_in = await self._accounts.check(made.name, visit.form.get("password", ""))
        if signed_in is None:
            return self._render(visit, "sign_in.html", 403, wrong=visit.language.gettext(WRONG))
        return await in_page_thread(self._let_in, visit, made, signed_in)

    def _booked(self, visit: Visit[Viewer]) -> Try | None:
        """Book a try; None if there were too many."""
        who = visit.form.get("who", "")
        is_known = self._accounts.is_known_browser(who, visit.known, visit.now)
        made = Try(who, visit.address, visit.known if is_known else "")
        return made if self._limit.book(made, visit.now) else None

    def _let_in(self, visit: Visit[Viewer], made: Try, signed_in: SignedIn) -> Response:
        self._limit.succeeded(made)
        self._sessions.close(visit.cookie)
        cookie = self._sessions.open(signed_in, visit.now)
        answer = _with_cookie(RedirectResponse(home(signed_in.viewer), 303), cookie)
        if not made.browser:
            set_cookie(
                answer,
                KNOWN_COOKIE,
                self._accounts.remember_browser(signed_in, visit.now),
                KNOWN_FOR,
            )
        return answer

    def _later(self, visit: Visit[Viewer], status: int, why: str, after_s: int) -> Response:
        answer = self._render(visit, "sign_in.html", status, wrong=why)
        answer.headers["Retry-After"] = str(after_s)
        return answer

    def sign_out(self, visit: Visit[Viewer]) -> Response:
        """End the session, and delete its cookie; the browser stays known."""
        self._sessions.close(visit.cookie)
        answer = RedirectResponse(SIGN_IN, 303)
        answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
        return answer

    def kept(self, visit: Visit[Viewer]) -> Response:
        """Show what is kept, for whom and how long."""
        kept = plain_language(self._office.settings.retention, visit.language)
        return self._render(visit, "kept.html", kept=kept)

    def style(self, _visit: Visit[Viewer]) -> Response:
        """Return the style sheet, read again for each request."""
        return Response((FOLDER / "style.css").read_bytes(), media_type="text/css")

    def icon(self, _visit: Visit[Viewer]) -> Response:
        """Return the icon: without one, browsers ask for /favicon.ico, where devices are."""
        return Response((FOLDER / "icon.svg").read_bytes(), media_type="image/svg+xml")


def _with_cookie(answer: Response, cookie: str) -> Response:
    """Set a cookie until the browser is closed; the server knows if the session has ended."""
    set_cookie(answer, COOKIE, cookie)
    return answer
