"""Documents that are offered: who may, what is answered, what a device without one does."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.command.capture import exit_code
from agent.command.capture_process import answer
from agent.errors import ExitCode
from agent.models import RecordKind
from agent.record import signing
from agent.trust.store import TrustStore
from hardware.clock import ClockSource
from hardware.indicator import Signal
from tests.support.benchtop import Bench, Parts, bench
from tests.support.card import full
from tests.support.factory import small_disk
from tests.support.fleet import ALLOWED, NOON, reason, stored
from tests.support.fleet_documents import FleetOffice, entry, identity, kid
from tests.support.roads import KEY, payload_of, signed

ROUTE = signed(payload_of(ALLOWED))


@pytest.fixture
def office() -> FleetOffice:
    return FleetOffice()


@pytest.fixture
def device(tmp_path: Path, office: FleetOffice) -> Iterator[Bench]:
    with fleet_member(tmp_path, office) as opened:
        yield opened


@contextmanager
def fleet_member(folder: Path, office: FleetOffice, manifest: str = "required") -> Iterator[Bench]:
    """A device with identity, standing at HOME at noon."""
    tables = identity(folder, office) | {"policy": {"manifest": manifest}}
    parts = Parts(witness=ClockSource.UNSYNCED)
    with bench(folder, parts, device={"id": "dev-1"}, **tables) as device:
        device.hear_time(NOON)
        device.tick()
        yield device


def offer(device: Bench, kind: str, text: object) -> dict[str, Any]:
    """Through what the socket calls."""
    return answer(device.loop, {"offer": kind, "text": text}, "sync")


# Before there is one


@pytest.mark.parametrize("manifest", ["required", "off"])
def test_press_is_refused_with_a_record_without_a_fleet_document(
    tmp_path: Path, office: FleetOffice, manifest: str, caplog: pytest.LogCaptureFixture
) -> None:
    with fleet_member(tmp_path, office, manifest) as device:
        reply = device.press()
        device.tick(120.0)
        told = device.loop.status()

        assert reason(reply) == "not_enrolled"
        assert reply["record"]["manifest"] == ("off" if manifest == "off" else "none")
        assert exit_code(reply) == ExitCode.FAULT
        assert Signal.FAULT in device.parts.light.shown
        assert device.parts.light.shown[-1] is Signal.NOT_READY
        assert device.parts.camera.starts == 0
        assert len(device.rows("no_photo")) == 1
        assert (told["ready"], told["fleet"], told["fleet_refused"]) == (False, None, None)
    assert caplog.text.count("event=not_enrolled") == 1


def test_hand_over_is_refused_without_a_fleet_document(tmp_path: Path, office: FleetOffice) -> None:
    with fleet_member(tmp_path, office) as device:
        assert reason(device.hand_over()) == "not_enrolled"


def test_chain_start_and_time_are_written_without_one(device: Bench) -> None:
    assert {row.kind for row in device.rows()} == {RecordKind.CHAIN_START, RecordKind.TIME}


def test_capture_continues_when_the_document_comes(device: Bench, office: FleetOffice) -> None:
    device.press()
    taken = offer(device, "fleet", office.document(4)), offer(device, "manifest", ROUTE)
    device.tick()
    reply = device.press()
    told = device.loop.status()

    assert taken == ({"taken": True}, {"taken": True})
    assert "photo" in reply["record"]
    assert (told["fleet"], told["fleet_refused"], told["ready"]) == (4, None, True)


def test_a_manifest_is_judged_before_the_first_turn(tmp_path: Path, office: FleetOffice) -> None:
    """Sync offers it as soon as it is asked, which may be the first moment of a boot."""
    with fleet_member(tmp_path, office) as device:
        offer(device, "fleet", office.document(4))
    tables = identity(tmp_path, office) | {"policy": {"manifest": "required"}}
    parts = Parts(witness=ClockSource.UNSYNCED)
    with bench(tmp_path, parts, device={"id": "dev-1"}, **tables) as device:
        taken = offer(device, "manifest", ROUTE)

        assert (taken, device.loop.status()["manifest_refused"]) == ({"taken": True}, None)


def test_a_document_put_there_while_it_runs_is_found(device: Bench, office: FleetOffice) -> None:
    """Also after an invalid document, which is reported."""
    TrustStore(device.layout).keep_fleet((FleetOffice().document(3),))
    device.tick()
    refused = device.loop.status()
    TrustStore(device.layout).keep_fleet((office.document(2),))
    device.tick()
    told = device.loop.status()

    assert (refused["fleet"], refused["fleet_refused"]) == (None, signing.UNKNOWN_SIGNER)
    assert (told["fleet"], told["fleet_refused"]) == (2, None)


def test_unreadable_fleet_key_ends_no_process_and_is_reported(
    device: Bench, tmp_path: Path, office: FleetOffice
) -> None:
    key_file = tmp_path / "fleet-key.pem"
    content = key_file.read_bytes()
    key_file.write_bytes(b"")
    refused = offer(device, "fleet", office.document())
    told = device.loop.status()["fleet_refused"]
    before = reason(device.press())
    key_file.write_bytes(content)

    assert refused["taken"] is False
    assert "fleet-key.pem is not usable; put the fleet's public key there, PEM" in told
    assert before == "not_enrolled"
    assert offer(device, "fleet", office.document()) == {"taken": True}


# What changes nothing


def test_invalid_document_changes_nothing_and_the_reason_is_reported(
    device: Bench, office: FleetOffice, caplog: pytest.LogCaptureFixture
) -> None:
    offer(device, "fleet", office.document(5))
    offer(device, "manifest", ROUTE)
    kept = TrustStore(device.layout).fleet()

    for text, why in (
        (office.document(4), "version 4 is not newer than 5"),
        (FleetOffice().document(6), "not trusted here"),
        (office.document(6, recipients=[]), "names no recipients"),
    ):
        refused = offer(device, "fleet", text)
        told = device.loop.status()

        assert (refused["taken"], refused["again"]) == (False, True)
        assert why in refused["why"]
        assert (told["fleet"], told["fleet_refused"]) == (5, refused["why"])
        assert TrustStore(device.layout).fleet() == kept
    assert "photo" in device.press()["record"]
    assert caplog.text.count("event=fleet_refused") == 3


def test_the_same_one_again_is_no_news(
    tmp_path: Path, office: FleetOffice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with fleet_member(tmp_path, office) as device:
        document = office.document(5)
        taken = [offer(device, "fleet", document) for _ in range(3)]

    assert taken == [{"taken": True}] * 3
    assert caplog.text.count("event=fleet_taken") == 1


@pytest.mark.parametrize("spoilt", [b"\xff\x00\xff", b"", b"e30.e30.AAAA"])
@pytest.mark.parametrize("restarts", [False, True], ids=["runs on", "starts again"])
def test_corrupt_file_lets_no_older_document_in(
    tmp_path: Path, office: FleetOffice, spoilt: bytes, *, restarts: bool
) -> None:
    """A process that offers old documents after a card error must not bring a revoked key back."""
    with ExitStack() as running:
        device = running.enter_context(fleet_member(tmp_path, office))
        newest = office.document(5)
        offer(device, "fleet", newest)
        (device.layout.trust / "fleet.jws").write_bytes(spoilt)
        if restarts:
            running.close()
            device = running.enter_context(fleet_member(tmp_path, office))
        refused = offer(device, "fleet", office.document(4))
        healed = offer(device, "fleet", newest)

        assert (refused["taken"], healed) == (False, {"taken": True})
        assert "version 4 is older than 5" in refused["why"]
        assert TrustStore(device.layout).fleet() == (newest,)


@pytest.mark.slow
def test_document_that_cannot_be_written_does_not_count(
    tmp_path: Path, office: FleetOffice
) -> None:
    """Otherwise it would be forgotten at the next start, and an older one taken in again."""
    with small_disk(tmp_path) as card, fleet_member(card / "device", office) as device:
        offer(device, "fleet", office.document(5))
        with full(card):
            refused = offer(device, "fleet", office.document(6))
        told = device.loop.status()

        assert (refused["taken"], refused["again"]) == (False, True)
        assert told["fleet"] == 5
        assert offer(device, "fleet", office.document(6)) == {"taken": True}


def test_another_fleet_key_starts_again_at_any_version(tmp_path: Path) -> None:
    """Root gave it; the version that was kept is of another fleet's documents."""
    office, other = FleetOffice(), FleetOffice()
    with fleet_member(tmp_path, office) as device:
        offer(device, "fleet", office.document(5))
    with fleet_member(tmp_path, other) as device:
        taken = offer(device, "fleet", other.document(1))
        device.tick()

        assert taken == {"taken": True}
        assert device.loop.status()["fleet"] == 1


