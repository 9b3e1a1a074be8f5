"""The fleet's pages in a real Chromium: a small phone, by day and by night."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from doorstep_backend.pages import fleet_list
from tests.backend.pages.fleet_samples import REFUSED, settle
from tests.backend.pages.walk import Walk
from tests.support.live_pages import Live

pytestmark = pytest.mark.slow

SMALL_PX = 360
"""A small phone of 2020 to 2025."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_fleet_is_paged_and_searched_on_a_phone(
    phone: Page, live: Live, screenshots: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    settle(live.demo_office.folder)
    phone.set_viewport_size({"width": SMALL_PX, "height": 780})
    phone.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    walk = Walk(phone, f"{live.url}/pages", screenshots)
    walk.sign_in("ana")
    walk.look(f"20-dispatch-with-devices-{scheme}")
    walk.follow("Look at the fleet")
    walk.look(f"21-fleet-{scheme}")
    monkeypatch.setattr(fleet_list, "PAGE_LENGTH", 4)
    phone.reload()
    walk.look(f"22-fleet-in-pages-{scheme}")
    walk.follow("Next")
    walk.shows("Page 2 of 2")

    phone.locator("summary").tap()
    phone.get_by_label("Show").select_option("refused")
    walk.tap("Show")

    walk.shows("1 device found")
    walk.look(f"23-fleet-search-{scheme}")
    walk.follow(REFUSED)
    walk.shows("The backend has refused records")
    walk.look(f"24-device-{scheme}")
