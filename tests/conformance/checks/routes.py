"""Checks of the profile routes: mutual TLS, the manifest, the fleet document."""

from datetime import UTC, datetime
from typing import Any, Final

from agent.errors import NotGenuine
from agent.record import signing
from agent.trust import fleet
from tests.conformance import documents
from tests.conformance.check import Failed, NoAnswer, NotChecked, Profile, check
from tests.conformance.documents import ask_manifest, manifest_of
from tests.conformance.enrolment import REFUSALS
from tests.conformance.line import Answer
from tests.conformance.target import Device, Target
from tests.conformance.upload import Upload
from tests.support.factory import RecordMaker
from tests.support.wire import VERSION, named

BEGUN_BYTES: Final = 1000
"""Bytes of an upload that its device has begun."""

UNKNOWN_TAG: Final = f'"{"0" * 64}"'
"""An ETag of no document."""


@check("wire.md#manifest")
def manifest_type_and_key(target: Target) -> None:
    """The manifest is a JWS of type `doorstep-manifest` for this device, signed by a manifest key
    (in the profile receipts by the receipt key), and valid now, for 24 hours at most.

    A device refuses any other manifest as a whole, and then takes no photo.
    """
    found = manifest_of(target, ask_manifest(target), target.routed)
    now = datetime.now(UTC)
    if not found.begins <= now < found.ends:
        raise Failed(f"The manifest is valid from {found.begins} to {found.ends}, and not now.")


@check("wire.md#manifest")
def manifest_etag_304(target: Target) -> None:
    """The manifest has an ETag; a request that has it in If-None-Match is answered 304, without a
    body.

    A device asks every minute, and would load the whole route each time, over a metered line.
    """
    tag = ask_manifest(target).expect(200).headers.get("ETag")
    if tag is None:
        raise Failed("GET /manifest was answered without an ETag.")
    again = ask_manifest(target, headers={"If-None-Match": tag}).expect(304)
    if again.body:
        raise Failed("A 304 for GET /manifest has a body.")
    ask_manifest(target, headers={"If-None-Match": UNKNOWN_TAG}).expect(200)


@check("wire.md#manifest", Profile.ROUTES)
def manifest_of_own_certificate(target: Target) -> None:
    """The manifest is that of the device in the certificate, whatever other name the request has.

    Otherwise one stolen device reads the doors of every other one.
    """
    first = target.device.device_id
    answer = ask_manifest(target, target.other, named(first))
    if answer.status == 200 and _payload(answer).get("device_id") == first:
        raise Failed("A device that named another one in Authorization got the other's manifest.")


@check("wire.md#manifest")
def manifest_404_without_route(target: Target) -> None:
    """The answer to a device without a route is 404.

    A device takes any other answer for a fault of the backend, and its status calls the office for
    nothing.
    """
    answer = ask_manifest(target, target.other)
    if answer.status == 200:
        manifest_of(target, answer, target.other)
        raise NotChecked("the second device has a route too")
    answer.expect(404)


@check("identity.md#the-fleet-document", Profile.ROUTES)
def fleet_etag_walk(target: Target) -> None:
    """The ETag of the fleet document is its SHA-256, 64 hex digits in quotes; a device that sends
    the newest ETag gets 304, and one that sends none or an unknown one gets the newest document.

    Otherwise a device loads the document again and again, or never learns of new keys; then it
    believes no receipt, and its card fills up.
    """
    first = documents.ask(target, None)
    tokens = target.fleet.followed_by(first)
    found, tag = first.headers.get("ETag"), fleet.tag(tokens, target.fleet.pinned)
    if found is None or found.removeprefix("W/") != tag:
        raise Failed(f"The fleet document has the ETag {found}; by its SHA-256 it is {tag}.")
    documents.ask(target, tag).expect(304)
    target.fleet.followed_by(documents.ask(target, UNKNOWN_TAG))


@check("wire.md#the-wire", Profile.ROUTES)
def no_certificate_403(target: Target) -> None:
    """Without a certificate every request of a device is answered 403, or TLS refuses it.

    Otherwise anybody on the network reads a route, or delivers records in a device's name.
    """
    expect_shut_out(target, Device(RecordMaker(target.device.device_id)))


def expect_shut_out(target: Target, device: Device) -> None:
    """Raise Failed if a request of the device is let in, or the first device is shut out too."""
    begun, new = Upload(target), Upload(target, device)
    begun.create(begun.content[:BEGUN_BYTES]).expect(201)
    target.sent.records[new.capture_id] = False
    rest = begun.content[BEGUN_BYTES:]
    requests: list[tuple[str, str, dict[str, str], bytes]] = [
        ("GET", "/fleet", {}, b""),
        ("GET", "/manifest", {}, b""),
        ("HEAD", begun.path, VERSION, b""),
        ("PATCH", begun.path, begun.appending(BEGUN_BYTES), rest),
        ("POST", "/files", new.announced(has_body=False), b""),
        ("POST", "/receipts", {"Content-Type": "application/json"}, b'{"capture_ids": []}'),
    ]
    for request in requests:
        try:
            target.ask(*request, device=device).expect(*REFUSALS)
        except NoAnswer:
            continue  # TLS refused it: its alert comes with the handshake, or as the answer
    begun.expect_offset(BEGUN_BYTES, "a PATCH that was refused")


def _payload(answer: Answer) -> dict[str, Any]:
    try:
        return signing.unverified_payload(answer.body.decode("ascii", "replace"))
    except NotGenuine:
        return {}
