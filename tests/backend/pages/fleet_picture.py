"""`python -m tests.backend.pages.fleet_picture [FILE]`: the fleet page of docs/office.md."""

import os
import shutil
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright

from doorstep_backend.office.access import Dispatch
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.door import COOKIE
from tests.backend.pages.fleet_samples import settle
from tests.support.live_pages import live_pages

FILE: Final = Path(__file__).parents[1] / "fleet.png"

WIDTH_PX: Final = 640
"""In CSS pixels: as wide as a README shows it."""

COLOURS: Final = 32
"""Letters on paper need no more."""


def main(file: Path = FILE) -> None:
    """Draw it anew; the same fleet, at the same time, each time."""
    with TemporaryDirectory() as folder, live_pages(Path(folder)) as live:
        settle(Path(folder))
        cookie = live.browser(Dispatch()).cookie
        taken = _page(live.url, cookie)
    with Image.open(BytesIO(taken)) as page:
        page.convert("RGB").quantize(COLOURS).save(file, optimize=True)


def _page(url: str, cookie: str) -> bytes:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
        )
        context = chromium.new_context(
            viewport={"width": WIDTH_PX, "height": 600}, ignore_https_errors=True
        )
        context.add_cookies([{"name": COOKIE, "value": cookie, "url": url, "secure": True}])
        page = context.new_page()
        page.goto(f"{url}{PREFIX}/fleet")
        return page.screenshot(full_page=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
