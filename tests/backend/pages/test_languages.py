"""The languages of customers' pages: which one is chosen, what it changes, what it must have."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from agent.models import CaptureId, RecordKind
from doorstep_backend import zones
from doorstep_backend.languages import CATALOGUES, ENGLISH, Languages, drafts
from doorstep_backend.office.access import Customer, CustomerService, Dispatch
from doorstep_backend.office.cases import REASONS, REPORTED, Closing, Report
from doorstep_backend.office.casework import Decision
from doorstep_backend.office.corrections import REASONS as WHY_CORRECTED
from doorstep_backend.office.demo import (
    ALLOWED,
    CHANGES_MIND,
    CONFIDENTIAL,
    GIFT,
    OPTED_OUT,
    RIGHT_DOOR,
    SIGNATURE,
)
from doorstep_backend.office.view_log import OF_HAND_OVER, Act, because, write
from doorstep_backend.pages.auth import LANGUAGE_COOKIE
from doorstep_backend.pages.limits import PER_PLACE
from doorstep_backend.pages.words import IN_REPORT, day_and_time
from doorstep_backend.settings import WrongSettingError, read_settings
from tests.backend.pages import catalogues, pseudo
from tests.backend.pages.test_pages_access import routes
from tests.support.demo_office import NOON, PICTURE
from tests.support.live_pages import Browser, Live, live_pages

OWNER, SECOND, THIRD, FOURTH = (Customer(f"c-{number}") for number in (1, 2, 3, 4))

GERMAN: Final = {"Accept-Language": "de-CH, de;q=0.9, en;q=0.8"}

NOT_CUSTOMERS: Final = re.compile(
    r"/pages/(service|dispatch|hand-overs|delivered|fleet|photos)|.*\.(css|svg)"
)
"""Paths of pages that stay English, and of files."""

DATA: Final = "Doorstep English Deutsch UTC Dezember Example Street"
"""Words of the demo that are in no catalogue."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Run a backend with a second language, over photos of which different things are known."""
    (tmp_path / "pseudo").mkdir()
    spoken = pseudo.languages(tmp_path / "pseudo")
    with live_pages(tmp_path / "backend", languages=spoken) as live:
        yield live


def ask(browser: Browser, path: str, *, language: str = "de") -> requests.Response:
    return browser.ask("GET", f"/pages{path}", headers={"Accept-Language": language})


def missed(live: Live, answer: requests.Response) -> list[str]:
    """Return the words of a page that are not translated; names and addresses need none."""
    orders = live.demo_office.office.orders
    names = [orders.customer_name(one.customer) for one in (OWNER, SECOND, THIRD, FOURTH)]
    return pseudo.untranslated(answer.text, " ".join([DATA, *names]).replace(",", ""))


def test_every_page_of_customers_is_in_their_language(live: Live) -> None:
    """A new route is tried too; the test fails if it does not know a part of the path."""
    live.demo_office.receive(live.demo_office.photo(ALLOWED))
    browser, seen = live.browser(OWNER), 0

    for route in sorted(routes(live.app.routes)):
        method, path = route.split()
        if not path.startswith("/pages/") or NOT_CUSTOMERS.match(path):
            continue
        if path.endswith("/sign-out"):
            continue  # ends the session, and redirects
        there = path.format(number=ALLOWED, address="a-1")
        token = {"form": live.site.sessions.form_token(browser.cookie)}
        answer = browser.ask(method, there, token if method == "POST" else None, GERMAN)
        if answer.status_code == 303:
            continue
        assert '<html lang="de">' in answer.text, route
        assert missed(live, answer) == [], route
        seen += 1
    assert seen >= 8


