"""The fleet document from the backend to a delivered record."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.command.sync import sync_loop
from agent.config import load
from agent.models import RecordState
from agent.process import control
from agent.process.offer_result import ACCEPTED
from agent.record import signing
from agent.record.signing import UNKNOWN_SIGNER
from agent.trust.store import TrustStore
from tests.support.device import Device, device
from tests.support.fleet_documents import FleetOffice, entry, identity
from tests.support.rawserver import RawServer, Request, raw_server, whole
from tests.support.sending import device_queue
from tests.support.tusscript import TusScript
from tests.support.waiting import until
from tests.unit.agent.command.inprocess import printed, run


@dataclass
class FleetRig:
    """A device with identity, and a server of the fleet whose receipts a key of it signs.

    Attributes:
        served: what is answered to GET /fleet.
    """

    device: Device
    server: RawServer
    office: FleetOffice
    tus: TusScript
    served: Callable[[], Iterable[bytes]] = field(default=lambda: whole(404))

    def answer(self, request: Request) -> Iterable[bytes]:
        return self.served() if request.path == "/fleet" else self.tus(request)

    def publish(self, document: str) -> None:
        """From now on this is the fleet document."""
        self.served = lambda: whole(200, document.encode(), ETag='"fleet-1"')

    def asked(self) -> list[Request]:
        """All that asked for the document."""
        return [request for request in self.server.requests if request.path == "/fleet"]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[FleetRig]:
    with raw_server(tmp_path) as server:
        office = FleetOffice(keys=(server.key,))
        tables = identity(tmp_path / "device", office, server)
        with device(tmp_path / "device", "", **tables) as made:
            fleet = FleetRig(made, server, office, TusScript(server))
            server.script = fleet.answer
            yield fleet


@contextmanager
def keeping(device: Device) -> Iterator[None]:
    """A capture that keeps each fleet document, whatever it is."""
    trust = TrustStore(device.layout)

    def answer(request: control.Line, _user: str) -> control.Line:
        if request.get("offer") != "fleet":
            return {}
        trust.keep_fleet((request["text"],))
        return ACCEPTED.reply()

    with control.serve(device.layout.capture_socket, answer):
        yield


def test_sync_without_a_document_says_why_it_delivers_nothing_and_goes_on(
    fleet: FleetRig, caplog: pytest.LogCaptureFixture
) -> None:
    van = fleet.device
    with device_queue(van.folder) as queue, sync_loop(load(van.config)) as loop:
        queue.press()
        for _ in range(2):
            loop.step()
        told, uploads = loop.status(), set(fleet.tus.asked) - {"GET /fleet"}
        fleet.publish(fleet.office.document(1))
        sent = loop.send_once(lambda _done, _total: None)

    assert (told["state"], told["hindrance"]) == ("paused", "no_fleet")
    assert told["pause"] == "not enrolled: no fleet document yet"
    assert uploads == set()
    assert (sent.delivered, sent.waiting) == (1, 0)
    assert caplog.text.count("event=not_delivering") == 1


def test_document_that_nobody_keeps_is_reported(
    fleet: FleetRig, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sync names the kept document to the backend, which answers the one that follows."""
    van, document = fleet.device, fleet.office.document(2)
    with device_queue(van.folder) as queue:
        queue.press()
    fleet.publish(document)
    run(van, "sync", "--once")
    alone = printed(capsys)
    with keeping(van):
        for _ in range(2):
            run(van, "sync", "--once")

    assert "capture does not run: the fleet document is not kept\n" in alone
    assert "not kept" not in printed(capsys)
    digest = hashlib.sha256(document.encode()).hexdigest()
    named = [one.headers.get("if-none-match") for one in fleet.asked()]
    assert named == [None, None, f'"{digest}"']


def test_a_receipt_by_an_unknown_key_has_the_document_asked_for_at_once(fleet: FleetRig) -> None:
    """And not at its turn in ten minutes."""
    van = fleet.device
    strange = fleet.office.document(1, receipt_keys=[entry(signing.new_key())])
    documents = [strange, fleet.office.document(2)]
    fleet.served = lambda: whole(200, documents.pop(0).encode()) if documents else whole(304)
    with device_queue(van.folder) as queue, sync_loop(load(van.config)) as loop:
        item = queue.press()
        loop.step()
        before = queue.state(item), len(fleet.asked())
        until(lambda: loop.step() and queue.state(item) == RecordState.DELIVERED)

    assert before == (RecordState.PENDING, 1)
    assert len(fleet.asked()) == 2


@pytest.mark.slow
def test_doctor_says_what_a_device_without_one_needs(
    fleet: FleetRig, capsys: pytest.CaptureFixture[str]
) -> None:
    van = fleet.device
    van.layout.make()
    run(van, "doctor")
    stopped = printed(capsys)
    said = {"fleet_refused": UNKNOWN_SIGNER, "manifest_refused": "it has ended"}
    with control.serve(van.layout.capture_socket, lambda *_: said):
        run(van, "doctor")
    refused = printed(capsys)
    with control.serve(van.layout.capture_socket, lambda *_: {"fleet": 8}):
        run(van, "doctor")

    for told in (stopped, refused):
        assert "FAILED  fleet          no fleet document yet: presses are refused" in told
        assert "`doorstep sync` fetches it" in told
    assert "FAILED  fleet          one was refused" in refused
    assert "check identity.fleet_key: ask the office for the fleet key in use" in refused
    assert "FAILED  manifest       one was refused" in refused
    assert "ok      fleet          version 8" in printed(capsys)
