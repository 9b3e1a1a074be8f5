"""Accounts that change while a person signs in, or is let in, with their former state."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import cycle
from typing import Final

import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Account, Accounts
from doorstep_backend.pages.limits import PER_PLACE
from tests.faults.overlaps.pair import Pair, at_once
from tests.support.live_pages import CHEAP
from tests.support.people import browser, form_of

TIMEOUT_S: Final = 30.0

CHANGED_AFTER_S: Final = (0.02, 0.15)
"""Delay before the password changes: five sign-ins at once with a cheap hash take about as long."""

SLOW: Final = (
    """CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$""",
    """CREATE OR REPLACE TRIGGER slow BEFORE INSERT ON sessions
    FOR EACH ROW EXECUTE FUNCTION slow()""",
)
"""Statements that slow an INSERT to 20 ms, as on a busy server: an idle one hides the fault."""

BEFORE: Final = Account("customer", "c-1", "the first password")
AFTER: Final = Account("customer", "c-1", "the second password")
AGENT: Final = Account("agent", "17", "a password")


def session_outlives_its_password(pair: Pair, rng: random.Random) -> bool:
    """Return whether a sign-in with the old password is still signed in after the change."""
    accounts, orders = Accounts(pair.office.ledger, CHEAP), f"{PREFIX}/orders"
    accounts.add(BEFORE)
    for statement in (*SLOW, "DELETE FROM sign_in_tries"):
        pair.office.ledger.execute(statement)

    def change() -> None:
        time.sleep(rng.uniform(*CHANGED_AFTER_S))
        accounts.add(AFTER)

    with ExitStack() as opened:
        browsers = [opened.enter_context(browser(pair.one)) for _ in range(PER_PLACE)]
        urls = [f"{one.base_url}{PREFIX}/sign-in" for one in (pair.one, pair.two)]
        come_in = [_signing_in(*each) for each in zip(browsers, cycle(urls), strict=False)]
        at_once(change, *come_in)
        pages = [
            one.get(pair.two.base_url + orders, timeout=TIMEOUT_S, allow_redirects=False)
            for one in browsers
        ]
    return any(page.status_code == 200 for page in pages)


def _signing_in(session: requests.Session, url: str) -> Callable[[], object]:
    """Return a function that sends the sign-in form, already loaded, with the old password."""
    form = form_of(session.get(url, timeout=TIMEOUT_S))
    said = {"who": BEFORE.who, "password": BEFORE.password, "form": form}
    return lambda: session.post(url, data=said, timeout=TIMEOUT_S, allow_redirects=False)


def grant_outlives_its_account(pair: Pair, rng: random.Random) -> bool:
    """Return whether an order is still open to an agent whose account was removed."""
    accounts, access = Accounts(pair.office.ledger, CHEAP), pair.office.access
    accounts.add(AGENT)
    for table in ("sign_in_tries", "grants"):
        pair.office.ledger.execute(f"DELETE FROM {table}")
    code = access.make_one_time_code(ALLOWED, datetime.now(UTC))

    with browser(pair.one, AGENT) as session:
        url = f"{pair.one.base_url}{PREFIX}/service"
        form = form_of(session.get(url, timeout=TIMEOUT_S))
        said = {"number": ALLOWED, "code": code, "why": "where", "form": form}

        def give() -> None:
            with suppress(requests.ConnectionError):
                session.post(url, data=said, timeout=TIMEOUT_S, allow_redirects=False)

        def remove() -> None:
            time.sleep(rng.uniform(0.0, 0.02))
            accounts.remove(AGENT.who)

        at_once(give, remove)
    return bool(pair.office.ledger.execute("SELECT 1 FROM grants").fetchall())