def test_order_pages_have_every_sentence_in_the_customers_language(live: Live) -> None:
    """Every state of an order has its own sentences."""
    demo_office = live.demo_office
    office, van = demo_office.office, demo_office.van
    stop = {"id": office.orders.find(ALLOWED).stop_id, "bound_by": "place"}
    demo_office.receive(demo_office.photo(ALLOWED, stop=stop, position={"accuracy_m": 9.5}))
    demo_office.receive(demo_office.photo(ALLOWED, stop=stop))
    demo_office.receive(
        van.make(RecordKind.PHOTO, {"stop": stop, "simulated": False}, PICTURE, clock="unsynced")
    )
    shown = demo_office.shown(ALLOWED)[0]
    for viewer in (CustomerService("17"), Dispatch("ana")):
        office.access.log(viewer, shown, "Where is the parcel?", NOON)
    why = "Exported as evidence about the delivery. Case 17."
    office.access.log_export(None, CaptureId(shown), ALLOWED, why, NOON)
    assert not office.access.verify(CustomerService("17"), ALLOWED, "1", "x", NOON)
    for act in (*Act, *OF_HAND_OVER.values()):
        for reason in WHY_CORRECTED.values():
            write(office.ledger, "system x", ALLOWED, "", because(act, reason), at=NOON)
    demo_office.receive(demo_office.photo(RIGHT_DOOR))
    office.opt_out_order(CHANGES_MIND, True)
    off = "/delivery-photos"

    for customer, paths in {
        OWNER: ("/orders", f"/orders/{ALLOWED}", f"/orders/{SIGNATURE}", f"/orders/{ALLOWED}{off}"),
        SECOND: ("/orders", f"/orders/{CONFIDENTIAL}", f"/orders/{OPTED_OUT}", "/delivery-photos"),
        THIRD: ("/orders", f"/orders/{GIFT}", f"/orders/{GIFT}{off}", f"/addresses/a-5{off}"),
        FOURTH: ("/orders", f"/orders/{RIGHT_DOOR}", f"/orders/{CHANGES_MIND}"),
    }.items():
        browser = live.browser(customer)
        for path in paths:
            assert missed(live, ask(browser, path)) == [], path


@pytest.mark.parametrize("closing", [None, "expired", *Closing])
def test_report_and_its_answers_are_in_the_customers_language(
    live: Live, closing: Closing | str | None
) -> None:
    """The pages that ask, the answers, the reasons of dispatch, and a report that is too late."""
    demo_office, browser = live.demo_office, live.browser(FOURTH)
    office, order = demo_office.office, demo_office.office.orders.find(RIGHT_DOOR)
    (photo,), page = demo_office.deliver(RIGHT_DOOR), f"/orders/{RIGHT_DOOR}"
    asks = [ask(browser, f"{page}/report?record={photo}&what={what}") for what in Report]
    assert [one.status_code for one in asks] == [200, 200, 409]
    office.casework.report(order, photo, Report.CANNOT_FIND, NOON)
    office.casework.report(order, photo, Report.NOT_MY_DOOR, NOON)
    for reason in (*REASONS.values(), IN_REPORT):
        office.access.log(Dispatch("ana"), photo, reason, NOON)
    case = office.cases.open_for("dispatch ana", photo, NOON)
    assert case is not None
    if closing == "expired":
        office.cases.end(NOON + REPORTED, 1)
    elif closing is not None:
        decision = Decision(Closing(closing), ALLOWED, 1)
        office.close_case(case, decision, "dispatch ana", NOON)

    for answer in (*asks, ask(browser, page)):
        assert missed(live, answer) == []


def test_a_hand_over_is_reported_in_the_customers_language(live: Live) -> None:
    office, what = live.demo_office.office, "not_handed_to_me"
    stop = {"id": office.orders.find(ALLOWED).stop_id, "bound_by": "code", "ring": "inside"}
    said = {"stop": stop, "simulated": False, "reason": "handed_over"}
    record = live.demo_office.receive(live.demo_office.van.make(RecordKind.NO_PHOTO, said))
    browser, page = live.browser(OWNER), f"/orders/{ALLOWED}"

    pages = [ask(browser, page), ask(browser, f"{page}/report?record={record}&what={what}")]
    assert browser.send(f"{page}/report", record=record, what=what).status_code == 303

    for answer in (*pages, ask(browser, page)):
        assert (answer.status_code, missed(live, answer)) == (200, [])


