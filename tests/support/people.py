"""A person at the pages of a backend that runs: signed in, as a browser is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from doorstep_backend.office.demo import ACCOUNTS
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Account
from tests.support.backend import Backend

CUSTOMER = ACCOUNTS[0]


def form_of(page: requests.Response) -> str:
    """Return the token that each form on this page carries."""
    return str(re.findall(r'name="form" value="([^"]+)"', page.text)[0])


def sign_in(
    session: requests.Session, asked: str, told: str, account: Account
) -> requests.Response:
    """Sign in with the form of the instance at one URL, answered at another one, or the same."""
    page = session.get(f"{asked}{PREFIX}/sign-in", timeout=30)
    said = {"who": account.who, "password": account.password, "form": form_of(page)}
    url = f"{told}{PREFIX}/sign-in"
    return session.post(url, data=said, timeout=30, allow_redirects=False)


@contextmanager
def browser(backend: Backend, account: Account | None = None) -> Iterator[requests.Session]:
    """Open a browser, signed in with an account, which the backend has."""
    with browser_at(backend.base_url, backend.ca_file, account) as session:
        yield session


@contextmanager
def browser_at(url: str, ca_file: Path, account: Account | None) -> Iterator[requests.Session]:
    """Open a browser for a URL."""
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(ca_file)
        if account is not None:
            assert sign_in(session, url, url, account).status_code == 303
        yield session
