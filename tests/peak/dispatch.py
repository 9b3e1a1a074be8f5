"""Dispatch, who looks at the office's pages while devices send."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import requests  # noqa: TID251 - a browser's side, not the device's

from tests.backend.office import demo
from tests.backend.office.ledger import open_ledger
from tests.backend.pages import PREFIX
from tests.backend.pages.accounts import Accounts
from tests.peak.servers import Servers

EVERY_S: Final = 1.0

TIMEOUT_S: Final = 10.0

DISPATCH: Final = next(one for one in demo.ACCOUNTS if one.role == "dispatch")


@dataclass
class Looks:
    """What came of them.

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
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(servers.ca_file)
        pages = f"{servers.office_urls[0]}{PREFIX}"
        _sign_in(session, pages)

        def look_on() -> None:
            while not ended.wait(EVERY_S):
                looks.look(session, f"{pages}/dispatch")

        thread = threading.Thread(target=look_on)
        thread.start()
        try:
            yield looks
        finally:
            ended.set()
            thread.join()


def _sign_in(session: requests.Session, pages: str) -> None:
    page = session.get(f"{pages}/sign-in", timeout=TIMEOUT_S)
    form = re.findall(r'name="form" value="([^"]+)"', page.text)[0]
    said = {"who": DISPATCH.who, "password": DISPATCH.password, "form": form}
    answer = session.post(f"{pages}/sign-in", data=said, timeout=TIMEOUT_S, allow_redirects=False)
    if answer.status_code != 303:
        raise RuntimeError(f"dispatch cannot sign in: {answer.status_code}")
