"""Two instances over one PostgreSQL: what people do at one, the other knows."""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from agent.models import CaptureId, Kind
from agent.record import signing
from doorstep_backend.engines.opening import PER_FOLDER, URL
from doorstep_backend.office import demo
from doorstep_backend.office.demo import ACCOUNTS, ALLOWED, SIGNATURE
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Account, Accounts
from doorstep_backend.pages.door import COOKIE
from doorstep_backend.wire.store import Store
from tests.conftest import drop_schemas
from tests.support.backend import Backend
from tests.support.demo_office import PICTURE
from tests.support.enrolment import Enrolled, enrolled
from tests.support.factory import RecordMaker
from tests.support.filed import await_filed
from tests.support.people import CUSTOMER, browser, form_of, sign_in
from tests.support.postgres import running_postgres
from tests.support.waiting import until
from tests.support.wire import speaking_to

AGENT, DISPATCH = ACCOUNTS[4:6]

pytestmark = pytest.mark.slow


@dataclass
class Pair:
    """Two instances, and the office beside them."""

    one: Backend
    two: Backend
    office: Office
    van: RecordMaker = field(default_factory=lambda: RecordMaker("van-7"))

    def send(self, to: Backend, bound_by: str = "code") -> CaptureId:
        """A photo of an order; it has its receipt."""
        stop_id = self.office.orders.find(ALLOWED).stop_id
        stop = {"id": stop_id, "bound_by": bound_by, "ring": "near"}
        made = self.van.make(Kind.PHOTO, {"stop": stop, "simulated": True}, PICTURE)
        with speaking_to(to.base_url, to.ca_file) as wire:
            answer = wire.post(made.label.capture_id, made.content, made.content)
        assert "Doorstep-Receipt" in answer.headers
        return made.label.capture_id

    def shown(self) -> list[str]:
        return [photo.capture_id for photo in self.office.filing.photos_of(ALLOWED)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_postgres(fsync=False) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL, server.url)
        yield server.url


