"""Two instances over one PostgreSQL: what people do at one, the other knows."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from agent.models import CaptureId
from agent.record import signing
from doorstep_backend.engines.opening import PER_FOLDER
from doorstep_backend.office.demo import ACCOUNTS, ALLOWED
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.auth import COOKIE
from tests.conftest import drop_schemas
from tests.contracts.pair import Pair, running_pair
from tests.support.backend import Backend
from tests.support.enrolment import enrolled
from tests.support.filed import await_filed
from tests.support.people import CUSTOMER, browser, form_of, sign_in
from tests.support.waiting import until
from tests.support.wire import speaking_to

AGENT = ACCOUNTS[4]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def module_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_pair(tmp_path_factory.mktemp("pair") / "backend") as pair:
        yield pair


@pytest.fixture
def pair(module_pair: Pair) -> Pair:
    module_pair.sign_everybody_out()
    return module_pair


def received(pair: Pair, to: Backend) -> CaptureId:
    """Send a photo of an order, and return its id once it has its receipt."""
    receipt = pair.send(to).headers["Doorstep-Receipt"]
    return CaptureId(signing.unverified_payload(receipt)["capture_id"])


def shown(pair: Pair) -> list[str]:
    return [photo.capture_id for photo in pair.office.filing.photos_of(ALLOWED)]


def orders(session: requests.Session, at: Backend) -> requests.Response:
    return session.get(f"{at.base_url}{PREFIX}/orders", timeout=30, allow_redirects=False)


def test_session_of_one_instance_is_seen_by_the_other_and_outlives_both(pair: Pair) -> None:
    with browser(pair.one) as session:
        assert sign_in(session, pair.one.base_url, pair.two.base_url, CUSTOMER).status_code == 303
        assert [orders(session, at).status_code for at in (pair.one, pair.two)] == [200, 200]

        for one in (pair.one, pair.two):
            one.kill()
            one.start()

        assert [orders(session, at).status_code for at in (pair.one, pair.two)] == [200, 200]

        form = form_of(orders(session, pair.one))
        url = f"{pair.two.base_url}{PREFIX}/sign-out"
        cookie = session.cookies[COOKIE]
        session.post(url, data={"form": form}, timeout=30, allow_redirects=False)
        session.cookies.set(COOKIE, cookie)

        assert orders(session, pair.one).status_code == 303


@pytest.mark.usefixtures("module_pair")
def test_some_that_start_at_once_over_a_new_folder_are_one_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share a CA, a key of receipts and a fleet document: each says what the other signed."""
    monkeypatch.setenv(PER_FOLDER, "1")
    data = tmp_path / "new"
    instances = [Backend(data, switches=False, identity=True) for _ in range(3)]
    data.mkdir(mode=0o700)
    try:
        with ThreadPoolExecutor(3) as at_once:
            list(at_once.map(Backend.start, instances))
        vans = [enrolled(one, tmp_path, f"van-{number}") for number, one in enumerate(instances)]
        documents = set[str]()
        for one, van in product(instances, vans):
            with speaking_to(one.base_url, one.ca_file, van.files) as wire:
                documents.add(wire.get("/fleet").text)
    finally:
        for one in instances:
            one.kill()
        drop_schemas(data)

    assert len(documents) == 1
    assert signing.unverified_payload(documents.pop())["version"] == 1


def test_a_one_time_code_is_used_once_also_at_both_at_once(pair: Pair) -> None:
    access, ledger = pair.office.access, pair.office.ledger
    for _ in range(5):
        code = access.make_one_time_code(ALLOWED, datetime.now(UTC))
        ledger.execute("DELETE FROM grants")
        with browser(pair.one) as session:
            sign_in(session, pair.one.base_url, pair.one.base_url, AGENT)
            page = session.get(f"{pair.one.base_url}{PREFIX}/service", timeout=30)
            said = {"number": ALLOWED, "code": code, "why": "where", "form": form_of(page)}
            answers = at_both(pair, session, f"{PREFIX}/service", said)

        assert answers == [303, 403]


def at_both(pair: Pair, session: requests.Session, path: str, form: dict[str, str]) -> list[int]:
    """The statuses of a form that each instance is sent at once, in ascending order."""
    cookie = {"Cookie": f"{COOKIE}={session.cookies[COOKIE]}"}

    def give(at: Backend) -> int:
        with browser(at) as sending:
            url = f"{at.base_url}{path}"
            answer = sending.post(url, form, headers=cookie, timeout=30, allow_redirects=False)
            return answer.status_code

    with ThreadPoolExecutor(2) as both:
        return sorted(both.map(give, (pair.one, pair.two)))


def test_unfiled_record_of_a_dead_instance_is_filed_by_the_other(pair: Pair) -> None:
    """Once its turn is over; the receipt was given although nothing could be filed."""
    tries = "SELECT tries FROM unfiled"
    os.kill(pair.two.pid, signal.SIGSTOP)
    try:
        with pair.office.ledger.exclusive_transaction("van-7"):
            capture_id = received(pair, pair.one)
            until(lambda: pair.office.store.db.execute(tries).fetchall() == [(1,)])
            pair.one.kill()
        assert capture_id not in shown(pair)
    finally:
        os.kill(pair.two.pid, signal.SIGCONT)

    try:
        until(lambda: capture_id in shown(pair), within_s=30)
        await_filed(pair.two.data)
    finally:
        pair.one.start()

    assert shown(pair).count(capture_id) == 1
