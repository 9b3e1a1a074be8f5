"""The photos on a page, and an agent who may see those of an order."""

import re

from doorstep_backend.office.access import CustomerService
from doorstep_backend.office.demo import ALLOWED
from tests.support.live_pages import Browser, Live

AGENT = CustomerService("17")


def images(text: str) -> list[str]:
    """Return the addresses of the photos on a page, below the pages' prefix."""
    return re.findall(r'<img src="/pages([^"]+)"', text)


def verified(live: Live, number: str = ALLOWED) -> Browser:
    """Return an agent's browser, after the customer told them the code."""
    browser = live.browser(AGENT)
    code = live.demo_office.office.access.make_one_time_code(number, live.clock.now)
    assert browser.send("/service", number=number, code=code, why="where").status_code == 303
    return browser