@pytest.fixture(scope="module")
def module_pair(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """They share the folder too, where keys and records are."""
    assert url
    data = tmp_path_factory.mktemp("pair") / "backend"
    instances = [Backend(data, switches=True, show_simulated=True) for _ in range(2)]
    try:
        for one in instances:
            one.start()
        office = open_office(Store(data), show_simulated=True)
        demo.settle(office)
        demo.send_out(office, "van-7", datetime.now(UTC))
        yield Pair(instances[0], instances[1], office)
    finally:
        for one in instances:
            one.kill()


@pytest.fixture
def pair(module_pair: Pair) -> Pair:
    """With accounts anew, and nobody signed in."""
    Accounts(module_pair.office.ledger).add_all([CUSTOMER, AGENT, DISPATCH])
    module_pair.office.ledger.execute("DELETE FROM sign_in_tries")
    return module_pair


def orders(session: requests.Session, at: Backend) -> requests.Response:
    return session.get(f"{at.base_url}{PREFIX}/orders", timeout=30, allow_redirects=False)


def test_who_signed_in_at_one_is_seen_by_the_other_and_outlives_both(pair: Pair) -> None:
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


@pytest.mark.usefixtures("url")
def test_some_that_start_at_once_over_a_new_folder_are_one_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One CA, one key of receipts, one fleet document: what one signed, the other's say too."""
    monkeypatch.setenv(PER_FOLDER, "1")
    data = tmp_path / "new"
    instances = [Backend(data, switches=False, identity=True) for _ in range(3)]
    data.mkdir(mode=0o700)
    try:
        with ThreadPoolExecutor(3) as at_once:
            list(at_once.map(Backend.start, instances))
        told = [enrolled(one, tmp_path, f"van-{number}") for number, one in enumerate(instances)]
        documents = {ask_fleet(one, van) for one in instances for van in told}
    finally:
        for one in instances:
            one.kill()
        drop_schemas(data)

    assert len(documents) == 1
    assert signing.claimed(documents.pop())["version"] == 1


def ask_fleet(at: Backend, van: Enrolled) -> str:
    with speaking_to(at.base_url, at.ca_file, van.files) as wire:
        return str(wire.session.get(f"{at.base_url}/fleet", timeout=30).text)


def test_a_photo_that_one_filed_is_seen_at_the_other(pair: Pair) -> None:
    capture_id = pair.send(pair.one)
    await_filed(pair.one.data)
    with browser(pair.one) as session:
        sign_in(session, pair.one.base_url, pair.one.base_url, CUSTOMER)
        page = session.get(f"{pair.one.base_url}{PREFIX}/orders/{ALLOWED}", timeout=30)
        found = re.findall(rf'src="({PREFIX}/photos/[^"]+)"', page.text)
        address = next(one for one in found if capture_id in one)

        photo = session.get(pair.two.base_url + address, timeout=60)

    assert (photo.status_code, photo.headers["Content-Type"]) == (200, "image/jpeg")


def test_the_limit_of_tries_counts_over_both(pair: Pair) -> None:
    wrong = Account("customer", CUSTOMER.who, "wrong")
    with browser(pair.one) as session:
        answers = [
            sign_in(session, pair.one.base_url, at.base_url, wrong).status_code
            for at in (pair.one, pair.two, pair.one, pair.two, pair.one, pair.two)
        ]
        right = sign_in(session, pair.one.base_url, pair.two.base_url, CUSTOMER)

    assert answers == [403] * 5 + [429]
    assert right.status_code == 429


def test_a_one_time_code_is_used_once_also_at_both_at_once(pair: Pair) -> None:
    access, ledger = pair.office.access, pair.office.ledger
    for _ in range(5):
        code = access.one_time_code(ALLOWED, datetime.now(UTC))
        ledger.execute("DELETE FROM grants")
        with browser(pair.one) as session:
            sign_in(session, pair.one.base_url, pair.one.base_url, AGENT)
            page = session.get(f"{pair.one.base_url}{PREFIX}/service", timeout=30)
            said = {"number": ALLOWED, "code": code, "why": "where", "form": form_of(page)}
            answers = at_both(pair, session, f"{PREFIX}/service", said, said)

        assert answers == [303, 403]


def test_of_two_dispatchers_who_bind_one_photo_at_once_the_second_one_is_refused(
    pair: Pair,
) -> None:
    orders = [{"number": number} for number in (ALLOWED, SIGNATURE)]
    for _ in range(5):
        photo = pair.send(pair.one, "ambiguous")
        await_filed(pair.one.data)
        with browser(pair.one, DISPATCH) as session:
            page = session.get(f"{pair.one.base_url}{PREFIX}/dispatch/{photo}", timeout=30)
            said = [one | {"form": form_of(page)} for one in orders]
            answers = at_both(pair, session, f"{PREFIX}/dispatch/{photo}/bind", *said)

        assert answers == [303, 409]


def at_both(pair: Pair, session: requests.Session, path: str, *said: dict[str, str]) -> list[int]:
    """The statuses of a form that each instance is sent at once, in ascending order."""
    cookie = {"Cookie": f"{COOKIE}={session.cookies[COOKIE]}"}

    def give(at: Backend, form: dict[str, str]) -> int:
        return requests.post(
            f"{at.base_url}{path}",
            data=form,
            headers=cookie,
            verify=str(at.ca_file),
            timeout=30,
            allow_redirects=False,
        ).status_code

    with ThreadPoolExecutor(2) as both:
        return sorted(both.map(give, (pair.one, pair.two), said))


def test_what_one_received_and_did_not_file_before_it_died_the_other_files(pair: Pair) -> None:
    """Once its turn is over; the receipt was given although nothing could be filed."""
    tries = "SELECT tries FROM unfiled"
    os.kill(pair.two.pid, signal.SIGSTOP)
    try:
        with pair.office.ledger.together("van-7"):
            capture_id = pair.send(pair.one)
            until(lambda: pair.office.store.db.execute(tries).fetchall() == [(1,)])
            pair.one.kill()
        assert capture_id not in pair.shown()
    finally:
        os.kill(pair.two.pid, signal.SIGCONT)

    try:
        until(lambda: capture_id in pair.shown(), within_s=30)
        await_filed(pair.two.data)
    finally:
        pair.one.start()

    assert pair.shown().count(capture_id) == 1
