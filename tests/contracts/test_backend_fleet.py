"""The fleet document and the keys in it, over real HTTPS: what a device can verify with it."""

from datetime import UTC, datetime

from agent.record import signing
from agent.rule.manifest import read
from agent.trust import fleet
from agent.trust.fleet import FleetDocument
from doorstep_backend import keys
from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.support.enrolment import EnrolledDevice
from tests.support.factory import new_id
from tests.support.waiting import until
from tests.support.wire import named, proven, record


def fleet_of(van: EnrolledDevice) -> FleetDocument:
    """The newest, as a device reads it that was given the fleet key just now."""
    pinned = signing.read_public_key(van.backend.fleet_key_file)
    return fleet.document_in_force([van.get().text], pinned)


def test_a_device_reads_the_fleet_document_and_its_changes(van: EnrolledDevice) -> None:
    pinned = signing.read_public_key(van.backend.fleet_key_file)
    first = van.get()
    tag = first.headers["ETag"]
    unchanged = van.get(**{"If-None-Match": tag})
    receipt_key = van.backend.receipt_key_file.read_bytes()

    said = van.backend.command("fleet", "rotate")

    answer = van.get(**{"If-None-Match": tag})
    tokens = fleet.extended_chain(fleet.extended_chain((), first.text, pinned), answer.text, pinned)
    found = fleet.document_in_force(tokens, pinned)
    assert first.headers["Content-Type"] == "application/jose"
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert said.startswith(f"fleet document {found.version}\n")
    assert van.backend.receipt_key_file.read_bytes() != receipt_key
    sent = van.send(van.wire())
    kid = signing.key_id(sent.headers["Doorstep-Receipt"])
    assert found.receipt_keys[kid].until is None


def test_an_instance_whose_keys_are_a_copy_of_before_a_change_acknowledges_nothing(
    van: EnrolledDevice,
) -> None:
    """A second machine may have the copy: its receipts would be dated after the key's end."""
    key = van.backend.data / "keys" / "receipt.pem"
    old = key.read_bytes()
    van.backend.command("fleet", "rotate")
    new = key.read_bytes()
    wire, capture_id = van.wire(), new_id()
    content = record(van.maker, capture_id)

    keys.write_whole(key, old, mode=0o600)
    refused = wire.post(capture_id, content, content)
    trouble = until(lambda: van.get("/readyz").text.partition("keys: ")[2])
    keys.write_whole(key, new, mode=0o600)
    given = wire.receipts(capture_id).json()[capture_id]["receipt"]

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert trouble.startswith("keys/receipt.pem is not the key of fleet document ")
    assert "Doorstep-Receipt" not in refused.headers
    assert proven(van.backend.receipt_key_file, given)


def test_receipts_by_a_compromised_key_are_signed_again_with_their_date(
    van: EnrolledDevice,
) -> None:
    wire, capture_id = van.wire(), new_id()
    content = record(van.maker, capture_id)
    before = wire.post(capture_id, content, content).headers["Doorstep-Receipt"]
    old = proven(van.backend.receipt_key_file, before)

    van.backend.command("fleet", "revoke", signing.key_id(before))

    after = wire.receipts(capture_id).json()[capture_id]["receipt"]
    pinned = signing.read_public_key(van.backend.fleet_key_file)
    assert proven(van.backend.receipt_key_file, after) == old
    assert signing.key_id(before) in fleet.document_in_force([van.get().text], pinned).revoked


def test_a_manifest_is_the_certificates_and_by_a_key_of_the_fleet_document(
    van: EnrolledDevice,
) -> None:
    office = open_office(Store(van.backend.data))
    demo.settle(office)
    demo.send_out(office, van.device_id, datetime.now(UTC))
    before = van.get("/manifest", None, **named("van-0"))

    van.backend.command("fleet", "rotate")

    after = van.get("/manifest", **{"If-None-Match": before.headers["ETag"]})
    known = {kid: signer.key for kid, signer in fleet_of(van).manifest_keys.items()}
    old, new = (read(answer.text, known, van.device_id) for answer in (before, after))
    assert signing.key_id(after.text) != signing.key_id(before.text)
    assert fleet_of(van).manifest_keys[signing.key_id(after.text)].until is None
    assert (new.stops, new.version > old.version) == (old.stops, True)
