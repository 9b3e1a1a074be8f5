"""Instances over one PostgreSQL whose own clocks differ: its clock dates what they share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from agent.models import from_rfc3339
from agent.record import signing
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Account
from tests.contracts.pair import Pair, running_pair
from tests.support.backend import Backend, run_to_end
from tests.support.device import environment
from tests.support.faketime import faked, following, put_ahead
from tests.support.people import CUSTOMER, browser, sign_in
from tests.support.waiting import until

pytestmark = pytest.mark.slow

AN_HOUR_S: Final = 3600.0

ROTATIONS: Final = 20


@pytest.fixture(scope="module")
def ahead_by(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that says how far the clock of the second instance is ahead (`put_ahead`)."""
    file = tmp_path_factory.mktemp("clock") / "ahead"
    put_ahead(file, 0.0)
    return file


@pytest.fixture(scope="module")
def module_pair(ahead_by: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    data = tmp_path_factory.mktemp("clocks") / "backend"
    with running_pair(data, **following(ahead_by)) as pair:
        yield pair


@pytest.fixture
def pair(module_pair: Pair, ahead_by: Path) -> Iterator[Pair]:
    module_pair.sign_everybody_out()
    yield module_pair
    put_ahead(ahead_by, 0.0)
    until(lambda: not module_pair.two.unready())


def is_signed_in(session: requests.Session, at: Backend) -> int:
    url = f"{at.base_url}{PREFIX}/orders"
    return session.get(url, timeout=30, allow_redirects=False).status_code


def test_an_instance_whose_clock_is_wrong_says_so_and_serves_once_it_is_right_again(
    pair: Pair, ahead_by: Path
) -> None:
    assert pair.send(pair.two).status_code == 201
    put_ahead(ahead_by, AN_HOUR_S)

    assert "3600.0 s ahead of that of the database" in until(pair.two.unready)
    refused = pair.send(pair.two)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert "s ahead of that of the database" in pair.two.log()
    assert (pair.one.unready(), pair.send(pair.one).status_code) == ("", 201)

    put_ahead(ahead_by, 0.0)

    until(lambda: not pair.two.unready())
    assert pair.send(pair.two).status_code == 201


@pytest.mark.parametrize(
    ("ahead_s", "words"), [(3600, ()), (-3600, ()), (40 * 86_400, ("expire",))]
)
def test_instance_does_not_start_with_a_wrong_clock_and_erases_nothing(
    pair: Pair, ahead_s: int, words: tuple[str, ...]
) -> None:
    receipt = pair.send(pair.one).headers["Doorstep-Receipt"]
    side = "ahead of" if ahead_s > 0 else "behind"

    with environment(**faked(f"{ahead_s:+}s")):
        ran = run_to_end(pair.one.data, *words)

    assert ran.returncode == 1
    told = f"the clock of this machine is {abs(ahead_s)}.0 s {side} that of the database"
    assert told in ran.stderr
    assert pair.office.store.received(signing.unverified_payload(receipt)["capture_id"])


def test_no_receipt_is_dated_after_the_end_of_its_key(pair: Pair, ahead_by: Path) -> None:
    """A key ends by the same clock that dates receipts: also where that of an instance is ahead by
    less than it is told for. A device would never believe such a receipt."""
    put_ahead(ahead_by, 0.8)
    documents = FleetDocuments(pair.one.data)
    signed: list[str] = []
    for _ in range(ROTATIONS):
        signed.append(pair.send(pair.two).headers["Doorstep-Receipt"])
        documents.rotate()

    ends = {
        signing.thumbprint(signing.from_jwk(one["jwk"])): one["until"]
        for one in documents.receipt_keys()
    }
    late = [
        one
        for one in signed
        if from_rfc3339(signing.unverified_payload(one)["received_at"])
        >= from_rfc3339(ends[signing.key_id(one)])
    ]
    assert not late


def test_an_instance_whose_clock_is_ahead_signs_nobody_out_and_gives_no_more_tries(
    pair: Pair, ahead_by: Path
) -> None:
    """At the end of sessions and of the limit there it would forget those of everybody."""
    wrong, at = Account("customer", CUSTOMER.who, "wrong"), pair.one.base_url
    with browser(pair.one, CUSTOMER) as session, browser(pair.one) as another:
        assert [sign_in(another, at, at, wrong).status_code for _ in range(5)] == [403] * 5
        form = another.get(f"{at}{PREFIX}/sign-in", timeout=30)
        put_ahead(ahead_by, AN_HOUR_S)
        said = {"who": wrong.who, "password": "guess", "form": form.text}
        guess = another.post(f"{pair.two.base_url}{PREFIX}/sign-in", data=said, timeout=30)

        assert [guess.status_code, is_signed_in(session, pair.two)] == [503, 503]
        assert is_signed_in(session, pair.one) == 200
        assert sign_in(another, at, at, CUSTOMER).status_code == 429
