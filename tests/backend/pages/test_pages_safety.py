"""Signing in, sessions, forms and headers: what keeps a page its reader's."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher

from doorstep_backend.office.access import Customer, CustomerService, Nobody, Viewer
from doorstep_backend.office.demo import ACCOUNTS, ALLOWED
from doorstep_backend.office.ledger import open_ledger
from doorstep_backend.pages.accounts import HASHER, Account, Accounts
from doorstep_backend.pages.auth import COOKIE, KNOWN_COOKIE
from doorstep_backend.pages.limits import SignInLimit, Try
from doorstep_backend.pages.sessions import Sessions
from tests.backend.pages.reading import images
from tests.backend.pages.test_pages_access import routes
from tests.support.demo_office import NOON, DemoOffice
from tests.support.live_pages import ANA, CHEAP, Browser, Live, live_pages

OWNER = Customer("c-1")
PERSON = ACCOUNTS[0]
DISPATCH = ACCOUNTS[-1]
MINUTE = timedelta(minutes=1)


def at_the_form(live: Live) -> Browser:
    browser = live.browser()
    browser.get("/sign-in")
    return browser


def sign_in(browser: Browser, who: str = PERSON.who, password: str = PERSON.password) -> int:
    return browser.send("/sign-in", who=who, password=password).status_code


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/orders").status_code == 200


def test_a_wrong_password_and_a_name_that_nobody_has_are_answered_alike(live: Live) -> None:
    browser = at_the_form(live)

    wrong = browser.send("/sign-in", who=PERSON.who, password="wrong")
    unknown = browser.send("/sign-in", who="c-99", password="wrong")
    nothing = browser.send("/sign-in")

    assert wrong.status_code == unknown.status_code == nothing.status_code == 403
    assert wrong.text == unknown.text == nothing.text
    assert not is_signed_in(browser)


def test_passwords_are_kept_as_argon2id_and_nowhere_else(tmp_path: Path) -> None:
    """The parameters are those of RFC 9106's second choice: 64 MiB, 3 passes, 4 lanes."""
    demo_office = DemoOffice(tmp_path)
    Accounts(demo_office.office.ledger).add(PERSON)

    kept = demo_office.office.ledger.execute("SELECT hash FROM accounts").fetchone()[0]

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not HASHER.check_needs_rehash(kept)
    for path in tmp_path.glob("orders.db*"):
        assert PERSON.password.encode() not in path.read_bytes()


def test_unknown_name_costs_a_full_password_check(tmp_path: Path) -> None:
    """The time of an answer must not reveal who is a customer."""
    checked: list[str] = []

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            checked.append(str(hash))
            return super().verify(hash, password)

    accounts = Accounts(DemoOffice(tmp_path).office.ledger, Noting())
    accounts.add(PERSON)

    for who in (PERSON.who, "c-99"):
        assert asyncio.run(accounts.check(who, "wrong")) is None

    known, nobodys = (one.split("$") for one in checked)
    assert known[:4] == nobodys[:4]
    assert [len(part) for part in known] == [len(part) for part in nobodys]


def test_the_sixth_try_within_15_minutes_is_not_made_even_with_the_right_password(
    live: Live,
) -> None:
    browser = at_the_form(live)
    assert [sign_in(browser, password="wrong") for _ in range(5)] == [403] * 5

    refused = browser.send("/sign-in", who=PERSON.who, password=PERSON.password)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "900")
    assert sign_in(at_the_form(live), ACCOUNTS[1].who, ACCOUNTS[1].password) == 303
    live.clock.now = NOON + 15 * MINUTE
    assert sign_in(at_the_form(live)) == 303