# Keys that change


def test_a_manifest_counts_by_the_keys_of_the_document(device: Bench, office: FleetOffice) -> None:
    other = signing.new_key()
    offer(device, "fleet", office.document(1, manifest_keys=[entry(other)]))
    by_unknown = offer(device, "manifest", ROUTE)
    by_known = offer(device, "manifest", signed(payload_of(ALLOWED), key=other))

    assert by_unknown["why"] == "signed by a key that is not trusted here"
    assert by_unknown["again"]
    assert by_known == {"taken": True}


def test_a_manifest_by_a_revoked_key_is_wiped_at_once(device: Bench, office: FleetOffice) -> None:
    other = signing.new_key()
    offer(device, "fleet", office.document(1))
    offer(device, "manifest", ROUTE)
    keys = [entry(KEY), entry(other)]
    revoked = [{"kid": kid(KEY), "since": "2026-12-01T00:00:00Z"}]
    listed = {"receipt_keys": keys, "manifest_keys": keys, "revoked": revoked}
    offer(device, "fleet", office.document(2, **listed))
    device.tick()

    assert stored(device.layout).token is None
    assert reason(device.press()) == "manifest_expired"


@pytest.mark.parametrize(
    ("until", "taken"), [("2026-12-01T06:00:01Z", True), ("2026-12-01T06:00:00Z", False)]
)
def test_a_retired_key_signs_the_routes_that_began_before_its_end(
    device: Bench, office: FleetOffice, until: str, *, taken: bool
) -> None:
    keys = [entry(KEY, until), entry(signing.new_key())]
    offer(device, "fleet", office.document(1, manifest_keys=keys))

    assert offer(device, "manifest", ROUTE)["taken"] is taken


