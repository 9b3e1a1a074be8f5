"""Sessions, grants and codes that are opened while their account changes or is removed.

The tests run on SQLite, where all writers wait for each other, and with `--database postgresql`.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from doorstep_backend.office.access import Customer, CustomerService, Nobody
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.office.ledger import open_ledger
from doorstep_backend.pages.accounts import Account, Accounts
from doorstep_backend.pages.auth import SIGN_IN
from doorstep_backend.pages.sessions import Sessions
from tests.support.demo_office import NOON
from tests.support.live_pages import ANA, CHEAP, Live
from tests.support.postgres import told
from tests.support.waiting import waited

AGENT: Final = Account("agent", "17", "x")
CUSTOMER: Final = Account("customer", "c-1", "x")

PAUSE: Final = """CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.8); RETURN NEW; END $$;
    CREATE TRIGGER pause BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION pause()"""
"""An INSERT into a table waits between what it has read and what its foreign keys find."""


@pytest.mark.slow
@pytest.mark.parametrize("table", ["sessions", "browsers"])
def test_session_of_an_old_password_ends_also_if_opened_at_its_change(
    on_postgresql: str, tmp_path: Path, elsewhere: ThreadPoolExecutor, table: str
) -> None:
    """14 of 300 sessions outlived it: the INSERT found the account as it was before the change,
    and its foreign key a moment later the one after it."""
    ledger = open_ledger(tmp_path)
    accounts, sessions = Accounts(ledger, CHEAP), Sessions(ledger)
    accounts.add(CUSTOMER)
    before = accounts.find(CUSTOMER.who)
    assert before is not None
    told(on_postgresql, PAUSE.format(table))

    opens = sessions.open if table == "sessions" else accounts.remember_browser
    begun = waited(elsewhere, opens, before, NOON)
    accounts.add(Account(CUSTOMER.role, CUSTOMER.who, "another"))
    given = begun.result()

    assert sessions.viewer(given, NOON) == Nobody()
    assert not accounts.is_known_browser(CUSTOMER.who, given, NOON)


@pytest.mark.parametrize("password", ["another", None])
def test_grant_of_an_agent_ends_with_the_account(live: Live, password: str | None) -> None:
    """The next agent with this number sees nothing that the one before had opened."""
    browser, access = live.browser(CustomerService("17")), live.demo_office.office.access
    code = access.make_one_time_code(ALLOWED, NOON)
    assert browser.send("/service", number=ALLOWED, code=code, why="where").status_code == 303
    assert access.may_see_order(CustomerService("17"), ALLOWED, NOON)
    accounts = Accounts(live.demo_office.office.ledger, CHEAP)

    if password is None:
        accounts.remove("17")
    else:
        accounts.add(Account("agent", "17", password))

    assert not access.may_see_order(CustomerService("17"), ALLOWED, NOON)


@pytest.mark.parametrize("password", ["another", None])
def test_a_dispatchers_cases_end_with_the_account(live: Live, password: str | None) -> None:
    """The next dispatcher of this name sees nothing that the one before had opened."""
    (capture_id,) = live.demo_office.deliver(ALLOWED)
    browser, access = live.browser(ANA), live.demo_office.office.access
    opened = browser.send(f"/dispatch/photos/{capture_id}/case", reason="driver")
    assert opened.status_code == 303
    assert access.may_see(ANA, capture_id, NOON)
    accounts = Accounts(live.demo_office.office.ledger, CHEAP)

    if password is None:
        accounts.remove(ANA.name)
    else:
        accounts.add(Account("dispatch", ANA.name, password))

    assert not access.may_see(ANA, capture_id, NOON)


def test_an_account_that_changes_while_its_dispatcher_opens_a_case_may_see_nothing(
    live: Live, elsewhere: ThreadPoolExecutor
) -> None:
    (capture_id,) = live.demo_office.deliver(ALLOWED)
    browser, ledger = live.browser(ANA), live.demo_office.office.ledger

    with ledger.transaction():
        Accounts(ledger, CHEAP).add(Account("dispatch", ANA.name, "another"))
        path = f"/dispatch/photos/{capture_id}/case"
        given = waited(elsewhere, lambda: browser.send(path, reason="driver"))

    assert given.result().headers.get("Location") == SIGN_IN
    assert not live.demo_office.office.access.may_see(ANA, capture_id, NOON)


def test_a_code_ends_with_the_account_of_its_customer(live: Live) -> None:
    access = live.demo_office.office.access
    code = access.make_one_time_code(ALLOWED, NOON)

    Accounts(live.demo_office.office.ledger, CHEAP).remove("c-1")

    assert not access.verify(CustomerService("17"), ALLOWED, code, "where", NOON)


def test_an_account_that_changes_while_its_agent_gives_a_code_may_see_nothing(
    live: Live, elsewhere: ThreadPoolExecutor
) -> None:
    browser, demo_office = live.browser(CustomerService("17")), live.demo_office
    code = demo_office.office.access.make_one_time_code(ALLOWED, NOON)

    def give() -> tuple[int, str | None]:
        answer = browser.send("/service", number=ALLOWED, code=code, why="where")
        return answer.status_code, answer.headers.get("Location")

    with demo_office.office.ledger.transaction():
        Accounts(demo_office.office.ledger, CHEAP).add(AGENT)
        given = waited(elsewhere, give)

    assert given.result() == (303, SIGN_IN)
    assert not demo_office.office.access.may_see_order(CustomerService("17"), ALLOWED, NOON)


def test_an_account_that_changes_while_its_customer_asks_for_a_code_is_given_none(
    live: Live, elsewhere: ThreadPoolExecutor
) -> None:
    browser, ledger = live.browser(Customer("c-1")), live.demo_office.office.ledger

    with ledger.transaction():
        Accounts(ledger, CHEAP).add(CUSTOMER)
        given = waited(elsewhere, browser.send, f"/orders/{ALLOWED}/code")

    assert given.result().headers.get("Location") == SIGN_IN
    assert ledger.execute("SELECT count(*) FROM one_time_codes").fetchone()[0] == 0