def test_an_error_is_in_the_customers_language(live: Live) -> None:
    browser = live.browser(OWNER)
    old = browser.ask("POST", f"/pages/orders/{ALLOWED}/code", {"form": "x"}, GERMAN)
    long = browser.ask("POST", f"/pages/orders/{ALLOWED}/code", b"x" * 10_000, GERMAN)
    unread = browser.ask("POST", f"/pages/orders/{ALLOWED}/code", b"\xff", GERMAN)
    method = browser.ask("DELETE", "/pages/orders", headers=GERMAN)
    absent = [ask(browser, path) for path in ("/orders/none", "/orders/none/none", "/dispatch")]

    answers = [old, long, unread, method, *absent]

    assert [one.status_code for one in answers] == [403, 413, 400, 405, 404, 404, 404]
    assert [missed(live, one) for one in answers] == [[]] * 7


def test_a_person_who_cannot_sign_in_reads_why_in_their_language(live: Live) -> None:
    browser = live.browser()
    ask(browser, "/sign-in")
    token = live.site.sessions.form_token(browser.cookie)
    form = {"form": token, "who": "c-1", "password": "wrong"}

    answers = [browser.ask("POST", "/pages/sign-in", form, GERMAN) for _ in range(PER_PLACE + 1)]

    assert [one.status_code for one in answers] == [403] * PER_PLACE + [429]
    assert missed(live, answers[0]) == missed(live, answers[-1]) == []


def test_a_link_chooses_the_language_and_this_browser_keeps_it(live: Live) -> None:
    browser = live.browser(OWNER)
    page = browser.get("/orders").text
    assert '<html lang="en">' in page
    assert '<a href="?language=de" lang="de" hreflang="de">Deutsch</a>' in page

    chosen = browser.get("/orders?language=de")

    assert '<html lang="de">' in chosen.text
    assert 'aria-current="true">Deutsch</a>' in chosen.text
    said = chosen.headers["Set-Cookie"]
    assert said.startswith(f"{LANGUAGE_COOKIE}=de; ")
    assert {"Secure", "HttpOnly", "SameSite=lax", "Max-Age=7776000"} <= set(said.split("; "))
    kept = {"Accept-Language": "en", "Cookie": f"{LANGUAGE_COOKIE}=de"}
    later = browser.session.get(f"{live.url}/pages/sign-in", headers=kept)
    assert '<html lang="de">' in later.text


@pytest.mark.parametrize("tag", ["fr", "", "../de", "de-CH", "%ff", "de%0d%0aX: y"])
def test_a_link_to_no_language_changes_nothing(live: Live, tag: str) -> None:
    answer = live.browser(OWNER).get(f"/orders?language={tag}")

    assert answer.status_code == 200
    assert '<html lang="en">' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_the_answer_to_a_form_has_no_links_to_languages(live: Live) -> None:
    """The links would lead to the form's address, which has no page."""
    answer = live.browser(OWNER).send(f"/orders/{ALLOWED}/code")

    assert "?language=" not in answer.text


@pytest.mark.parametrize("viewer", [Dispatch("ana"), CustomerService("17")])
def test_the_pages_of_dispatch_and_service_stay_english(
    live: Live, viewer: Dispatch | CustomerService
) -> None:
    path = "/dispatch" if isinstance(viewer, Dispatch) else "/service"
    for where in (path, "/what-is-kept", f"{path}?language=de"):
        page = ask(live.browser(viewer), where).text

        assert '<html lang="en">' in page
        assert "?language=" not in page


def test_english_alone_is_switched_on_by_default(tmp_path: Path) -> None:
    with live_pages(tmp_path) as live:
        page = ask(live.browser(OWNER), "/orders?language=de")

    assert '<html lang="en">' in page.text
    assert "?language=" not in page.text


