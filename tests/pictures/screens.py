"""The screens whose pictures the pages show, from a demo office whose clock stands still.

A picture holds the digest of what its browser was given, so that a test notices a changed screen.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from agent.capture import jpeg
from doorstep_backend.office.access import Customer, Viewer
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.auth import COOKIE
from hardware.simulated.scenes import Scene, render
from tests.backend.pages.fleet_samples import settle
from tests.support.live_pages import ANA, Live, live_pages

FOLDER: Final = Path(__file__).parent

PHOTO: Final = "photo.jpg"

PHOTO_PX: Final = (640, 360)
"""As wide as a README shows beside another picture."""

COLOURS: Final = 128
"""Colours of a screen's picture; all colours of its photo would make the file much larger."""

DIGEST: Final = "shows"
"""Name of the text chunk of a PNG that holds the digest."""

_RANDOM: Final = re.compile(r"[\w-]{20,}")
"""Tokens, ids and digests, which differ each time."""

_MADE: Final[dict[str, dict[str, object]]] = {
    ALLOWED: {"ring": "inside", "distance_m": 3.2},
    LEFT_DOOR: {"bound_by": "place", "ring": "near", "distance_m": 8.0},
}


class Screen(NamedTuple):
    """The view in one picture: a viewer's page at the size of their window in CSS pixels.

    Without a path it is the page of the case.
    """

    viewer: Viewer
    path: str
    size_px: ViewportSize
    is_whole: bool = False


SCREENS: Final = {
    "page.png": Screen(Customer("c-1"), f"/orders/{ALLOWED}", {"width": 390, "height": 844}),
    "case.png": Screen(ANA, "", {"width": 1024, "height": 1090}),
    "fleet.png": Screen(ANA, "/fleet", {"width": 640, "height": 844}, is_whole=True),
}
"""A common phone, the narrowest window with a desk's columns, and all of a list."""


class Office(NamedTuple):
    """An office with everything that the screens show."""

    live: Live
    case: str
    """Path of the page of the case."""

    def digest(self, screen: Screen) -> str:
        """Return the digest of the page and its style, without what differs each time."""
        browser = self.live.browser(screen.viewer)
        page, style = browser.get(self.path(screen)), browser.get("/style.css")
        assert (page.status_code, style.status_code) == (200, 200)
        told = _RANDOM.sub("", page.text) + style.text
        return hashlib.sha256(told.encode()).hexdigest()

    def path(self, screen: Screen) -> str:
        """Return the screen's path below the prefix of the pages."""
        return screen.path or self.case


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """Serve an office with a photo, a photo that may be of the next door, and a fleet."""
    (folder / "backend.toml").write_text('zone = "Europe/Berlin"\n')
    with live_pages(folder, show_simulated=True) as live:
        settle(folder)
        for number, stop in _MADE.items():
            orders = live.demo_office.office.orders
            said = {"id": orders.find(number).stop_id, "bound_by": "code", **stop}
            position = {"lat_deg": 52.5, "lon_deg": 13.4, "accuracy_m": 4.4, "source": "gnss"}
            made = live.demo_office.photo(
                number, stop=said, position=position, picture=_door(number), simulated=True
            )
            capture_id = live.demo_office.receive(made)
        opened = live.browser(ANA).send(f"/dispatch/photos/{capture_id}/case", reason="driver")
        yield Office(live, opened.headers["Location"].removeprefix(PREFIX))


def _door(number: str) -> bytes:
    """Return the simulated camera's JPEG of the door of an order."""
    house = int(number) - 1000
    return jpeg.encode(render(Scene(seed=house, house=house)), 85)


def photo() -> Image.Image:
    """Return README's photo, as the simulated camera takes it, but smaller."""
    with Image.open(BytesIO(_door(ALLOWED))) as taken:
        return taken.resize(PHOTO_PX)


def make(served: Office, folder: Path) -> None:
    """Write a picture of each screen, in Chromium, and the photo."""
    photo().save(folder / PHOTO, quality=80)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
        )
        for name, screen in SCREENS.items():
            _save(chromium, served, screen, folder / name)


def _save(chromium: Browser, served: Office, screen: Screen, file: Path) -> None:
    live = served.live
    context = chromium.new_context(viewport=screen.size_px, ignore_https_errors=True)
    cookie = live.browser(screen.viewer).cookie
    context.add_cookies([{"name": COOKIE, "value": cookie, "url": live.url}])
    page = context.new_page()
    page.goto(f"{live.url}{PREFIX}{served.path(screen)}", wait_until="networkidle")
    noted = PngInfo()
    noted.add_text(DIGEST, served.digest(screen))
    with Image.open(BytesIO(page.screenshot(full_page=screen.is_whole))) as shown:
        few = shown.convert("RGB").quantize(COLOURS, kmeans=1)
        few.save(file, optimize=True, pnginfo=noted)
    context.close()


def noted_digest(file: Path) -> str:
    """Return the digest of what a picture shows, which the picture holds."""
    with Image.open(file) as held:
        return str(held.info.get(DIGEST))
