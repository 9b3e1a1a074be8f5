"""Somebody who walks through the pages with a phone in the hand, in a real Chromium."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, ViewportSize, expect

from doorstep_backend.office.demo import ACCOUNTS
from tests.support import axe

PASSWORDS: Final = {account.who: account.password for account in ACCOUNTS}

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
"""CSS pixels. Source: a common phone of 2020 to 2025; the pages' narrowest test is 320."""

NARROWEST_PX: Final = 320
"""Narrowest screen without scrolling sideways. Source: WCAG 2.2, 1.4.10 Reflow."""

DESK_PX: Final = 1280
"""Width of a window at a desk: 1920 pixels at a zoom of 150 %."""

DESK: Final[ViewportSize] = {"width": DESK_PX, "height": 800}

TARGET_PX: Final = 44
"""Least height of what a thumb must hit. Source: WCAG 2.2, 2.5.5 Target Size (Enhanced)."""


_WIDEST: Final = """Math.max(document.documentElement.scrollWidth, ...Array.from(
    document.querySelectorAll("body *"), one => one.getBoundingClientRect().right))"""
"""The right edge of what reaches furthest, in CSS pixels; what is not shown has 0.

Text that is longer than its element widens the document alone.
"""


@dataclass(frozen=True)
class Walk:
    """Somebody walks through the pages; each page they stop at is looked at and kept."""

    page: Page
    url: str
    screenshots: Path

    def sign_in(self, who: str) -> None:
        self.page.goto(f"{self.url}/")
        self.page.get_by_label("Account").fill(who)
        self.page.get_by_label("Password").fill(PASSWORDS[who])
        self.tap("Sign in")

    def tap(self, name: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).tap()

    def follow(self, name: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name, exact=True).first.tap()

    def shows(self, text: str) -> None:
        expect(self.page.locator("main")).to_contain_text(text)

    def look(self, name: str) -> None:
        """Keep a picture of the page and check it.

        Nothing sticks out, nothing is too small for a thumb, and axe finds nothing.
        """
        for image in self.page.locator("img").all():
            image.scroll_into_view_if_needed()
        self.page.mouse.wheel(0, -10_000)
        self.page.screenshot(path=self.screenshots / f"{name}.png", full_page=True)
        assert axe.findings(self.page) == [], name
        for width_px in (PHONE["width"], NARROWEST_PX):
            self.page.set_viewport_size({"width": width_px, "height": PHONE["height"]})
            assert self._widest_px() <= width_px, f"{name} scrolls sideways at {width_px} px"
        self.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        for control in self.page.locator("button:visible, input:visible, select:visible").all():
            box = control.bounding_box()
            assert box is not None
            assert box["height"] >= TARGET_PX, f"{name}: {control} is too small"

    def fits(self, name: str, width_px: int) -> None:
        """Keep a picture of the page; nothing sticks out at its width, and axe finds nothing."""
        self.page.screenshot(path=self.screenshots / f"{name}.png", full_page=True)
        assert axe.findings(self.page) == [], name
        assert self._widest_px() <= width_px, f"{name} scrolls sideways at {width_px} px"

    def _widest_px(self) -> float:
        found: float = self.page.evaluate(_WIDEST)
        return found