def test_a_language_is_switched_on_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "backend.toml").write_text('languages = ["de"]\n')
    with live_pages(tmp_path) as live:
        page = ask(live.browser(OWNER), "/orders")

    assert "<h1>Ihre Bestellungen</h1>" in page.text


ACCEPTED: Final = {
    "": "en",
    "de": "de",
    "de-CH, fr;q=0.9": "de",
    "DE": "de",
    "en;q=0.5, fr;q=0.7, de;q=0.6": "fr",
    "en, de;q=0.9": "en",
    "pt, nl;q=0.9, it;q=0.1": "it",
    "de;q=0, fr;q=0.001": "fr",
    "*": "en",
    "de;q=nan, it": "it",
    "de;q=9, it": "it",
    "de\0, it": "it",
    ",,;,=": "en",
    "x" * 100_000: "en",
    "pt," * 1_000 + "de": "en",
}


@pytest.mark.parametrize("header", ACCEPTED, ids=range(len(ACCEPTED)))
def test_the_browsers_best_language_is_chosen(header: str) -> None:
    assert Languages.read(drafts()).choose("", "", header).tag == ACCEPTED[header]


TOLD: Final = {
    "en": "1 December 2026, 08:05 (Europe/Zurich)",
    "de": "1. Dezember 2026, 08:05 (Europe/Zurich)",
    "fr": "1 décembre 2026, 08:05 (Europe/Zurich)",
    "it": "1 dicembre 2026, 08:05 (Europe/Zurich)",
    "es": "1 de diciembre de 2026, 8:05 (Europe/Zurich)",
}


def test_a_time_and_a_number_are_told_as_the_language_does() -> None:
    at, zone = datetime(2026, 12, 1, 7, 5, tzinfo=UTC), zones.named("Europe/Zurich")
    offered = Languages.read(drafts()).offered

    assert {tag: day_and_time(at, zone, one) for tag, one in offered.items()} == TOLD
    assert (ENGLISH.number(12_345.6), offered["de"].number(12_345.6)) == ("12,346", "12.346")
    assert all(ENGLISH.day(at + timedelta(n)) == f"{n + 1} December 2026" for n in range(31))


def test_a_language_without_a_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "backend.toml").write_text('languages = ["de", "nl"]\n')

    with pytest.raises(WrongSettingError, match=r"languages: 'nl' has no catalogue: .*de, es, fr"):
        read_settings(tmp_path)


@pytest.mark.parametrize("tag", drafts())
def test_a_catalogue_has_every_sentence_and_no_other(tag: str) -> None:
    written = (CATALOGUES / f"{tag}.po").read_text(encoding="utf-8")

    assert written == catalogues.text(tag), f"run {catalogues.COMMAND}"


WRONG: Final = {
    'msgid "Order %(number)s"\nmsgstr "Bestellung %(nummer)s"': "must have the values and tags",
    'msgid "Order %(number)s"\nmsgstr "Bestellung"': "must have the values and tags",
    'msgid "Sign in"\nmsgstr "100 % sicher"': "must have the values and tags",
    'msgid "Sign in"\nmsgstr "<i>Anmelden"': "must have the values and tags",
    'msgid "%(count)s day"\nmsgid_plural "%(count)s days"\nmsgstr[0] "Tag"': "must",
    'msgid "Sign in"\nAnmelden': "de.po cannot be read",
    'msgid "Sign in"\nmsgstr "Anme\udcfflden"': "de.po cannot be read",
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_a_translation_that_breaks_its_page_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "de.po").write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ValueError, match=WRONG[text]):
        Languages.read(["de"], tmp_path)


def test_a_sentence_without_a_translation_is_shown_in_english(tmp_path: Path) -> None:
    (tmp_path / "de.po").write_text('msgid "Sign in"\nmsgstr ""\n\n#, fuzzy\nmsgid "a"\nmsgstr "b"')

    german = Languages.read(["de"], tmp_path).offered["de"]

    assert [german.gettext(one) for one in ("Sign in", "a", "other", "")] == [
        "Sign in",
        "a",
        "other",
        "",
    ]
