"""`python -m tests.demo.pictures DIR`: the pages' pictures, from what `scripts/demo --keep` left.

README has a photo as the device took it, and its customer's page in Chromium; the office page has a
case of a dispatcher, who opens it here because the demo closes its own. All are small.
"""

import os
import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.pages import PREFIX
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend

FOLDER: Final = Path(__file__).parent / "pictures"

PHOTO_PX: Final = 640
"""Width of the photo: as wide as a README shows beside another picture."""

PHONE_PX: Final = (390, 844)
"""The customer's page, in CSS pixels: a common phone of 2020 to 2025."""

DESK_PX: Final = (1024, 1090)
"""The case: the narrowest window that has a desk's columns, and as high as its facts."""

COLOURS: Final = 128
"""Colours of a page's picture; all colours of its photo would make the file much larger."""


def main(kept: Path, folder: Path = FOLDER) -> None:
    """Make all three: for the first door of the round, and for one with a neighbour."""
    folder.mkdir(exist_ok=True)
    store = Store(kept)
    (photo,) = open_office(store, show_simulated=True).filing.photos_of(demo.ALLOWED)
    with Image.open(BytesIO(store.photo(photo.capture_id))) as taken:
        taken.thumbnail((PHOTO_PX, PHOTO_PX))
        taken.save(folder / "photo.jpg", quality=80, exif=b"")
    backend = Backend(kept, switches=False, show_simulated=True, demo_accounts=True).start()
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
            )
            _save(_order(chromium, backend), folder / "page.png")
            _save(_case(chromium, backend), folder / "case.png")
    finally:
        backend.stop()


def _order(chromium: Browser, backend: Backend) -> Page:
    """Return the page of the order, as its customer sees it."""
    page = _signed_in(chromium, backend, "c-1", PHONE_PX)
    page.get_by_role("link", name=f"Order {demo.ALLOWED}", exact=True).click()
    return page


def _case(chromium: Browser, backend: Backend) -> Page:
    """Return the page of a case about a photo that may be of the next door."""
    page = _signed_in(chromium, backend, "ana", DESK_PX)
    page.goto(f"{backend.base_url}{PREFIX}/dispatch/photos?order={demo.LEFT_DOOR}")
    page.get_by_label("Why do you ask?").select_option("driver")
    page.get_by_role("button", name=f"Open a case about order {demo.LEFT_DOOR}").click()
    return page


def _signed_in(chromium: Browser, backend: Backend, who: str, size_px: tuple[int, int]) -> Page:
    (account,) = (one for one in demo.ACCOUNTS if one.who == who)
    width_px, height_px = size_px
    page = chromium.new_page(
        viewport={"width": width_px, "height": height_px}, ignore_https_errors=True
    )
    page.goto(f"{backend.base_url}{PREFIX}/")
    page.get_by_label("Account").fill(account.who)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    return page


def _save(page: Page, file: Path) -> None:
    """Save what the window shows, with its photo."""
    page.get_by_role("img").scroll_into_view_if_needed()
    page.mouse.wheel(0, -10_000)
    page.wait_for_load_state("networkidle")
    with Image.open(BytesIO(page.screenshot())) as shown:
        shown.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
