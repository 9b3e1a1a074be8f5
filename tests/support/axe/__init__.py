"""axe-core, which finds what keeps people with a disability from using a page."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from tests.support.npm import install

_FOLDER: Final = Path(__file__).parent

_NO_TIMERS: Final = """window.setTimeout = (call, _after_ms, ...given) => {
    Promise.resolve().then(() => call(...given));
    return 0;
}"""
"""The pages are open without JavaScript: there no timer ends, and axe waits for one."""

_RUN: Final = """axe.run({resultTypes: ['violations'], preload: false})
    .then(found => found.violations)"""
"""Script for all rules; it fetches no style sheet, as the pages forbid. Source: axe-core's API."""


def findings(page: Page) -> list[str]:
    """Return what axe finds on the page as it is now: impact, rule and the elements."""
    page.evaluate(_NO_TIMERS)
    page.evaluate(_script())
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [
        f"{one['impact']}: {one['id']}: {' '.join(node['html'] for node in one['nodes'])}"
        for one in found
    ]


@cache
def _script() -> str:
    install(_FOLDER)
    return (_FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
