"""What somebody who pulls is told, by real servers of devices."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.reports.pull import pulled
from tests.backend.reports.read import OF_ANOTHER, Report
from tests.support.authority import new_authority
from tests.support.served import Served, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as made:
        yield made


def asked(device: Served, address: str, client: str = "dispatch") -> Report | str:
    context = device.context(device.client(client))
    ((_, found),) = pulled([address], context)
    return found


def test_the_status_comes_with_what_is_wrong(device: Served) -> None:
    found = asked(device, device.url)

    assert isinstance(found, Report), found
    assert (found.device_id, found.needs[0]) == ("van-7", "capture_stopped")


@pytest.mark.parametrize(
    ("client", "words"),
    [("van-8", "answered 403: "), ("dispatch", "certificate")],
    ids=["not listed", "another name"],
)
def test_why_there_is_none_is_said(device: Served, client: str, words: str) -> None:
    host = "127.0.0.1" if client == "van-8" else "localhost"  # its certificate is for the address

    found = asked(device, f"https://{host}:{device.port}", client)

    assert isinstance(found, str)
    assert words in found


def test_nobody_there_and_another_fleet_are_told_apart(device: Served) -> None:
    context = ssl.create_default_context(cadata=new_authority().pem.decode())
    addresses = ["https://127.0.0.1:9", device.url]

    (_, nobody), (_, foreign) = pulled(addresses, context)

    assert "no answer" in str(nobody)
    assert "TLS failed" in str(foreign)


def test_what_one_device_says_of_another_is_not_believed(tmp_path: Path) -> None:
    """Each holds a certificate of its own name, and may say anything."""
    with served(tmp_path, device={"id": "van-9"}) as liar:  # its certificate is van-7's
        assert asked(liar, liar.url) == OF_ANOTHER
