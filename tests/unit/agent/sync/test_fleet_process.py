"""The fleet document from the backend to a delivered record, with real processes."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.capture.gestures import ONE_PRESS_S
from agent.models import State
from agent.process import control
from agent.record import signing
from agent.record.signing import UNKNOWN_SIGNER
from tests.support.device import Device, device
from tests.support.fleet_documents import FleetOffice, entry, identity
from tests.support.rawserver import RawServer, Request, raw_server, whole
from tests.support.tusscript import TusScript

pytestmark = pytest.mark.slow


@dataclass
class Fleet:
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

    def status(self, process: str) -> dict[str, object]:
        told = self.device.ask(process, {"status": True})
        assert told is not None
        return told

    def states(self) -> list[str]:
        return [row["state"] for row in self.device.queue()]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with raw_server(tmp_path) as server:
        office = FleetOffice(keys=(server.key,))
        tables = identity(tmp_path / "device", office, server)
        with device(tmp_path / "device", "", **tables) as van:
            made = Fleet(van, server, office, TusScript(server))
            server.script = made.answer
            yield made


def test_from_not_enrolled_to_delivered(fleet: Fleet) -> None:
    """Press, refusal, fetch, delivery: nothing is lost, and nothing is needed but the document."""
    van = fleet.device
    van.start("capture")
    before = van.press()["record"]["reason"]
    once = van.run("sync", "--once")
    not_yet = fleet.states()
    fleet.publish(fleet.office.document(3))
    later = van.run("sync", "--once")
    time.sleep(ONE_PRESS_S)  # both runs of sync may be over before a press is one of its own
    photo = van.press()
    told = fleet.status("capture")

    assert before == "not_enrolled"
    assert once.returncode == 75
    assert "paused: not enrolled: no fleet document yet" in once.stdout
    assert set(not_yet) == {State.PENDING}
    assert later.returncode == 0, later.stdout + later.stderr
    assert told["fleet"] == 3
    assert "photo" in photo["record"]
    assert fleet.states()[:-1] == [State.DELIVERED] * len(not_yet)
    assert all("authorization" not in one.headers for one in fleet.asked())


def test_a_running_sync_says_why_it_delivers_nothing_and_goes_on(fleet: Fleet) -> None:
    van = fleet.device
    van.start("capture")
    van.press()
    van.start("sync")
    van.await_that(lambda: fleet.status("sync")["pause"] is not None)
    told = fleet.status("sync")
    uploads = len([one for one in fleet.server.requests if one.path.startswith("/files")])
    words = van.run("status").stdout
    fleet.publish(fleet.office.document(1))
    van.run("sync", "--once")

    assert told["state"] == "paused"
    assert told["pause"] == "not enrolled: no fleet document yet"
    assert told["hindrance"] == "no_fleet"
    assert uploads == 0
    assert "fleet     none yet: presses are refused" in words
    assert set(fleet.states()) == {State.DELIVERED}
    assert van.log("sync").count("event=not_delivering") == 1


def test_a_document_that_nobody_keeps_is_told(fleet: Fleet) -> None:
    """What capture has kept is named to the backend, which says what follows from that."""
    van, document = fleet.device, fleet.office.document(2)
    van.start("capture")
    van.press()
    van.stop("capture")
    fleet.publish(document)
    once = van.run("sync", "--once")
    van.start("sync")
    by_daemon = van.run("sync", "--once")
    van.start("capture")
    van.await_that(lambda: fleet.status("capture")["fleet"] == 2)
    kept = van.run("sync", "--once")

    for told in (once, by_daemon):
        assert "capture does not run: the fleet document is not kept\n" in told.stdout
    assert "not kept" not in kept.stdout
    digest = hashlib.sha256(document.encode()).hexdigest()
    named = [one.headers.get("if-none-match") for one in fleet.asked()]
    assert (named[0], named[-1]) == (None, f'"{digest}"')


def test_a_receipt_by_an_unknown_key_has_the_document_asked_for_at_once(fleet: Fleet) -> None:
    """And not at its turn in ten minutes."""
    van = fleet.device
    strange = fleet.office.document(1, receipt_keys=[entry(signing.new_key())])
    documents = [strange, fleet.office.document(2)]
    fleet.served = lambda: whole(200, documents.pop(0).encode()) if documents else whole(304)
    van.start("capture")
    van.start("sync")
    van.await_that(lambda: set(fleet.states()) == {State.DELIVERED})

    assert fleet.status("capture")["fleet"] == 2
    assert len(fleet.asked()) == 2


def test_doctor_says_what_a_device_without_one_needs(fleet: Fleet) -> None:
    van = fleet.device
    van.layout.make()
    said = {"fleet_refused": UNKNOWN_SIGNER, "manifest_refused": "it has ended"}
    stopped = van.run("doctor").stdout
    with control.serve(van.layout.capture_socket, lambda *_: said):
        refused = van.run("doctor").stdout
    with control.serve(van.layout.capture_socket, lambda *_: {"fleet": 8}):
        good = van.run("doctor").stdout

    for told in (stopped, refused):
        assert "FAILED  fleet          no fleet document yet: presses are refused" in told
        assert "`doorstep sync` fetches it" in told
    assert "FAILED  fleet          one was refused" in refused
    assert "check identity.fleet_key: ask the office for the fleet key in use" in refused
    assert "FAILED  manifest       one was refused" in refused
    assert "ok      fleet          version 8" in good
