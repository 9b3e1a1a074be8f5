"""`python -m tests.demo.pictures DIR`: README's two pictures, from what `scripts/demo --keep` left.

A photo as the device took it, and its customer's page in Chromium; both small.
"""

import os
import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright

from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.pages import PREFIX
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend

FOLDER: Final = Path(__file__).parent / "pictures"

PHOTO_PX: Final = 640
"""Width of the photo: as wide as a README shows beside another picture."""

PHONE_PX: Final = (390, 844)
"""The page's, in CSS pixels: a common phone of 2020 to 2025."""

COLOURS: Final = 256
"""Colours of the page's picture; all colours of its photo would make the file much larger."""


def main(kept: Path, folder: Path = FOLDER) -> None:
    """Make both for the first door of the round."""
    folder.mkdir(exist_ok=True)
    store = Store(kept)
    (photo,) = open_office(store, show_simulated=True).filing.photos_of(demo.ALLOWED)
    with Image.open(BytesIO(store.photo(photo.capture_id))) as taken:
        taken.thumbnail((PHOTO_PX, PHOTO_PX))
        taken.save(folder / "photo.jpg", quality=80, exif=b"")
    with Image.open(BytesIO(_page(kept))) as page:
        page.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
            folder / "page.png", optimize=True
        )


def _page(kept: Path) -> bytes:
    """The page of the order, as its customer sees it."""
    customer = demo.ACCOUNTS[0]
    width_px, height_px = PHONE_PX
    backend = Backend(kept, switches=False, show_simulated=True, demo_accounts=True).start()
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
            )
            page = chromium.new_page(
                viewport={"width": width_px, "height": height_px}, ignore_https_errors=True
            )
            page.goto(f"{backend.base_url}{PREFIX}/")
            page.get_by_label("Account").fill(customer.who)
            page.get_by_label("Password").fill(customer.password)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.get_by_role("link", name=f"Order {demo.ALLOWED}", exact=True).click()
            page.get_by_role("img").scroll_into_view_if_needed()
            page.mouse.wheel(0, -10_000)
            page.wait_for_load_state("networkidle")
            return page.screenshot()
    finally:
        backend.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
