"""The backend whose pages are asked, and the browser that asks."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    Page,
    Playwright,
    Request,
    ViewportSize,
    sync_playwright,
)

from tests.backend.pages.walk import DESK, PHONE
from tests.support.live_pages import Live, live_pages


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_pages(tmp_path) as live:
        yield live


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for screenshots: `$DOORSTEP_SCREENSHOTS`, else one of this run."""
    given = os.environ.get("DOORSTEP_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    found = shutil.which("chromium")
    if found is None:
        pytest.fail("the pages need a real browser: apt install chromium")
    sandbox = os.geteuid() != 0  # Chromium's own sandbox does not run as root
    browser = playwright.chromium.launch(executable_path=found, chromium_sandbox=sandbox)
    yield browser
    browser.close()


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """A phone in the hand."""
    with _opened(chromium, PHONE, is_mobile=True) as page:
        yield page


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Page]:
    """A window at a desk, on a screen that can be touched."""
    with _opened(chromium, DESK, is_mobile=False) as page:
        yield page


@contextmanager
def _opened(chromium: Browser, viewport: ViewportSize, *, is_mobile: bool) -> Iterator[Page]:
    """Open a page: touch, no JavaScript, and anything odd in its console fails the test."""
    context = chromium.new_context(
        viewport=viewport,
        device_scale_factor=2 if is_mobile else 1,
        is_mobile=is_mobile,
        has_touch=True,
        java_script_enabled=False,
        ignore_https_errors=True,  # its CA is the test's own
        color_scheme="light",
    )
    page = context.new_page()
    wrong: list[str] = []

    def note(what: str, *, unless: bool) -> None:
        if not unless:
            wrong.append(what)

    refused = "Failed to load resource"  # of a page, which the tests look at themselves
    page.on("console", lambda one: note(one.text, unless=one.text.startswith(refused)))
    # An icon may still be on its way when the next page is asked for.
    page.on("requestfailed", lambda one: note(one.url, unless=one.url.endswith("/icon.svg")))
    page.on("response", lambda one: note(one.url, unless=one.ok or is_page(one.request)))
    yield page
    context.close()
    assert wrong == []


def is_page(request: Request) -> bool:
    """Return whether a page was asked for, and not its style, icon or photo."""
    return request.resource_type == "document"
