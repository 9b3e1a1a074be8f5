"""The backend with its pages on loopback, in this process: its clock is the test's to set."""

import queue
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import requests  # noqa: TID251 - the browser's side of the wire, not the device's
import uvicorn
from argon2 import PasswordHasher
from starlette.applications import Starlette

from doorstep_backend import keys
from doorstep_backend.api.service import Api
from doorstep_backend.app import create_app
from doorstep_backend.identity.register import Register
from doorstep_backend.languages import Languages
from doorstep_backend.office.access import Customer, CustomerService, Dispatch, Viewer
from doorstep_backend.office.demo import ACCOUNTS
from doorstep_backend.office.model import open_office
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Account, Accounts
from doorstep_backend.pages.auth import COOKIE, KNOWN_COOKIE
from doorstep_backend.pages.site import Site
from doorstep_backend.reports.store import Reports
from doorstep_backend.serving import listen, server_config
from doorstep_backend.wire.intake import Intake
from doorstep_backend.wire.places import ConnectionLimits
from doorstep_backend.wire.store import Store
from tests.support.demo_office import NOON, DemoOffice

CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes that a test can make by the dozen."""

ANA: Final = Dispatch("ana")
"""A dispatcher; the demo has an account of this name."""

OPEN_AT_ONCE: Final = 50
"""Browsers with a connection, one that is used again aside: the server takes 200 of one address."""

TIMEOUT_S: Final = 60.0
"""Longest wait for a page, or for a photo whose copy is made while other tests run."""


@dataclass
class Clock:
    """The time for the pages."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Live:
    """A demo office whose backend answers; the server has its own connections to the folder."""

    demo_office: DemoOffice
    url: str
    ca_file: Path
    identity: bool = True
    languages: Languages | None = None
    clock: Clock = field(default_factory=Clock)
    sessions: list[requests.Session] = field(default_factory=list)
    site: Site = field(init=False)
    reports: Reports = field(init=False)
    app: Starlette = field(init=False)

    def open(self) -> Starlette:
        """Make the application, in the thread that will run it."""
        folder = self.demo_office.folder
        store = Store(folder)
        office = open_office(store, show_simulated=self.demo_office.show_simulated)
        # The machine's clock would erase the demo's photos, which are of NOON, after some weeks.
        office.ledger.now = store.db.now = self.clock  # type: ignore[method-assign]
        key = keys.receipt_key(folder / "keys" / "receipt.pem", folder / "receipt-key.pem")
        accounts = Accounts(office.ledger, CHEAP)
        self.reports = Reports(folder)
        known = (Register(folder), self.reports) if self.identity else ()
        self.site = Site(office, self.clock, accounts, *known, languages=self.languages)
        self.site.accounts.add_all(ACCOUNTS)
        intake = Intake(store, key, office)
        api = Api(office, known[0] if known else None, self.clock)
        self.app = create_app(store, intake, key, office=office, site=self.site, api=api)
        return self.app

    def browser(self, viewer: Viewer | None = None) -> "Browser":
        """Open a browser, signed in as this viewer, who has an account."""
        if viewer is None:
            return Browser(self)
        accounts, account = Accounts(self.demo_office.office.ledger, CHEAP), _account(viewer)
        if accounts.find(account.who) is None:
            accounts.add(account)
        signed_in = accounts.find(account.who)
        assert signed_in is not None
        return Browser(self, self.site.sessions.open(signed_in, self.clock.now))


@dataclass
class Browser:
    """Sends what a browser sends; follows no redirect, so that each answer is seen."""

    live: Live
    cookie: str = ""
    known: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        for older in self.live.sessions[:-OPEN_AT_ONCE]:
            older.close()
        self.live.sessions.append(self.session)
        self.session.trust_env = False
        self.session.verify = str(self.live.ca_file)

    def get(self, path: str) -> requests.Response:
        return self.ask("GET", PREFIX + path)

    def send(self, path: str, **fields: str) -> requests.Response:
        """Send a form of a page of this session."""
        form = {"form": self.live.site.sessions.form_token(self.cookie), **fields}
        return self.ask("POST", PREFIX + path, form)

    def confirm(self, path: str) -> requests.Response:
        """Send the form of a page that asks before it does something, as that page has it."""
        page = self.get(path).text.partition("<main>")[2]
        (action,) = re.findall('<form method="post" action="([^"]+)">', page)
        fields = dict(re.findall('<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
        return self.ask("POST", action, fields)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request; cookies in the answer are kept."""
        cookies = {COOKIE: self.cookie, KNOWN_COOKIE: self.known}
        said = "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
        sent = {**(headers or {}), **({"Cookie": said} if said else {})}
        answer = self.session.request(
            method,
            self.live.url + path,
            data=body,
            headers=sent,
            allow_redirects=False,
            timeout=TIMEOUT_S,
        )
        self.cookie = answer.cookies.get(COOKIE) or self.cookie
        self.known = answer.cookies.get(KNOWN_COOKIE) or self.known
        self.session.cookies.clear()
        return answer


def _account(viewer: Viewer) -> Account:
    match viewer:
        case Customer(who):
            return Account("customer", who, "x")
        case CustomerService(who):
            return Account("agent", who, "x")
        case Dispatch(who):
            return Account("dispatch", who, "x")
        case _:
            raise ValueError("nobody has no account")


@contextmanager
def live_pages(
    folder: Path,
    *,
    show_simulated: bool = False,
    identity: bool = True,
    languages: Languages | None = None,
) -> Iterator[Live]:
    """Run the backend of a demo office in a thread; ends it when the block ends."""
    certificates = keys.certificates(folder / "ca")
    demo_office = DemoOffice(folder, show_simulated=show_simulated)
    proxies = demo_office.office.settings.proxy
    listener = listen(0, limits=ConnectionLimits(proxies=proxies))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    live = Live(
        demo_office,
        url,
        certificates.ca_file,
        identity,
        languages,
    )
    started: queue.Queue[uvicorn.Server] = queue.Queue()

    def serve() -> None:  # SQLite's connections belong to the thread that opened them
        config = server_config(live.open(), certificates.server_context(), proxies=proxies)
        server = uvicorn.Server(config)
        started.put(server)
        server.run(sockets=[listener])

    thread = threading.Thread(target=serve)
    thread.start()
    server = started.get(timeout=TIMEOUT_S)
    try:
        yield live
    finally:
        for session in live.sessions:  # else the server waits 30 s for each to say goodbye
            session.close()
        server.should_exit = True
        thread.join()
        listener.close()