def test_failed_guesses_are_forgotten_after_a_sign_in(live: Live) -> None:
    for _ in range(3):
        browser = at_the_form(live)
        assert [sign_in(browser, password="wrong") for _ in range(4)] == [403] * 4
        assert sign_in(browser) == 303


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Live]:
    """Run a backend behind a proxy, where a test may have any number of addresses."""
    (tmp_path / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    with live_pages(tmp_path) as live:
        yield live


def test_a_stranger_locks_a_name_for_their_own_address_only(proxied: Live) -> None:
    stranger = [guess(proxied, "10.0.0.1") for _ in range(6)]

    assert stranger == [403] * 5 + [429]
    assert guess(proxied, "10.0.0.2", password=DISPATCH.password) == 303


def test_known_browser_is_not_locked_out_by_strangers(proxied: Live) -> None:
    """Strangers have 50 guesses in total; then a new browser waits, and a known one does not."""
    own = at_the_form(proxied)
    assert sign_in(own, DISPATCH.who, DISPATCH.password) == 303
    own.send("/sign-out")
    own.get("/sign-in")

    guesses = [guess(proxied, f"10.0.{place}.1") for place in range(15) for _ in range(4)]

    assert guesses == [403] * 50 + [429] * 10
    assert guess(proxied, "10.1.0.1", password=DISPATCH.password) == 429
    assert sign_in(own, DISPATCH.who, DISPATCH.password) == 303


def test_a_browser_that_was_here_is_known_for_its_account_only_and_guesses_no_more(
    live: Live,
) -> None:
    browser = at_the_form(live)
    assert sign_in(browser) == 303

    assert [sign_in(browser, password="wrong") for _ in range(6)] == [403] * 5 + [429]
    assert [sign_in(browser, who="c-2", password="wrong") for _ in range(6)] == [403] * 5 + [429]


@pytest.mark.parametrize("end", ["password", "removed", "90 days"])
def test_a_browser_is_forgotten_with_the_password(live: Live, end: str) -> None:
    accounts = Accounts(live.demo_office.office.ledger, CHEAP)
    signed_in = accounts.find(PERSON.who)
    assert signed_in is not None
    given = accounts.remember_browser(signed_in, NOON)
    assert accounts.is_known_browser(PERSON.who, given, NOON)

    match end:
        case "password":
            accounts.add(PERSON)
        case "removed":
            accounts.remove(PERSON.who)

    later = NOON + timedelta(days=90 if end == "90 days" else 0)
    assert not accounts.is_known_browser(PERSON.who, given, later)


def test_sign_in_gets_503_while_too_many_passwords_are_checked(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one attacker with many addresses could block the pages for everybody."""
    browser = at_the_form(live)
    monkeypatch.setattr("doorstep_backend.pages.accounts.MOST_WAITING", 0)

    busy = browser.send("/sign-in", who=PERSON.who, password=PERSON.password)

    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "60")
    monkeypatch.undo()
    assert sign_in(browser) == 303


def test_all_addresses_of_a_household_are_one(tmp_path: Path) -> None:
    limit = SignInLimit(open_ledger(tmp_path))
    tries = [limit.book(Try("c-1", f"2001:db8:0:1::{n}", ""), NOON) for n in range(6)]

    assert tries == [True] * 5 + [False]
    assert limit.book(Try("c-1", "2001:db8:0:2::1", ""), NOON)


def test_tries_that_count_no_more_are_gone_and_no_name_was_ever_there(tmp_path: Path) -> None:
    """Some people type their password where the name goes."""
    ledger = open_ledger(tmp_path)
    limit = SignInLimit(ledger)
    query = "SELECT * FROM sign_in_tries"
    limit.book(Try("typed-by-mistake", "10.0.0.1", ""), NOON)
    kept = str(ledger.execute(query).fetchall())

    limit.book(Try("c-1", "10.0.0.1", "known"), NOON + 15 * MINUTE)

    assert kept.count(".") == 3, "a try counts towards three limits"
    assert "mistake" not in kept
    assert "10.0.0.1" not in kept
    assert len(ledger.execute(query).fetchall()) == 1


def test_the_limit_counts_over_all_instances(tmp_path: Path) -> None:
    limits = [SignInLimit(open_ledger(tmp_path)) for _ in range(2)]

    tries = [limits[n % 2].book(Try("c-1", "10.0.0.1", ""), NOON) for n in range(6)]
    limits[0].succeeded(Try("c-1", "10.0.0.1", ""))

    assert tries == [True] * 5 + [False]
    assert limits[1].book(Try("c-1", "10.0.0.1", ""), NOON)


def guess(live: Live, address: str, who: str = DISPATCH.who, password: str = "wrong") -> int:
    """Return what a name with a password is answered, from a browser that was never here."""
    cookie = live.site.sessions.visitor()
    form = {"form": live.site.sessions.form_token(cookie), "who": who, "password": password}
    headers = {"X-Forwarded-For": address}
    return Browser(live, cookie).ask("POST", "/pages/sign-in", form, headers).status_code


def test_header_of_a_forwarded_address_is_ignored_without_a_proxy(live: Live) -> None:
    """Otherwise an attacker who guesses passwords could claim any number of addresses."""
    answers = [guess(live, f"10.0.0.{number}", f"c-{number}") for number in range(51)]

    assert answers == [403] * 50 + [429]


def test_a_proxy_says_who_it_speaks_for_and_its_clients_do_not(proxied: Live) -> None:
    first = [guess(proxied, f"10.{n}.0.9, 10.0.0.1", f"c-{n}") for n in range(51)]

    assert first == [403] * 50 + [429]
    assert guess(proxied, "10.0.0.1, 10.0.0.2", "c-52") == 403


def test_sign_in_sets_a_new_cookie_with_every_protection(
    live: Live,
) -> None:
    browser = at_the_form(live)
    before = browser.cookie

    answer = browser.send("/sign-in", who=PERSON.who, password=PERSON.password)

    assert browser.cookie != before
    session, known = answer.raw.headers.getlist("Set-Cookie")
    assert session.startswith(f"{COOKIE}=")
    assert known.startswith(f"{KNOWN_COOKIE}=")
    closed = {"httponly", "secure", "samesite=lax", "path=/"}
    assert {part.strip().lower() for part in session.split(";")[1:]} == closed
    assert {part.strip().lower() for part in known.split(";")[1:]} == closed | {"max-age=7776000"}
    assert not is_signed_in(Browser(live, before))


def test_session_on_the_server_ends_with_the_sign_out(live: Live) -> None:
    browser = live.browser(OWNER)
    stolen = Browser(live, browser.cookie)
    assert is_signed_in(stolen)

    answer = browser.send("/sign-out")

    assert answer.headers["Location"] == "/pages/sign-in"
    assert not is_signed_in(stolen)


def test_session_ends_with_the_next_sign_in_of_its_browser(live: Live) -> None:
    browser = live.browser(OWNER)
    before = Browser(live, browser.cookie)

    assert sign_in(browser) == 303

    assert is_signed_in(browser)
    assert not is_signed_in(before)


def test_stored_session_is_of_no_use_as_a_cookie(live: Live) -> None:
    """A backup of the database names the people who are signed in, and has no cookie."""
    browser = live.browser(OWNER)
    assert is_signed_in(browser)

    (row,) = live.demo_office.office.ledger.execute("SELECT * FROM sessions").fetchall()

    assert browser.cookie not in row
    assert not is_signed_in(Browser(live, row["cookie"]))


def test_another_instance_knows_a_session_its_forms_and_its_photos(live: Live) -> None:
    browser = live.browser(OWNER)
    other = Sessions(open_ledger(live.demo_office.folder))
    token = live.site.sessions.form_token(browser.cookie)
    address = live.site.sessions.photo_address(browser.cookie, "a-photo", NOON)

    assert other.viewer(browser.cookie, NOON) == OWNER
    assert other.is_form_token(browser.cookie, token)
    assert other.photo_at(browser.cookie, address, NOON) == "a-photo"

    other.close(browser.cookie)

    assert not is_signed_in(browser)


def test_sessions_that_are_over_are_gone_at_the_next_sign_in(live: Live) -> None:
    live.browser(OWNER)
    live.clock.now = NOON + 31 * MINUTE

    live.browser(CustomerService("17"))

    rows = live.demo_office.office.ledger.execute("SELECT who FROM sessions").fetchall()
    assert rows == [("17",)]


def test_a_session_of_an_account_that_changed_while_its_password_was_checked_opens_nothing(
    live: Live,
) -> None:
    accounts = Accounts(live.demo_office.office.ledger, CHEAP)
    accounts.add(PERSON)
    before = accounts.find(PERSON.who)
    assert before is not None
    accounts.add(PERSON)

    cookie = live.site.sessions.open(before, NOON)

    assert not is_signed_in(Browser(live, cookie))


def test_a_session_ends_30_minutes_after_the_last_page(live: Live) -> None:
    browser = live.browser(OWNER)
    live.clock.now = NOON + 30 * MINUTE
    assert is_signed_in(browser)

    live.clock.now = NOON + 61 * MINUTE

    assert not is_signed_in(browser)


def test_a_session_ends_after_12_hours_however_busy(live: Live) -> None:
    browser = live.browser(OWNER)
    for quarters in range(1, 49):
        live.clock.now = NOON + quarters * 15 * MINUTE
        assert is_signed_in(browser)

    live.clock.now += 15 * MINUTE

    assert not is_signed_in(browser)


@pytest.mark.parametrize(
    "change", [Account("customer", "c-1", "another"), Account("agent", "c-1", "x"), None]
)
def test_a_session_ends_with_its_account_its_role_or_its_password(
    live: Live, change: Account | None
) -> None:
    """The session ends at the next request, and photos that it was shown do not open any more."""
    live.demo_office.receive(live.demo_office.photo(ALLOWED))
    browser = live.browser(OWNER)
    (image,) = images(browser.get("/orders").text)
    accounts = Accounts(live.demo_office.office.ledger, CHEAP)

    if change is None:
        accounts.remove("c-1")
    else:
        accounts.add(change)

    assert browser.get("/orders").headers["Location"] == "/pages/sign-in"
    assert browser.get(image).headers["Location"] == "/pages/sign-in"


def test_no_form_works_without_its_sessions_token(live: Live) -> None:
    """Every form of the route table changes no row, also if its sender may send it."""
    stray = live.demo_office.receive(live.demo_office.stray())
    filled = {"number": ALLOWED, "address": "a-1", "capture_id": stray, "case_id": "none"}
    viewers: dict[str, Viewer] = {
        "orders": OWNER,
        "addresses": OWNER,
        "service": CustomerService("17"),
    }
    forms = [one.split()[1] for one in routes(live.app.routes) if one.startswith("POST /pages/")]
    tokens = [
        "",
        "ä",
        live.site.sessions.form_token(live.browser(OWNER).cookie),
        live.site.sessions.form_token(""),
    ]
    before = _all_of(live)

    for form in forms:
        browser = live.browser(viewers.get(form.split("/")[2], ANA))
        for token in tokens:
            path = form.removeprefix("/pages").format(**filled)
            assert browser.send(path, form=token, photos="off").status_code == 403, form

    assert len(forms) == 14
    assert _all_of(live) == before


def _all_of(live: Live) -> list[tuple[object, ...]]:
    """Return all of the office's ledger except the accounts."""
    tables = (
        "orders",
        "addresses",
        "captures",
        "one_time_codes",
        "grants",
        "views",
        "cases",
        "corrections",
    )
    return [
        tuple(row)
        for table in tables
        for row in live.demo_office.office.ledger.execute(f"SELECT * FROM {table}")
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sign-in", 200),
        ("/style.css", 200),
        ("/", 303),
        ("/orders", 303),
        ("/photos/x", 303),
        ("/no-such-page", 404),
        ("/sign-out", 405),
    ],
)
def test_every_answer_forbids_scripts_frames_caches_and_referrers(
    unchanged: Live, path: str, status: int
) -> None:
    answer = unchanged.browser().get(path)

    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        "img-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Server" not in answer.headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"who=" + b"a" * 9000, 413),
        (b"\xff\xfe=\xff", 400),
        (b"who=%FF&password=x", 400),
        (b"&".join(b"a=b" for _ in range(50)), 400),
        (b"who=%00&password=%00", 403),
        (b"\0", 403),
        (b"", 403),
    ],
)
def test_a_form_of_another_shape_is_refused_in_words(
    unchanged: Live, body: bytes, status: int
) -> None:
    answer = unchanged.browser().ask("POST", "/pages/sign-in", body)

    assert answer.status_code == status
    assert "<h1>Not possible</h1>" in answer.text


