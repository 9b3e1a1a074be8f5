"""The manifest and what becomes of a photo, over real HTTPS against the real process."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.models import Kind
from agent.record import signing
from agent.rule.manifest import Manifest, read
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.support.backend import REPOSITORY, Backend, running_backend
from tests.support.demo_office import PICTURE
from tests.support.engines import has
from tests.support.factory import Made, RecordMaker
from tests.support.filed import await_filed
from tests.support.wire import Wire, named, proven, speaking_to


@dataclass
class Site:
    """A running backend, the office beside it, and a van on the demo's route."""

    backend: Backend
    office: Office
    wire: Wire
    van: RecordMaker

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

    def photo(self, number: str, **changes: Any) -> Made:
        stop = {"id": self.office.orders.find(number).stop_id, "bound_by": "code", "ring": "near"}
        return self.van.make(Kind.PHOTO, {"stop": stop, "simulated": True, **changes}, PICTURE)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend"), show_simulated=True) as running:
        demo.settle(open_office(Store(running.data)))
        yield running


@pytest.fixture(scope="module")
def van() -> RecordMaker:
    """One for all tests: the backend pins its key."""
    return RecordMaker()


@pytest.fixture
def site(backend: Backend, van: RecordMaker) -> Iterator[Site]:
    backend.set_switches()
    office = open_office(Store(backend.data))
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        site = Site(backend, office, wire, van)
        demo.send_out(office, site.van.device_id, datetime.now(UTC))
        yield site


def test_a_device_reads_its_route_with_the_receipt_key_it_has(site: Site) -> None:
    answer = site.ask("van-7")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/jose"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    stops = site.manifest("van-7").stops
    assert [stop.id for stop in stops] == [order.stop_id for order in demo.ORDERS]


def test_what_the_device_has_is_not_sent_again(site: Site) -> None:
    tag = site.ask("van-7").headers["ETag"]

    for given in (tag, f"W/{tag}", f'"other", {tag}'):
        again = site.ask("van-7", **{"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    for given in ('"other"', tag.strip('"'), ""):
        assert site.ask("van-7", **{"If-None-Match": given}).status_code == 200


def test_a_change_makes_another_manifest(site: Site) -> None:
    before, tag = site.manifest("van-7"), site.ask("van-7").headers["ETag"]
    site.office.opt_out_order(demo.CHANGES_MIND, True)

    answer = site.ask("van-7", **{"If-None-Match": tag})
    site.office.opt_out_order(demo.CHANGES_MIND, False)

    assert answer.status_code == 200
    assert answer.headers["ETag"] != tag
    assert site.manifest("van-7").version > before.version


@pytest.mark.parametrize("device_id", ["van-99", "../van-7", "van-7 OR 1=1", "x" * 4000])
def test_a_device_without_a_route_is_told_so(site: Site, device_id: str) -> None:
    answer = site.ask(device_id)

    assert answer.status_code == 404
    assert answer.text == "no route is assigned to this device today; ask dispatch\n"


def test_who_names_no_device_gets_no_manifest(site: Site) -> None:
    answer = site.ask(None)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("credentials", ["Basic", "Basic !!", "Basic /w==", "Bearer dmFuLTc6", "x"])
def test_credentials_that_name_nobody_get_no_manifest(site: Site, credentials: str) -> None:
    assert site.ask(None, Authorization=credentials).status_code == 401


def test_a_swapped_device_gets_the_route_with_what_is_done(site: Site) -> None:
    """And the old one an empty manifest, so that its stops are wiped there."""
    site.send(site.photo(demo.ALLOWED))
    before = site.manifest("van-7")

    site.office.routes.assign(demo.ROUTE, "van-8")

    after = site.manifest("van-8")
    assert after.stops == before.stops
    assert after.stops[0].done
    assert site.manifest("van-7").stops == ()
    assert site.manifest("van-7").version > before.version


def test_a_photo_of_an_opted_out_order_gets_its_receipt_and_is_gone(site: Site) -> None:
    """The device may delete its copy, HEAD says complete, the label still verifies."""
    made = site.photo(demo.OPTED_OUT)

    answer = site.send(made)

    assert answer.status_code == 201
    capture_id = made.label.capture_id
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


def test_a_photo_that_came_is_on_its_order(site: Site) -> None:
    """Another process reads it: the office's commands work beside the running backend."""
    made = site.photo(demo.RIGHT_DOOR)

    site.send(made)

    office = open_office(Store(site.backend.data), show_simulated=True)
    (photo,) = office.filing.photos_of(demo.RIGHT_DOOR)
    assert photo.capture_id == made.label.capture_id
    assert photo.simulated


def test_a_lost_answer_files_the_record_once(site: Site) -> None:
    made = site.photo(demo.LEFT_DOOR, stop={"id": None, "bound_by": "unassigned"})
    site.backend.set_switches(lose_answer=True, times=1)
    with pytest.raises(OSError, match="Connection"):
        site.send(made)

    assert "receipt" in site.wire.receipts(made.label.capture_id).json()[made.label.capture_id]
    await_filed(site.backend.data)
    waiting = open_office(Store(site.backend.data), show_simulated=True).filing.waiting()
    assert [photo.capture_id for photo in waiting] == [made.label.capture_id]


def test_manifests_are_counted_and_can_be_faulty_like_all_device_requests(site: Site) -> None:
    site.backend.set_switches(status=503, times=1, methods=["GET"])

    assert site.ask("van-7").status_code == 503
    assert site.ask("van-7").status_code == 200
    assert site.backend.counts().by_method["GET /manifest"] >= 2


@pytest.mark.slow
def test_the_offices_commands(tmp_path: Path) -> None:
    """One process each, as from a terminal or a timer."""
    demo.settle(open_office(Store(tmp_path)))
    FleetDocuments(tmp_path)  # and keys: without any it is nobody's folder

    def command(*words: str) -> str:
        told = [sys.executable, "-m", "doorstep_backend", "--data", str(tmp_path), *words]
        ran = subprocess.run(told, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return ran.stdout or f"{ran.returncode}: {ran.stderr}"

    assert "30 days after we received it" in command("kept")
    assert "nothing is erased" in command("hold", demo.ALLOWED, "CASE-7")
    assert open_office(Store(tmp_path)).keeping.holds()[0].case_number == "CASE-7"
    assert command("hold", demo.ALLOWED, "CASE-8").startswith("1: order 1001 is held for CASE-7")
    assert "released" in command("release", demo.ALLOWED)
    assert "erased 0 records" in command("expire")
    assert "written" in command("export-order", demo.ALLOWED, str(tmp_path / "order.zip"))
    assert (tmp_path / "order.zip").exists()
    unknown = command("export-evidence", "7f6f2a0e-0c0d-4a52-8d3c-2f4a5b6c7d8e")
    assert unknown.startswith("1: no record of this id ever came")
    nothing = command("export-device", "van-7", str(tmp_path / "device.zip"))
    assert nothing == "1: nothing came from a device van-7\n"
    assert not (tmp_path / "device.zip").exists()