def test_room_is_made_by_the_keys_of_a_document_that_came_meanwhile(
    device: Bench, office: FleetOffice, caplog: pytest.LogCaptureFixture
) -> None:
    """Capture needs no restart for it; and without any keys nothing is deleted."""
    other = signing.new_key()
    for _ in range(2):
        device.press()
    first = device.rows("no_photo")[0]
    file = device.layout.record(first.capture_id)
    housekeeping = device.loop._housekeeping  # noqa: SLF001 - what a press asks for room
    housekeeping._reserve_bytes = 10**15  # noqa: SLF001 - no disk is as big

    there = []
    for document in (None, office.document(1, receipt_keys=[entry(KEY), entry(other)])):
        if document is not None:
            offer(device, "fleet", document)
            device.deliver([first], other)
        housekeeping.has_room()
        there.append(file.exists())

    assert there == [True, False]
    assert caplog.text.count("event=no_room_made") == 1


# The socket


@pytest.mark.parametrize(
    "request_",
    [
        {"offer": "manifest"},
        {"offer": "manifest", "text": 5},
        {"offer": "manifest", "text": None},
        {"offer": "photo", "text": "x"},
        {"offer": ["fleet"], "text": "x"},
        {"request": "photo"},
        {"request": "serve"},
        {"offer": "serve", "request": "x"},
        {"offer": "serve.csr", "text": "x"},
    ],
)
def test_invalid_offer_is_reported_as_an_error(device: Bench, request_: dict[str, Any]) -> None:
    told = answer(device.loop, request_, "sync")

    assert told["exit"] == ExitCode.USAGE
    assert (
        '{"offer": "manifest"|"fleet"|"evidence"|"serve"|"receipts", "text": "..."}'
        in told["error"]
    )


def test_evidence_is_asked_for_and_judged_through_the_socket(device: Bench) -> None:
    asked = answer(device.loop, {"request": "evidence"}, "sync")
    told = answer(device.loop, {"offer": "evidence", "text": "x"}, "sync")

    assert asked["request"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert (told["taken"], told["again"]) == (False, False)
    assert "no certificates in it" in told["why"]


def test_serves_certificate_comes_through_the_socket_and_its_request_never(device: Bench) -> None:
    """Otherwise a user who may speak to the socket could replace it by one for their own key."""
    told = answer(device.loop, {"offer": "serve", "text": "x"}, "sync")
    status = device.loop.status()

    assert TrustStore(device.layout).request("serve") is None
    assert (told["taken"], told["again"]) == (False, False)
    assert "none was asked for" in told["why"]
    assert status["serve_until"] is None


def test_document_of_a_disabled_setting_is_not_taken(tmp_path: Path) -> None:
    """And it need not be fetched again."""
    with bench(tmp_path) as device:
        told = [offer(device, kind, "x.y.z") for kind in ("fleet", "manifest")]

    assert [one["again"] for one in told] == [False, False]
    assert "identity.mode is off" in told[0]["why"]
    assert "policy.manifest is off" in told[1]["why"]


def test_offers_without_end_are_looked_at_four_times_a_second_at_most(
    tmp_path: Path, office: FleetOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds the interpreter for a while, and a press must not wait for that."""
    monkeypatch.setattr("agent.capture.turns.REST_S", 0.25)
    with fleet_member(tmp_path, office) as device:
        offer(device, "fleet", "x")
        began_s = time.monotonic()
        clients = [
            threading.Thread(target=offer, args=(device, "manifest", "A" * 1000)) for _ in range(4)
        ]
        for client in clients:
            client.start()
        pressed_s = time.monotonic()
        device.press()
        pressed_s = time.monotonic() - pressed_s
        for client in clients:
            client.join()

        assert time.monotonic() - began_s > 0.9
        assert pressed_s < 0.5