@pytest.mark.parametrize("number", ["..%2f..%2fetc", "%00", "' OR 1=1 --", "a" * 5000, "\ud7ff"])
def test_a_hostile_number_is_an_order_that_there_is_not(unchanged: Live, number: str) -> None:
    for browser in (unchanged.browser(OWNER), unchanged.browser(CustomerService("17"))):
        for path in ("orders", "service", "dispatch", "photos"):
            assert browser.get(f"/{path}/{number}").status_code in {403, 404}


@pytest.mark.parametrize(
    ("has", "stays"),
    [
        (PERSON, True),
        (Account(PERSON.role, PERSON.who, "another"), False),
        (Account("agent", PERSON.who, PERSON.password), False),
    ],
)
def test_demo_accounts_stay_signed_in_if_unchanged(
    tmp_path: Path, has: Account, stays: bool
) -> None:
    """Otherwise each instance that starts would end the sessions of all."""
    ledger = open_ledger(tmp_path)
    accounts, sessions = Accounts(ledger, CHEAP), Sessions(ledger)
    accounts.add(has)
    signed_in = accounts.find(has.who)
    assert signed_in is not None
    cookie = sessions.open(signed_in, NOON)

    accounts.keep_all([PERSON])

    assert (sessions.viewer(cookie, NOON) != Nobody()) is stays
    found = accounts.find(PERSON.who)
    assert found is not None
    assert found.viewer == Customer(PERSON.who)


