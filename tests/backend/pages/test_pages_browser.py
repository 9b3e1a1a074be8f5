"""The pages in a real Chromium at phone size: what people do there, and how it looks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from agent.capture import jpeg
from agent.models import Kind, rfc3339
from doorstep_backend.office.demo import (
    ALLOWED,
    CHANGES_MIND,
    CONFIDENTIAL,
    LEFT_DOOR,
    RIGHT_DOOR,
)
from hardware.simulated.scenes import Scene, render
from tests.backend.pages.walk import PHONE, Walk
from tests.support.backend import Backend
from tests.support.demo_office import DemoOffice

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Round:
    """A round that is over: what came of it is on the pages."""

    url: str
    town: DemoOffice
    stray: str


@pytest.fixture
def delivered(tmp_path: Path) -> Iterator[Round]:
    """The demo's town, with photos of a simulated camera, behind a real backend."""
    town = DemoOffice(tmp_path, show_simulated=True)
    now = rfc3339(datetime.now(UTC))
    at_place = {"id": town.office.orders.find(ALLOWED).stop_id, "bound_by": "place"}
    position = {"lat_deg": 52.5163, "lon_deg": 13.3777, "accuracy_m": 6.0}
    _leave(town, ALLOWED, 3, now, stop=at_place, position=position)
    _leave(town, RIGHT_DOOR, 4, now)
    _leave(town, CHANGES_MIND, 5, now, quality={"verdict": "covered"}, cover=0.6)
    left = {"id": town.office.orders.find(LEFT_DOOR).stop_id, "bound_by": "ambiguous"}
    door = {"lat_deg": 52.5263, "lon_deg": 13.3777, "accuracy_m": 12.0}
    stray = _leave(town, LEFT_DOOR, 8, now, stop=left, position=door)
    taken = _leave(town, ALLOWED, 7, now)
    town.receive(town.van.make(Kind.VOID, {"simulated": True}, about=taken), now)
    backend = Backend(tmp_path, switches=False, show_simulated=True, demo_accounts=True).start()
    try:
        yield Round(f"{backend.base_url}/pages", town, stray)
    finally:
        backend.stop()


def _leave(
    town: DemoOffice, number: str, seed: int, now: str, cover: float = 0.0, **said: object
) -> str:
    stop = {"id": town.office.orders.find(number).stop_id, "bound_by": "code", "ring": "inside"}
    record = {"stop": stop, "simulated": True, "quality": {"verdict": "ok"}, **said}
    made = town.van.make(Kind.PHOTO, record, _picture(seed, cover), utc=now)
    return town.receive(made, now)


@cache
def _picture(seed: int, cover: float) -> bytes:
    scene = Scene(seed=seed, width_px=1152, height_px=648, cover=cover)
    return jpeg.encode(render(scene), 85)


@pytest.fixture
def walk(phone: Page, delivered: Round, screenshots: Path) -> Walk:
    return Walk(phone, delivered.url, screenshots)


def test_a_customer_signs_in_sees_the_photo_and_opts_out(walk: Walk, delivered: Round) -> None:
    walk.page.goto(f"{walk.url}/")
    walk.look("1-sign-in")
    walk.sign_in("c-4")
    walk.shows("Order 1007")
    expect(walk.page.get_by_role("img")).to_have_count(2)
    walk.look("2-your-orders")

    walk.follow(f"Order {CHANGES_MIND}")
    walk.look("3-order")
    walk.page.get_by_text("For a dispute").tap()
    expect(walk.page.get_by_text("quote this reference")).to_be_visible()
    walk.look("3-order-for-a-dispute")
    walk.tap("Don’t take delivery photos")

    walk.shows("There is no delivery photo for this order.")
    walk.shows("Off for this order, as you asked.")
    walk.look("4-order-without-photos")
    assert delivered.town.rule(CHANGES_MIND) == "no_photo"
    walk.follow("Your Orders")
    walk.follow("Delivery photos at your addresses")
    walk.look("5-addresses")
    walk.tap("Don’t take delivery photos")
    walk.shows("Delivery photos are off.")
    assert delivered.town.rule(RIGHT_DOOR) == "no_photo"
    walk.tap("Sign out")
    walk.page.go_back()
    expect(walk.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_agent_is_told_the_code_and_the_customer_reads_that_they_looked(
    walk: Walk, chromium: Browser
) -> None:
    walk.sign_in("c-1")
    walk.follow(f"Order {ALLOWED}")
    walk.shows("Nobody of customer service has looked in the last 365 days.")
    walk.tap("Show a code")
    code = walk.page.locator(".code").inner_text()
    walk.look("6-code")
    at_work = chromium.new_context(
        viewport=PHONE, has_touch=True, java_script_enabled=False, ignore_https_errors=True
    )
    agent = Walk(at_work.new_page(), walk.url, walk.screenshots)
    agent.sign_in("17")
    agent.look("7-service")

    agent.page.get_by_label("Order number").fill(ALLOWED)
    agent.page.get_by_label("Code that the customer tells you").fill("000000")
    agent.page.get_by_label("Why do you look?").select_option("where")
    agent.tap("Open for 15 minutes")
    expect(agent.page.get_by_role("alert")).to_contain_text("do not fit")
    agent.look("8-service-wrong-code")
    agent.page.get_by_label("Code that the customer tells you").fill(code)
    agent.page.get_by_label("Why do you look?").select_option("where")
    agent.tap("Open for 15 minutes")

    expect(agent.page.get_by_role("img")).to_have_count(1)
    agent.shows("The place is known by satellite to about 6 m.")
    agent.look("9-service-order")
    at_work.close()
    walk.follow(f"Order {ALLOWED}")
    walk.shows("Customer service, agent 17")
    walk.shows("Where is the parcel?")
    walk.look("10-order-with-looks")


def test_dispatch_gives_a_photo_its_order_and_the_customer_sees_it(walk: Walk) -> None:
    walk.sign_in("dispatch")
    walk.shows("More than one door was in reach.")
    walk.look("11-dispatch")
    walk.follow("Look and decide")
    walk.look("12-which-order")

    walk.tap(f"It is this: order {LEFT_DOOR}")

    walk.shows("No photo waits for an order.")
    walk.look("13-dispatch-done")
    walk.tap("Sign out")
    walk.sign_in("c-3")
    walk.shows("Our dispatch assigned this photo to your order.")


def test_a_confidential_order_and_what_is_kept(walk: Walk) -> None:
    walk.sign_in("c-2")
    walk.follow(f"Order {CONFIDENTIAL}")
    walk.shows("There is no delivery photo for this order.")
    walk.look("14-confidential-order")
    walk.follow("What we keep, for whom, how long")
    walk.shows("30 days")
    walk.look("15-what-is-kept")
    walk.page.goto(f"{walk.url}/orders/{ALLOWED}")
    walk.shows("There is no such page, or it is not for this account.")
    walk.look("16-not-theirs")


def test_the_pages_are_readable_in_the_dark(walk: Walk) -> None:
    walk.page.emulate_media(color_scheme="dark")
    walk.sign_in("c-1")
    walk.look("17-your-orders-dark")
