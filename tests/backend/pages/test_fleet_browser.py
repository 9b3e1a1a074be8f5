"""The fleet's pages in a real Chromium: a small phone, the keyboard, ten thousand devices."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.backend.pages.fleet_samples import settle, settle_many
from tests.backend.pages.walk import Walk
from tests.support.live_pages import Live, live_pages

pytestmark = pytest.mark.slow

DEVICES = 10_000

SMALL_PX = 360
"""A small phone of 2020 to 2025."""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Live]:
    with live_pages(tmp_path) as live:
        yield live


@pytest.fixture
def walk(phone: Page, town: Live, screenshots: Path) -> Walk:
    phone.set_viewport_size({"width": SMALL_PX, "height": 780})
    return Walk(phone, f"{town.url}/pages", screenshots)


def names(page: Page) -> list[str]:
    return page.locator("article h3 a").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_fleet_on_a_phone_looks_as_it_should(walk: Walk, town: Live, scheme: str) -> None:
    settle(town.town.folder)
    walk.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    walk.sign_in("dispatch")
    walk.look(f"20-dispatch-with-devices-{scheme}")
    walk.follow("Look at the fleet")
    walk.look(f"21-fleet-{scheme}")
    walk.page.locator("summary").tap()
    walk.look(f"22-fleet-search-{scheme}")

    walk.follow("van-0042")

    walk.shows("The backend has refused records")
    walk.look(f"23-device-{scheme}")
    walk.follow("Fleet")
    assert len(names(walk.page)) == 6


def test_ten_thousand_devices_are_paged_sorted_and_filtered_on_a_phone(
    walk: Walk, town: Live
) -> None:
    settle_many(town.town.folder, DEVICES)
    walk.sign_in("dispatch")
    walk.shows("1,000 devices of 10,000 need a person.")
    walk.follow("Look at the fleet")
    walk.shows("Page 1 of 200")
    first = names(walk.page)
    walk.look("24-fleet-of-ten-thousand")
    walk.follow("Next")
    walk.shows("Page 2 of 200")
    second = names(walk.page)
    walk.follow("Previous")
    assert names(walk.page) == first
    assert len({*first, *second}) == 100

    walk.page.locator("summary").tap()
    walk.page.get_by_label("Show").select_option("full")
    walk.page.get_by_label("Sort").select_option("waiting")
    walk.page.get_by_label("Text in the name").fill("VAN-0")
    walk.tap("Show")

    walk.shows("59 devices found: The card is full.")
    walk.shows("Page 1 of 2")
    expect(walk.page.locator("article .wrong")).to_have_count(50)
    assert set(walk.page.locator("article .wrong").all_inner_texts()) == {
        "The card is full: presses are refused."
    }
    expect(walk.page.get_by_label("Text in the name")).to_have_value("VAN-0")
    walk.look("25-fleet-filtered")
    walk.follow("Next")
    walk.shows("Page 2 of 2")
    assert len(names(walk.page)) == 9
    walk.follow("Show all")
    walk.shows("Page 1 of 200")


def test_it_works_with_the_keyboard_alone(walk: Walk, town: Live) -> None:
    settle(town.town.folder)
    walk.sign_in("dispatch")
    walk.page.goto(f"{walk.url}/fleet")
    walk.page.locator("summary").focus()

    walk.page.keyboard.press("Enter")
    for _ in range(3):
        walk.page.keyboard.press("Tab")
    walk.page.keyboard.type("0042")
    with walk.page.expect_navigation():
        walk.page.keyboard.press("Enter")

    assert names(walk.page) == ["van-0042"]
    walk.shows("1 device found.")