@pytest.mark.slow
def test_page_reports_an_outage_of_the_database_and_keeps_the_session(live: Live) -> None:
    browser, ledger = live.browser(OWNER), live.demo_office.office.ledger
    with ledger.exclusive_transaction():
        ledger.execute("UPDATE orders SET done = done")
        away = browser.send(f"/orders/{ALLOWED}/delivery-photos", photos="off")

    assert (away.status_code, away.headers["Retry-After"]) == (503, "10")
    assert "We cannot do this now" in away.text
    assert "Content-Security-Policy" in away.headers
    assert browser.get(f"/orders/{ALLOWED}").status_code == 200


def test_page_never_leads_to_the_address_in_a_host_header(live: Live) -> None:
    """A page cached under a false host name must not send its next reader to an attacker."""
    browser = live.browser(OWNER)
    said = dict.fromkeys(["Host", "X-Forwarded-Host", "Forwarded", "X-Original-Host"], "evil.test")
    asked = [one.split() for one in routes(live.app.routes) if "/files" not in one]
    for method, path in asked:
        for slash in ("", "/", "//", "/?next=x"):
            place = path.replace("{number}", ALLOWED) + slash

            answer = browser.ask(method, place, None, said)

            assert "evil.test" not in f"{answer.headers}{answer.text}", place
            assert "://" not in answer.headers.get("Location", ""), place
