"""Outcomes for another system: facts and a link, and never a photo."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from doorstep_backend.api.tokens import Scope
from doorstep_backend.office.access import Customer
from doorstep_backend.office.demo import ALLOWED, CONFIDENTIAL, RIGHT_DOOR
from doorstep_backend.office.outcome_feed import PAGE
from tests.backend.api.systems import System, places
from tests.support.demo_office import NOON, WHO
from tests.support.live_pages import Live


def followed(erp: System, cursor: str | None = None) -> tuple[list[dict[str, Any]], str]:
    """Return all outcomes behind a cursor, and the cursor to go on with."""
    found: list[dict[str, Any]] = []
    while True:
        answer = erp.get("/outcomes", **({} if cursor is None else {"after": cursor})).json()
        found += answer["outcomes"]
        cursor = answer["next"]
        if not answer["more"]:
            return found, cursor


def test_a_delivered_order_has_facts_and_a_link_for_its_customer_alone(
    live: Live, erp: System
) -> None:
    live.demo_office.deliver(ALLOWED)

    said = erp.get(f"/orders/{ALLOWED}/outcome").json()

    facts = {"day": "2026-12-01", "zone": "UTC", "at": "2026-12-01T09:15:02.000Z", "how": "photo"}
    assert said == {"order": ALLOWED, "delivered": facts, "page": f"/pages/orders/{ALLOWED}"}
    link = said["page"].removeprefix("/pages")
    assert live.browser(Customer("c-1")).get(link).status_code == 200
    assert live.browser(Customer("c-2")).get(link).status_code == 404
    assert live.browser().get(link).headers["Location"] == "/pages/sign-in"


def test_an_order_without_an_outcome_says_so_and_an_unknown_one_is_missing(erp: System) -> None:
    answer = erp.get("/orders/9999/outcome")

    assert erp.get(f"/orders/{ALLOWED}/outcome").json()["delivered"] is None
    assert (answer.status_code, answer.json()["detail"]) == (404, "no such order")


def test_outcome_of_an_order_without_photos_has_only_the_day(live: Live, erp: System) -> None:
    """Neither the API nor the customer's page says whether there was a photo or a hand-over."""
    live.demo_office.office.filing.outcomes.mark_delivered(CONFIDENTIAL, WHO, NOON)

    delivered = erp.get(f"/orders/{CONFIDENTIAL}/outcome").json()["delivered"]

    assert delivered == {"day": "2026-12-01", "zone": "UTC", "at": None, "how": None}


def test_outcomes_come_after_those_seen_before_also_if_taken_back(live: Live, erp: System) -> None:
    (capture_id,) = live.demo_office.deliver(RIGHT_DOOR)
    followed(erp)
    live.demo_office.deliver(ALLOWED)
    first, cursor = followed(erp)
    nothing, same = followed(erp, cursor)

    live.demo_office.receive(live.demo_office.void(capture_id))
    back, _ = followed(erp, cursor)

    assert [one["order"] for one in first] == [RIGHT_DOOR, ALLOWED]
    assert all(one["delivered"]["how"] == "photo" for one in first)
    assert (nothing, same) == ([], cursor)
    assert [(one["order"], one["delivered"]) for one in back] == [(RIGHT_DOOR, None)]


def test_a_cursor_is_good_for_all_pages(live: Live, erp: System) -> None:
    orders = live.demo_office.office.orders
    for number in range(PAGE + 1):
        named: dict[str, Any] = {"number": f"3{number:03}", "stop_id": f"x-{number}", "codes": ()}
        orders.add(replace(orders.find(ALLOWED), done=True, **named))

    found, cursor = followed(erp)

    assert len({one["order"] for one in found}) == len(found) == PAGE + 1
    assert followed(erp, cursor) == ([], cursor)
    assert followed(erp, "0")[0] == found


def test_a_wrong_question_is_refused_with_its_faults(live: Live, erp: System) -> None:
    assert places(erp.get("/outcomes", after="yesterday")) == ["after"]
    assert places(erp.get("/outcomes", after=["1", "2"])) == ["after"]
    assert places(erp.get("/outcomes", since="1", before="2")) == ["since", "before"]
    for path in ("/outcomes", f"/orders/{ALLOWED}/outcome"):
        assert System.of(live, [Scope.ORDERS]).get(path).status_code == 403


def test_no_answer_has_a_photo_a_place_or_a_capture(live: Live, erp: System) -> None:
    (capture_id,) = live.demo_office.deliver(ALLOWED)
    live.clock.now = NOON + timedelta(hours=1)

    for answer in (erp.get("/outcomes"), erp.get(f"/orders/{ALLOWED}/outcome")):
        assert capture_id not in answer.text
        assert not {"lat", "lon", "image", "stop", "code"} & set(answer.text.split('"'))
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
