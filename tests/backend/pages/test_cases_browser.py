"""A wrong door in a real Chromium: the customer reports it, and a dispatcher moves the photo."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from agent.capture import jpeg
from doorstep_backend.office.demo import LEFT_DOOR, RIGHT_DOOR
from hardware.simulated.scenes import Scene, render
from tests.backend.pages.test_pages_browser import SCHEMES
from tests.backend.pages.walk import DESK_PX, NARROWEST_PX, PHONE, Walk
from tests.support import axe
from tests.support.live_pages import Live, live_pages

pytestmark = pytest.mark.slow

DOOR: Final = {"lat_deg": 52.5263, "lon_deg": 13.3777, "accuracy_m": 12.0}


@pytest.fixture
def wrong(tmp_path: Path) -> Iterator[Live]:
    """Run a backend in which place bound the right door's photo to the left one."""
    with live_pages(tmp_path, show_simulated=True) as live:
        demo_office = live.demo_office
        stop = {
            "id": demo_office.office.orders.find(LEFT_DOOR).stop_id,
            "bound_by": "place",
            "ring": "near",
            "distance_m": 8.0,
        }
        picture = jpeg.encode(render(Scene(seed=4, width_px=1152, height_px=648)), 85)
        made = demo_office.photo(
            LEFT_DOOR, stop=stop, position=DOOR, picture=picture, simulated=True
        )
        demo_office.receive(made)
        yield live


@pytest.fixture
def walk(phone: Page, wrong: Live, screenshots: Path) -> Walk:
    return Walk(phone, f"{wrong.url}/pages", screenshots)


def look(walk: Walk, name: str) -> None:
    """Keep a picture of the page; axe finds nothing from a small phone to a desk, light or dark."""
    walk.look(name)
    for width_px in (NARROWEST_PX, DESK_PX):
        walk.page.set_viewport_size({"width": width_px, "height": PHONE["height"]})
        for scheme in SCHEMES:
            walk.page.emulate_media(color_scheme=scheme)
            assert axe.findings(walk.page) == [], (name, width_px, scheme)
    walk.page.emulate_media(color_scheme="light")
    walk.page.set_viewport_size(PHONE)


def test_a_wrong_door_is_reported_and_corrected_on_a_phone(walk: Walk, wrong: Live) -> None:
    walk.sign_in("c-3")
    walk.follow(f"Order {LEFT_DOOR}")
    walk.follow("This is not my door")
    look(walk, "30-confirm-report")
    walk.tap("Yes, this is not my door")
    walk.shows("Dispatch is looking into it.")
    expect(walk.page.get_by_role("img")).to_have_count(0)
    look(walk, "31-order-reported")
    walk.page.go_back()
    walk.tap("Yes, this is not my door")
    walk.shows("Dispatch is looking into it.")
    walk.tap("Sign out")

    walk.sign_in("ana")
    walk.shows("1 case waits for a decision.")
    walk.follow("Look at the cases")
    look(walk, "32-cases")
    walk.follow("Look and decide")
    expect(walk.page.get_by_role("img")).to_have_count(1)
    look(walk, "33-case")
    walk.follow(f"Move it to order {RIGHT_DOOR}")
    look(walk, "34-confirm-close")
    walk.tap(f"Yes, it is of order {RIGHT_DOOR}")
    walk.shows("No case is open.")
    walk.page.go_back()
    walk.shows("Dispatch ana has decided about this photo")
    walk.tap("Sign out")

    walk.sign_in("c-4")
    expect(walk.page.get_by_role("img")).to_have_count(1)
    assert wrong.demo_office.shown(LEFT_DOOR) == []


def test_a_dispatcher_corrects_a_photo_within_three_clicks_from_its_row(walk: Walk) -> None:
    walk.sign_in("ana")
    walk.follow("Find a photo that has an order")
    walk.page.get_by_label("Order", exact=True).fill(LEFT_DOOR)
    walk.tap("Show")
    look(walk, "35-photos-with-an-order")

    walk.page.get_by_label("Why do you ask?").select_option("place")
    walk.tap(f"Open a case about order {LEFT_DOOR}")
    walk.follow(f"Move it to order {RIGHT_DOOR}")
    walk.tap(f"Yes, it is of order {RIGHT_DOOR}")

    walk.shows("No case is open.")
