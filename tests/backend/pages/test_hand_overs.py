"""Dispatch's pages of deliveries without a photo, over real HTTPS."""

from typing import Any

import pytest

from agent.models import CaptureId, RecordKind
from doorstep_backend.office.access import Customer
from doorstep_backend.office.demo import ALLOWED, CONFIDENTIAL, GIFT, RIGHT_DOOR, SIGNATURE
from doorstep_backend.office.orders import Order
from doorstep_backend.office.outcomes import How
from doorstep_backend.pages.hand_overs import NOT_CARRIED, NOT_WAITING
from tests.backend.pages.reading import AGENT
from tests.support.live_pages import ANA, Live


def hand_over(live: Live, *, simulated: bool = False, **stop: Any) -> CaptureId:
    """Receive a hand-over that names no order for certain."""
    record = {"stop": stop, "reason": "handed_over", "simulated": simulated}
    return live.demo_office.receive(live.demo_office.van.make(RecordKind.NO_PHOTO, record))


def how(live: Live, number: str) -> How | None:
    outcome = live.demo_office.office.filing.outcomes.of(number)
    return None if outcome is None else outcome.how


def test_dispatch_finds_the_order_of_a_hand_over_among_all_that_its_device_had(live: Live) -> None:
    """The page does not say which orders take photos, and has no picture."""
    pressed = hand_over(live, bound_by="ambiguous")
    browser = live.browser(ANA)

    page = browser.get(f"/hand-overs/{pressed}").text
    listed = browser.get("/dispatch").text
    confirmed = browser.get(f"/hand-overs/{pressed}/bind?number={CONFIDENTIAL}").text
    answer = browser.send(f"/hand-overs/{pressed}/bind", number=CONFIDENTIAL)

    assert f"/pages/hand-overs/{pressed}" in listed
    assert page.count(">It is this</a>") == 8
    assert "More than one door was in reach." in page
    assert not any(word in page.lower() for word in ("<img", "confidential", "gift", "photo"))
    assert f"Was order {CONFIDENTIAL} handed over?" in confirmed
    assert answer.headers["Location"] == "/pages/dispatch"
    assert how(live, CONFIDENTIAL) is How.HANDED_OVER
    assert "Hand-overs without an order" not in browser.get("/dispatch").text
    (made,) = live.demo_office.office.corrections.of_record(pressed)
    assert (made.who, made.number) == ("dispatch ana", CONFIDENTIAL)


def test_dispatch_deletes_a_hand_over_that_is_of_no_order(live: Live) -> None:
    pressed = hand_over(live, bound_by="unassigned")
    browser = live.browser(ANA)

    confirmed = browser.get(f"/hand-overs/{pressed}/discard").text
    browser.send(f"/hand-overs/{pressed}/discard")

    assert "Delete this hand-over?" in confirmed
    assert live.demo_office.kept(pressed) == (False, False)


@pytest.mark.parametrize("what", ["bind", "discard"])
def test_second_decision_about_a_hand_over_changes_no_order(live: Live, what: str) -> None:
    pressed = hand_over(live, bound_by="ambiguous")
    first, second = live.browser(ANA), live.browser(ANA)
    first.send(f"/hand-overs/{pressed}/bind", number=SIGNATURE)

    answers = [
        second.send(f"/hand-overs/{pressed}/{what}", number=ALLOWED),
        second.get(f"/hand-overs/{pressed}/{what}?number={ALLOWED}"),
    ]

    for answer in answers:
        assert answer.status_code == 409
        assert f"{NOT_WAITING} Decided by dispatch ana, 1 December 2026" in answer.text
    assert second.get(f"/hand-overs/{pressed}").status_code == 404
    assert (how(live, SIGNATURE), how(live, ALLOWED)) == (How.HANDED_OVER, None)


@pytest.mark.parametrize("number", ["2001", "9999", ""])
def test_a_hand_over_is_bound_only_to_what_its_device_had(live: Live, number: str) -> None:
    live.demo_office.office.orders.add(Order("2001", "c-1", "a-1", "s-elsewhere", (), 52.5, 13.4))
    pressed = hand_over(live, bound_by="ambiguous")

    answer = live.browser(ANA).send(f"/hand-overs/{pressed}/bind", number=number)

    assert answer.status_code == 409
    assert NOT_CARRIED in answer.text


def test_a_photo_that_waits_has_no_page_as_a_hand_over(live: Live) -> None:
    stray = live.demo_office.receive(live.demo_office.stray())

    assert live.browser(ANA).get(f"/hand-overs/{stray}").status_code == 404
    assert live.browser(ANA).send(f"/hand-overs/{stray}/discard").status_code == 404
    assert live.demo_office.kept(stray) == (True, True)


def test_a_dispatchers_word_makes_an_order_delivered_until_it_is_taken_back(live: Live) -> None:
    browser = live.browser(ANA)

    first = browser.get(f"/delivered/confirm?number={SIGNATURE}").text
    answer = browser.send("/delivered", number=SIGNATURE, word="delivered")
    done = how(live, SIGNATURE)
    then = browser.get(answer.headers["Location"].removeprefix("/pages")).text
    again = browser.get(f"/delivered/confirm?number={SIGNATURE}").text
    browser.send("/delivered", number=SIGNATURE, word="back")

    assert f"Was order {SIGNATURE} delivered?" in first
    assert "Not delivered yet." in first
    assert done is How.DISPATCH
    assert f"<b>Order {SIGNATURE}</b> now reads: Delivered on 1 December 2026 at 12:00" in then
    assert f"Take back that order {SIGNATURE} was delivered?" in again
    assert how(live, SIGNATURE) is None
    assert not live.demo_office.is_done(SIGNATURE)


def test_delivery_by_photo_survives_the_withdrawn_word_of_dispatch(live: Live) -> None:
    live.demo_office.receive(live.demo_office.photo(RIGHT_DOOR))
    browser = live.browser(ANA)

    for word in ("delivered", "back"):
        browser.send("/delivered", number=RIGHT_DOOR, word=word)

    assert how(live, RIGHT_DOOR) is How.PHOTO


def test_a_word_about_no_order_or_of_no_meaning_changes_nothing(live: Live) -> None:
    browser = live.browser(ANA)

    statuses = [
        browser.get("/delivered/confirm?number=9999").status_code,
        browser.get("/delivered/confirm").status_code,
        browser.send("/delivered", number="9999", word="delivered").status_code,
        browser.send("/delivered", number="9999", word="back").status_code,
        browser.send("/delivered", number=GIFT, word="maybe").status_code,
        browser.send("/delivered", number=GIFT).status_code,
    ]

    assert statuses == [404, 404, 404, 404, 400, 400]
    assert how(live, GIFT) is None


@pytest.mark.parametrize("viewer", [None, Customer("c-1"), AGENT], ids=str)
def test_nobody_but_dispatch_has_these_pages(live: Live, viewer: Any) -> None:
    pressed = hand_over(live, bound_by="ambiguous")
    browser = live.browser(viewer) if viewer else live.browser()
    pages = [
        f"/hand-overs/{pressed}",
        f"/hand-overs/{pressed}/bind?number={ALLOWED}",
        f"/hand-overs/{pressed}/discard",
        "/delivered",
        f"/delivered/confirm?number={ALLOWED}",
    ]
    as_elsewhere = browser.get("/dispatch").status_code

    assert {browser.get(page).status_code for page in pages} == {as_elsewhere}
    if viewer:
        browser.send("/delivered", number=ALLOWED, word="delivered")
        browser.send(f"/hand-overs/{pressed}/bind", number=ALLOWED)
    assert how(live, ALLOWED) is None
