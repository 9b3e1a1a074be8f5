"""The town whose pages are asked, and the browser that asks."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.backend.pages.walk import PHONE, counts, is_missing, is_odd
from tests.support.live_pages import Live, live_pages


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_pages(tmp_path) as live:
        yield live


@pytest.fixture(scope="package")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One town for all tests that change nothing in it."""
    with live_pages(tmp_path_factory.mktemp("unchanged")) as live:
        yield live


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages go: `$DOORSTEP_SCREENSHOTS`, else a folder of this run."""
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
    """A phone in the hand: touch, no JavaScript, and anything odd in its console fails the test."""
    context = chromium.new_context(
        viewport=PHONE,
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        java_script_enabled=False,
        ignore_https_errors=True,  # its CA is the test's own
        color_scheme="light",
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if is_odd(message) else None)
    page.on("requestfailed", lambda request: wrong.append(request.url) if counts(request) else None)
    page.on("response", lambda answer: wrong.append(answer.url) if is_missing(answer) else None)
    yield page
    context.close()
    assert wrong == []
