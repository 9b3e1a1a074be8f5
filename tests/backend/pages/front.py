"""Pages for everybody: signing in and out, and what is kept."""

from pathlib import Path
from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tests.backend.office.access import Viewer
from tests.backend.office.keeping import plain_language
from tests.backend.office.model import Office
from tests.backend.pages.accounts import Accounts
from tests.backend.pages.door import COOKIE, SIGN_IN, Door, Render, Visit, home
from tests.backend.pages.limits import WINDOW, SignInLimit
from tests.backend.pages.sessions import Sessions

FOLDER: Final = Path(__file__).parent
"""Where style.css and icon.svg lie."""

WRONG: Final = "Account or password is wrong. Please try again."
"""The same for a name that nobody has."""

TOO_OFTEN: Final = f"Too many tries. Please wait {WINDOW.seconds // 60} minutes, then try again."
"""The same whether the password would have been right."""


class FrontPages:
    """The way in and out."""

    def __init__(
        self, office: Office, sessions: Sessions, accounts: Accounts, render: Render
    ) -> None:
        self._office = office
        self._sessions = sessions
        self._accounts = accounts
        self._render = render
        self._limit = SignInLimit()

    def routes(self, door: Door) -> list[Route]:
        return [
            door.public("/", self.first),
            door.public("/sign-in", self.ask),
            door.public("/sign-in", self.sign_in, "POST"),
            door.public("/sign-out", self.sign_out, "POST"),
            door.public("/what-is-kept", self.kept),
            door.public("/style.css", self.style),
            door.public("/icon.svg", self.icon),
        ]

    async def first(self, visit: Visit[Viewer]) -> Response:
        return RedirectResponse(home(visit.viewer) or SIGN_IN, 303)

    async def ask(self, visit: Visit[Viewer]) -> Response:
        """The form; a browser that comes without a cookie gets one, so that its form is its own."""
        if visit.cookie:
            return self._render(visit, "sign_in.html", wrong="")
        cookie = self._sessions.visitor()
        answer = self._render(visit.with_cookie(cookie), "sign_in.html", wrong="")
        return _with_cookie(answer, cookie)

    async def sign_in(self, visit: Visit[Viewer]) -> Response:
        who, password = visit.form.get("who", ""), visit.form.get("password", "")
        if not self._limit.book(who, visit.address, visit.now):
            answer = self._render(visit, "sign_in.html", 429, wrong=TOO_OFTEN)
            answer.headers["Retry-After"] = str(WINDOW.seconds)
            return answer
        viewer = await self._accounts.check(who, password)
        if viewer is None:
            return self._render(visit, "sign_in.html", 403, wrong=WRONG)
        self._limit.succeeded(who)
        self._sessions.close(visit.cookie)
        cookie = self._sessions.open(viewer, visit.now)
        return _with_cookie(RedirectResponse(home(viewer), 303), cookie)

    async def sign_out(self, visit: Visit[Viewer]) -> Response:
        self._sessions.close(visit.cookie)
        answer = RedirectResponse(SIGN_IN, 303)
        answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
        return answer

    async def kept(self, visit: Visit[Viewer]) -> Response:
        kept = plain_language(self._office.settings.retention)
        return self._render(visit, "kept.html", kept=kept)

    async def style(self, _visit: Visit[Viewer]) -> Response:
        return Response((FOLDER / "style.css").read_bytes(), media_type="text/css")

    async def icon(self, _visit: Visit[Viewer]) -> Response:
        """Browsers that are told of none ask for /favicon.ico, where devices are."""
        return Response((FOLDER / "icon.svg").read_bytes(), media_type="image/svg+xml")


def _with_cookie(answer: Response, cookie: str) -> Response:
    """Until the browser is closed; whether the session has ended is the server's to know."""
    answer.set_cookie(COOKIE, cookie, path="/", secure=True, httponly=True, samesite="lax")
    return answer
