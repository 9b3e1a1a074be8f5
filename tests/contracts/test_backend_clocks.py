"""Instances over one PostgreSQL whose own clocks differ: its clock dates what they share."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from agent.models import CaptureId, Kind, from_rfc3339
from agent.record import signing
from doorstep_backend.engines.opening import URL
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.office import demo
from doorstep_backend.office.demo import ACCOUNTS, ALLOWED
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Account, Accounts
from doorstep_backend.wire.store import Store
from tests.support.backend import REPOSITORY, Backend
from tests.support.demo_office import PICTURE
from tests.support.device import environment
from tests.support.factory import RecordMaker
from tests.support.faketime import faked, following, put_ahead
from tests.support.people import CUSTOMER, browser, sign_in
from tests.support.postgres import running_postgres
from tests.support.waiting import until
from tests.support.wire import speaking_to

pytestmark = pytest.mark.slow

AN_HOUR_S: Final = 3600.0

ROTATIONS: Final = 20


@dataclass
class Pair:
    """Two instances; the clock of one of them is as far ahead as `by` says.

    Attributes:
        by: a file with that (`put_ahead`).
    """

    right: Backend
    ahead: Backend
    by: Path
    office: Office
    van: RecordMaker

    def send(self, to: Backend) -> requests.Response:
        """A photo of an order."""
        stop = {"id": self.office.orders.find(ALLOWED).stop_id, "bound_by": "code", "ring": "near"}
        made = self.van.make(Kind.PHOTO, {"stop": stop, "simulated": True}, PICTURE)
        with speaking_to(to.base_url, to.ca_file) as wire:
            answer: requests.Response = wire.post(made.label.capture_id, made.content, made.content)
        return answer

    def ready(self, one: Backend) -> tuple[int, str]:
        answer = requests.get(f"{one.base_url}/readyz", verify=str(one.ca_file), timeout=30)
        return answer.status_code, answer.text


@pytest.fixture(scope="module")
def module_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("clocks")
    data, by = folder / "backend", folder / "ahead"
    put_ahead(by, 0.0)
    with running_postgres(fsync=False) as server, environment(**{URL: server.url}):
        right, ahead = (Backend(data, switches=True, show_simulated=True) for _ in range(2))
        try:
            right.start()
            with environment(**following(by)):
                ahead.start()
            office = open_office(Store(data), show_simulated=True)
            demo.settle(office)
            demo.send_out(office, "van-7", datetime.now(UTC))
            yield Pair(right, ahead, by, office, RecordMaker("van-7"))
        finally:
            for one in (right, ahead):
                one.kill()


@pytest.fixture
def pair(module_pair: Pair) -> Iterator[Pair]:
    Accounts(module_pair.office.ledger).add_all([CUSTOMER, ACCOUNTS[4]])
    module_pair.office.ledger.execute("DELETE FROM sign_in_tries")
    yield module_pair
    put_ahead(module_pair.by, 0.0)
    until(lambda: module_pair.ready(module_pair.ahead)[0] == 200)


def is_signed_in(session: requests.Session, at: Backend) -> int:
    url = f"{at.base_url}{PREFIX}/orders"
    return session.get(url, timeout=30, allow_redirects=False).status_code


def test_an_instance_whose_clock_is_wrong_says_so_and_serves_once_it_is_right_again(
    pair: Pair,
) -> None:
    assert pair.send(pair.ahead).status_code == 201
    put_ahead(pair.by, AN_HOUR_S)

    until(lambda: pair.ready(pair.ahead)[0] == 503)
    assert "3600.0 s ahead of that of the database" in pair.ready(pair.ahead)[1]
    refused = pair.send(pair.ahead)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert "s ahead of that of the database" in (pair.ahead.data / "backend.log").read_text()
    assert (pair.ready(pair.right)[0], pair.send(pair.right).status_code) == (200, 201)

    put_ahead(pair.by, 0.0)

    until(lambda: pair.ready(pair.ahead)[0] == 200)
    assert pair.send(pair.ahead).status_code == 201


@pytest.mark.parametrize("when", ["+3600s", "-3600s"])
def test_an_instance_whose_clock_is_wrong_does_not_start(pair: Pair, when: str) -> None:
    side = "ahead of" if when.startswith("+") else "behind"

    with environment(**faked(when)):
        code, said = command(pair)

    assert code == 1
    assert f"the clock of this machine is 3600.0 s {side} that of the database" in said


def test_no_receipt_is_dated_after_the_end_of_its_key(pair: Pair) -> None:
    """A key ends by the same clock that dates receipts: also where that of an instance is ahead by
    less than it is told for. A device would never believe such a receipt."""
    put_ahead(pair.by, 0.8)
    documents = FleetDocuments(pair.right.data)
    signed: list[str] = []
    for _ in range(ROTATIONS):
        signed.append(pair.send(pair.ahead).headers["Doorstep-Receipt"])
        documents.rotate()

    ends = {
        signing.thumbprint(signing.from_jwk(one["jwk"])): one["until"]
        for one in documents.receipt_keys()
    }
    late = [
        one
        for one in signed
        if from_rfc3339(signing.claimed(one)["received_at"])
        >= from_rfc3339(ends[signing.key_id(one)])
    ]
    assert not late


def test_an_instance_whose_clock_is_ahead_signs_nobody_out(pair: Pair) -> None:
    with browser(pair.right, CUSTOMER) as session, browser(pair.right) as another:
        put_ahead(pair.by, AN_HOUR_S)
        assert is_signed_in(session, pair.ahead) == 503
        another.get(f"{pair.ahead.base_url}{PREFIX}/sign-in", timeout=30)

        assert is_signed_in(session, pair.right) == 200


def test_an_instance_whose_clock_is_ahead_gives_no_more_tries(pair: Pair) -> None:
    """At the limit's end there it would forget those of everybody."""
    wrong = Account("customer", CUSTOMER.who, "wrong")
    with browser(pair.right) as session:
        at = pair.right.base_url
        assert [sign_in(session, at, at, wrong).status_code for _ in range(5)] == [403] * 5
        form = session.get(f"{at}{PREFIX}/sign-in", timeout=30)
        put_ahead(pair.by, AN_HOUR_S)
        said = {"who": wrong.who, "password": "guess", "form": form.text}
        guess = session.post(f"{pair.ahead.base_url}{PREFIX}/sign-in", data=said, timeout=30)

        assert guess.status_code == 503
        assert sign_in(session, at, at, CUSTOMER).status_code == 429


def test_nothing_is_erased_by_a_clock_that_is_ahead(pair: Pair) -> None:
    answer = pair.send(pair.right)
    capture_id = CaptureId(signing.claimed(answer.headers["Doorstep-Receipt"])["capture_id"])

    with environment(**faked(f"+{timedelta(days=40).total_seconds():.0f}s")):
        code, said = command(pair, "expire")

    assert (code, "ahead of that of the database" in said) == (1, True)
    assert pair.office.store.received(capture_id)


def command(pair: Pair, *words: str) -> tuple[int, str]:
    """How a start of another instance, or a command beside both, ends."""
    told = [sys.executable, "-m", "doorstep_backend", "--data", str(pair.right.data), *words]
    ran = subprocess.run(
        told, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    return ran.returncode, ran.stderr
