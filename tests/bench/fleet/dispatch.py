"""Dispatch, who looks at the office's pages while devices send."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import requests  # noqa: TID251 - a browser's side, not the device's

from doorstep_backend.office import demo
from doorstep_backend.office.ledger import open_ledger
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Accounts
from tests.bench.fleet.servers import Servers
from tests.support.people import browser_at

EVERY_S: Final = 1.0

TIMEOUT_S: Final = 10.0

DISPATCH: Final = next(one for one in demo.ACCOUNTS if one.role == "dispatch")


@dataclass
class Looks:
    """Results of the pages that were asked for.

    Attributes:
        took_s: of each page that was shown.
        failed: how many were not.
    """

    took_s: list[float] = field(default_factory=list)
    failed: int = 0

    def look(self, session: requests.Session, url: str) -> None:
        began_s = time.monotonic()
        try:
            answer = session.get(url, timeout=TIMEOUT_S, allow_redirects=False)
        except requests.RequestException:
            self.failed += 1
            return
        if answer.status_code == 200:
            self.took_s.append(time.monotonic() - began_s)
        else:
            self.failed += 1


@contextmanager
def looking(servers: Servers) -> Iterator[Looks]:
    """Signs in, and looks at what waits for dispatch each second until the block ends."""
    looks, ended = Looks(), threading.Event()
    Accounts(open_ledger(servers.data)).add(DISPATCH)
    url = servers.office_urls[0]
    with browser_at(url, servers.ca_file, DISPATCH) as session:

        def look_on() -> None:
            while not ended.wait(EVERY_S):
                looks.look(session, f"{url}{PREFIX}/dispatch")

        thread = threading.Thread(target=look_on)
        thread.start()
        try:
            yield looks
        finally:
            ended.set()
            thread.join()
