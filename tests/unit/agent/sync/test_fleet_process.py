"""The fleet document from the backend to a delivered record, with real processes."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.capture.gestures import ONE_PRESS_S
from agent.models import State
from agent.process import control
from agent.record import signing
from agent.record.signing import UNKNOWN_SIGNER
from agent.trust.store import TrustStore
from doorstep_backend import keys
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles
from tests.support.device import Device, device
from tests.support.fleet_documents import FleetOffice, entry, identity
from tests.support.rawserver import RawServer, Request, head, raw_server, whole
from tests.support.tusscript import TusScript

pytestmark = pytest.mark.slow

TAG = '"fleet-1"'


@dataclass
class Town:
    """A device with identity, and a server of the fleet whose receipts a key of it signs.

    Attributes:
        fleet: what is answered to GET /fleet.
    """

    device: Device
    server: RawServer
    office: FleetOffice
    tus: TusScript
    fleet: Callable[[Request], Iterable[bytes]] = field(default=lambda _: whole(404))

    def answer(self, request: Request) -> Iterable[bytes]:
        match request.path:
            case "/fleet":
                return self.fleet(request)
            case "/manifest":
                return whole(404)
        return self.tus(request)

    def publish(self, document: str, tag: str = TAG) -> None:
        """From now on this is the fleet document."""

        def answer(request: Request) -> Iterable[bytes]:
            if request.headers.get("if-none-match") == tag:
                return [head(304, ETag=tag)]
            return whole(200, document.encode(), ETag=tag)

        self.fleet = answer

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.server.requests if request.path == path]

    def status(self, process: str) -> dict[str, object]:
        told = self.device.ask(process, {"status": True})
        assert told is not None
        return told

    def states(self) -> list[str]:
        return [row["state"] for row in self.device.queue()]

    def refused_press(self) -> str:
        return str(self.device.press()["record"]["reason"])


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with raw_server(tmp_path) as server, in_town(tmp_path, server) as made:
        yield made


@contextmanager
def in_town(folder: Path, server: RawServer, office: FleetOffice | None = None) -> Iterator[Town]:
    office = office or FleetOffice(keys=(server.key,))
    tables = identity(folder / "device", office, server)
    with device(folder / "device", "", **tables) as van:
        made = Town(van, server, office, TusScript(server))
        server.script = made.answer
        yield made


def test_from_not_enrolled_to_delivered(town: Town) -> None:
    """Press, refusal, fetch, delivery: nothing is lost, and nothing is needed but the document."""
    van = town.device
    van.start("capture")
    before = town.refused_press()
    once = van.run("sync", "--once")
    not_yet = town.states()
    town.publish(town.office.document(3))
    later = van.run("sync", "--once")
    time.sleep(ONE_PRESS_S)  # both runs of sync may be over before a press is one of its own
    photo = van.press()
    told = town.status("capture")

    assert before == "not_enrolled"
    assert once.returncode == 75
    assert "paused: not enrolled: no fleet document yet" in once.stdout
    assert set(not_yet) == {State.PENDING}
    assert later.returncode == 0, later.stdout + later.stderr
    assert told["fleet"] == 3
    assert "photo" in photo["record"]
    assert town.states()[:-1] == [State.DELIVERED] * len(not_yet)
    assert all("authorization" not in one.headers for one in town.asked("/fleet"))


def test_a_running_sync_says_why_it_delivers_nothing_and_goes_on(town: Town) -> None:
    van = town.device
    van.start("capture")
    van.press()
    van.start("sync")
    van.await_that(lambda: town.status("sync")["pause"] is not None)
    told = town.status("sync")
    uploads = len([one for one in town.server.requests if one.path.startswith("/files")])
    words = van.run("status").stdout
    town.publish(town.office.document(1))
    van.run("sync", "--once")

    assert told["state"] == "paused"
    assert told["pause"] == "not enrolled: no fleet document yet"
    assert told["hindrance"] == "no_fleet"
    assert uploads == 0
    assert "fleet     none yet: presses are refused" in words
    assert set(town.states()) == {State.DELIVERED}
    assert van.log("sync").count("event=not_delivering") == 1


def test_while_capture_is_down_sync_delivers_by_its_own_copy_and_offers_it_afterwards(
    town: Town,
) -> None:
    van = town.device
    van.start("capture")
    van.press()
    van.stop("capture")
    town.publish(town.office.document(2))
    van.start("sync")
    van.await_that(lambda: set(town.states()) == {State.DELIVERED})
    kept = TrustStore(van.layout).fleet()
    van.start("capture")
    van.await_that(lambda: town.status("capture")["fleet"] == 2)

    assert kept == ()
    assert len(town.asked("/fleet")) == 1


def test_a_document_that_nobody_keeps_is_told(town: Town) -> None:
    van = town.device
    van.start("capture")
    van.press()
    van.stop("capture")
    town.publish(town.office.document(2))
    once = van.run("sync", "--once")
    van.start("sync")
    by_daemon = van.run("sync", "--once")
    van.start("capture")
    van.await_that(lambda: town.status("capture")["fleet"] == 2)
    kept = van.run("sync", "--once")

    for told in (once, by_daemon):
        assert "capture does not run: the fleet document is not kept\n" in told.stdout
    assert "not kept" not in kept.stdout


def test_a_receipt_by_an_unknown_key_has_the_document_asked_for_at_once(town: Town) -> None:
    """And not at its turn in ten minutes."""
    van = town.device
    strange = town.office.document(1, receipt_keys=[entry(signing.new_key())])
    documents = [strange, town.office.document(2)]
    town.fleet = lambda _: whole(200, documents.pop(0).encode()) if documents else whole(304)
    van.start("capture")
    van.start("sync")
    van.await_that(lambda: set(town.states()) == {State.DELIVERED})

    assert town.status("capture")["fleet"] == 2
    assert len(town.asked("/fleet")) == 2


def test_a_sync_that_starts_after_the_fleet_key_changed_is_led_to_the_newest_document(
    tmp_path: Path,
) -> None:
    """The device was switched off meanwhile: what lies in `trust/` is all that it knows."""
    folder = tmp_path / "office"
    folder.mkdir()
    documents = FleetDocuments(folder)

    def served(asked: Request) -> Iterable[bytes]:
        found = FleetDocuments(folder).served(asked.headers.get("if-none-match"))
        return whole(200, found.encode())

    with raw_server(tmp_path) as server:
        keys.put_key(KeyFiles(folder).signs, server.key)
        documents.settle()
        with in_town(tmp_path, server, FleetOffice(documents.fleet_key())) as town:
            town.fleet = served
            van = town.device
            van.start("capture")
            van.run("sync", "--once")
            before = town.status("capture")["fleet"]
            documents.rotate_fleet_key()
            documents.publish()
            asked = len(town.asked("/fleet"))
            for _ in range(2):
                van.run("sync", "--once")
            after = town.status("capture")["fleet"]

    assert (before, after) == (1, 3)
    assert len(town.asked("/fleet")) == asked + 2


def test_doctor_says_what_a_device_without_one_needs(town: Town) -> None:
    van = town.device
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
