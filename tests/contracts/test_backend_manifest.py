"""The manifest and what becomes of a photo, over real HTTPS against the real process."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.record import signing
from agent.rule.manifest import Manifest, read
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend, run_to_end, running_backend
from tests.support.demo_office import photo_of
from tests.support.engines import has
from tests.support.factory import Made, RecordMaker
from tests.support.filed import await_filed
from tests.support.wire import Wire, named, proven, speaking_to


@dataclass
class Site:
    """A running backend with the demo's route, which van-7 carries, and the office beside it."""

    backend: Backend
    office: Office
    wire: Wire
    device: RecordMaker

    def ask(self, device_id: str | None, **headers: str) -> Any:
        who = {} if device_id is None else named(device_id)
        url = f"{self.wire.base_url}/manifest"
        return self.wire.session.get(url, headers=who | headers, timeout=10)

    def manifest(self, device_id: str) -> Manifest:
        key = signing.read_public_key(self.backend.receipt_key_file)
        return read(self.ask(device_id).text, {signing.thumbprint(key): key}, device_id)

    def send(self, made: Made) -> Any:
        answer = self.wire.post(made.label.capture_id, made.content, made.content)
        await_filed(self.backend.data)
        return answer


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend"), show_simulated=True) as running:
        demo.settle(open_office(Store(running.data)))
        yield running


@pytest.fixture(scope="module")
def device() -> RecordMaker:
    """The device of all tests: the backend pins its key."""
    return RecordMaker("van-7")


@pytest.fixture
def site(backend: Backend, device: RecordMaker) -> Iterator[Site]:
    office = open_office(Store(backend.data))
    demo.send_out(office, "van-7", datetime.now(UTC))
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        yield Site(backend, office, wire, device)


def test_a_device_reads_its_route_with_the_receipt_key_it_has(site: Site) -> None:
    answer = site.ask("van-7")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/jose"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    stops = site.manifest("van-7").stops
    assert [stop.id for stop in stops] == [order.stop_id for order in demo.ORDERS]


def test_manifest_that_the_device_has_is_not_sent_again(site: Site) -> None:
    tag = site.ask("van-7").headers["ETag"]

    for given in (tag, f"W/{tag}", f'"other", {tag}'):
        again = site.ask("van-7", **{"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    for given in ('"other"', tag.strip('"'), ""):
        assert site.ask("van-7", **{"If-None-Match": given}).status_code == 200


@pytest.mark.parametrize("device_id", ["van-99", "../van-7", "van-7 OR 1=1", "x" * 4000])
def test_device_without_a_route_gets_404_with_the_reason(site: Site, device_id: str) -> None:
    answer = site.ask(device_id)

    assert answer.status_code == 404
    assert answer.text == "no route is assigned to this device today; ask dispatch\n"


@pytest.mark.parametrize(
    "credentials", [None, "Basic", "Basic !!", "Basic /w==", "Bearer dmFuLTc6", "x"]
)
def test_client_that_names_no_device_gets_no_manifest(site: Site, credentials: str | None) -> None:
    answer = site.ask(None, **({} if credentials is None else {"Authorization": credentials}))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_photo_of_an_opted_out_order_gets_its_receipt_and_is_gone(site: Site) -> None:
    """The device may delete its copy, HEAD says complete, the label still verifies."""
    made = photo_of(site.office, site.device, demo.OPTED_OUT, simulated=True)
    capture_id = made.label.capture_id

    answer = site.send(made)

    assert answer.status_code == 201
    receipt = proven(site.backend.receipt_key_file, answer.headers["Doorstep-Receipt"])
    assert receipt["sha256"] == hashlib.sha256(made.content).hexdigest()
    head = site.wire.head(capture_id)
    assert head.headers["Upload-Offset"] == head.headers["Upload-Length"]
    assert site.wire.receipts(capture_id).json()[capture_id] == {
        "receipt": answer.headers["Doorstep-Receipt"]
    }
    kept = Store(site.backend.data)
    assert kept.line(capture_id) == made.line
    assert not has(kept.received, capture_id)
    assert not has(kept.photo, capture_id)


@pytest.mark.slow
def test_the_offices_commands(tmp_path: Path) -> None:
    """Run one process each, as from a terminal or a timer."""
    demo.settle(open_office(Store(tmp_path)))
    FleetDocuments(tmp_path)  # and keys: without any it is nobody's folder

    def command(*words: str) -> str:
        ran = run_to_end(tmp_path, *words)
        return ran.stdout or f"{ran.returncode}: {ran.stderr}"

    assert "30 days after we received it" in command("kept")
    assert "nothing is erased" in command("hold", demo.ALLOWED, "CASE-7")
    assert open_office(Store(tmp_path)).erasure.holds()[0].case_number == "CASE-7"
    assert command("hold", demo.ALLOWED, "CASE-8").startswith("1: order 1001 is held for CASE-7")
    nothing = command("export-device", "van-7", str(tmp_path / "device.zip"))
    assert nothing == "1: nothing came from a device van-7\n"
    assert not (tmp_path / "device.zip").exists()
