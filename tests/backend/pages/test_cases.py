"""Dispatch's rows of photos with an order, and cases, as people use them over real HTTPS."""

import re
from datetime import timedelta
from typing import Any

import pytest

from doorstep_backend.office.access import Customer, Dispatch
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND, CONFIDENTIAL, RIGHT_DOOR
from doorstep_backend.pages import cases
from tests.backend.pages.reading import images
from tests.support.demo_office import NOON, PICTURE
from tests.support.live_pages import ANA, Browser, Live

BEN = Dispatch("ben")
OWNER, FOURTH = Customer("c-1"), Customer("c-4")
MINUTE = timedelta(minutes=1)


def open_case(browser: Browser, capture_id: str, reason: str = "driver") -> str:
    """Open a case, and return the path of its page."""
    answer = browser.send(f"/dispatch/photos/{capture_id}/case", reason=reason)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].removeprefix("/pages")


def plain(text: str) -> str:
    """Return the words of a page, with single spaces."""
    return " ".join(re.sub("<[^>]*>", " ", text.partition("<main>")[2]).split())


def test_dispatch_reads_the_facts_of_a_bound_photo_without_its_picture(live: Live) -> None:
    said: dict[str, Any] = {
        "stop": {
            "id": live.demo_office.office.orders.find(ALLOWED).stop_id,
            "bound_by": "place",
            "ring": "near",
            "distance_m": 23.4,
        },
        "position": {"accuracy_m": 9.5},
    }
    live.demo_office.receive(live.demo_office.photo(ALLOWED, **said))
    live.demo_office.receive(live.demo_office.photo(RIGHT_DOOR))

    page = live.browser(ANA).get("/dispatch/photos")

    assert images(page.text) == []
    for fact in (
        f"Order {ALLOWED} Door: 1 Example Street Device: van-7",
        "Place: Near the stop’s radius Distance: 23 m Accuracy: 10 m Parcel label: Not read",
        f"Order {RIGHT_DOOR} Door: 7 Example Street",
        "Parcel label: Read",
    ):
        assert fact in plain(page.text)


def test_an_order_that_takes_no_photo_is_never_listed(live: Live) -> None:
    demo_office = live.demo_office
    for number in (CONFIDENTIAL, CHANGES_MIND):
        demo_office.office.erasure.hold(number, "CASE-7", NOON)
        demo_office.receive(demo_office.photo(number))
    demo_office.office.opt_out_order(CHANGES_MIND, True)
    ana = live.browser(ANA)

    for query in ("", f"?order={CONFIDENTIAL}", f"?order={CHANGES_MIND}"):
        assert "There is no such photo." in ana.get(f"/dispatch/photos{query}").text


def test_the_rows_are_those_of_an_order_or_a_device_within_seven_days(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "LISTED", 2)
    monkeypatch.setattr("doorstep_backend.office.bound.LISTED", 2)
    receive, made = live.demo_office.receive, live.demo_office.photo
    numbers = (ALLOWED, ALLOWED, RIGHT_DOOR, ALLOWED, ALLOWED)
    photos = [
        receive(made(number), f"2026-11-{24 + day}T12:00:00.000Z")
        for day, number in enumerate(numbers)
    ]

    def listed(query: str) -> tuple[list[int], str | None]:
        """Return which photos are listed, and the address of the older ones."""
        page = live.browser(ANA).get(f"/dispatch/photos{query}").text
        older = re.search(r'href="/pages/dispatch/photos([^"]*)">Older photos', page)
        found = re.findall('action="/pages/dispatch/photos/([^/]+)/case"', page)
        return [photos.index(one) for one in found], older and older[1].replace("&amp;", "&")

    found, older = listed(f"?order={ALLOWED}")
    assert found == [4, 3]
    assert older is not None
    assert listed(older) == ([1], None)
    assert listed("?device=van-8") == ([], None)
    assert listed("?device=van-7")[0] == [4, 3]
    assert listed(f"?order={RIGHT_DOOR}&device=van-7") == ([2], None)
    for before in ("now", f"{photos[1]}", "2026-11-26T12:00:00.000Z", "'%20--"):
        assert live.browser(ANA).get(f"/dispatch/photos?before={before}").status_code == 400
    live.clock.now = NOON + timedelta(days=4) - MINUTE
    assert listed("") == ([4], None)


def test_a_case_opens_the_picture_and_the_customer_reads_why(live: Live) -> None:
    (capture_id,) = live.demo_office.deliver(ALLOWED)
    ana, ben = live.browser(ANA), live.browser(BEN)

    path = open_case(ana, capture_id)
    page = ana.get(path).text
    (image,) = images(page)

    assert "The driver reported a wrong door." in page
    assert ana.get(image).content == PICTURE
    assert "The driver reported a wrong door." in live.browser(OWNER).get(f"/orders/{ALLOWED}").text
    opened, look = live.demo_office.office.access.views_of(ALLOWED)
    assert opened.why == "Opened a case about this photo. Reason: The driver reported a wrong door."
    assert look.viewer == "dispatch ana"
    assert ben.get(path).status_code == 404
    own = live.site.sessions.photo_address(ben.cookie, capture_id, NOON)
    assert ben.get(f"/photos/{own}").status_code == 404
    assert "No case is open." in ben.get("/dispatch/cases").text
    assert path in ana.get("/dispatch/cases").text


def test_a_case_that_has_ended_says_so_and_opens_nothing(live: Live) -> None:
    (capture_id,) = live.demo_office.deliver(ALLOWED)
    ana = live.browser(ANA)
    path = open_case(ana, capture_id)

    live.clock.now = NOON + 15 * MINUTE
    page = ana.get(path)

    assert (page.status_code, images(page.text)) == (200, [])
    assert "Nobody closed this case" in page.text
    assert "No case is open." in ana.get("/dispatch/cases").text
    assert open_case(ana, capture_id) != path


def test_the_eleventh_case_within_an_hour_is_not_opened(live: Live) -> None:
    photos, ana = live.demo_office.deliver(*[ALLOWED] * 11), live.browser(ANA)
    for capture_id in photos[:10]:
        open_case(ana, capture_id)

    refused = ana.send(f"/dispatch/photos/{photos[10]}/case", reason="driver")

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert cases.TOO_MANY in refused.text
    open_case(live.browser(BEN), photos[10])


def test_a_case_needs_a_reason_and_a_photo_that_may_be_opened(live: Live) -> None:
    (capture_id,) = live.demo_office.deliver(ALLOWED)
    stray, ana = live.demo_office.receive(live.demo_office.stray()), live.browser(ANA)

    for reason in ("", "curious", "not_my_door"):
        assert ana.send(f"/dispatch/photos/{capture_id}/case", reason=reason).status_code == 400
    waits = ana.send(f"/dispatch/photos/{stray}/case", reason="driver")
    assert waits.status_code == 409
    assert cases.NO_CASE in waits.text
    assert ana.send("/dispatch/photos/no-such/case", reason="driver").status_code == 404
    assert ana.get("/dispatch/cases/no-such").status_code == 404
