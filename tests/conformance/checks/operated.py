"""Checks that need the operator's hand: a restart, a revocation, an end, a change."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Final

from agent.errors import ConfigError
from agent.record import signing
from agent.trust import fleet
from tests.conformance import documents
from tests.conformance.check import RULES, Failed, NoAnswer, Profile, check
from tests.conformance.checks.routes import UNKNOWN_TAG, expect_shut_out
from tests.conformance.devices import read_device
from tests.conformance.documents import ask_manifest, manifest_of
from tests.conformance.enrolment import REFUSALS
from tests.conformance.target import Target
from tests.conformance.upload import Upload

LOADS: Final = 4
"""Connections that deliver records while the server is killed."""

LOADED_RECORDS: Final = 10
"""Most records of each: a kill comes long before the last."""

BACK_WITHIN_S: Final = 30.0
"""Longest wait for the server's first answer after the operator command has ended."""


@check("wire.md#receipts", operator="restart")
def receipt_survives_kill(target: Target) -> None:
    """After `kill -9` and a restart, each record that had a receipt still has one.

    A device deletes a photo once it has the receipt.
    """
    whole = Upload(target)
    whole.receipt_in(whole.create(whole.content))
    with delivering(target) as delivered:
        target.operator.do("restart")
    await_back(target)
    for upload in (whole, *delivered):
        upload.expect_offset(upload.bytes, "a kill")
        if not upload.has_receipt():
            raise Failed("A record that had its receipt has none after a kill.")


@check(RULES, operator="restart")
def upload_survives_kill(target: Target) -> None:
    """After `kill -9` and a restart, HEAD says no fewer bytes than were acknowledged, and the rest
    completes the record.

    Otherwise each restart makes devices send the same photos again, over a metered line.
    """
    upload = Upload(target)
    half = upload.bytes // 2
    upload.create(upload.content[:half]).expect(201)
    target.operator.do("restart")
    await_back(target)
    upload.expect_offset(half, "a kill")
    upload.finish()


@contextmanager
def delivering(target: Target) -> Iterator[list[Upload]]:
    """Deliver records on several connections meanwhile; give those that have a receipt."""
    waiting = [[Upload(target) for _ in range(LOADED_RECORDS)] for _ in range(LOADS)]
    delivered: list[Upload] = []
    is_over = Event()

    def deliver(uploads: list[Upload]) -> None:
        for upload in uploads:
            if is_over.is_set():
                return
            upload.receipt_in(upload.create(upload.content))  # raises once the server is killed
            delivered.append(upload)

    with ThreadPoolExecutor(LOADS) as pool:
        running = [pool.submit(deliver, uploads) for uploads in waiting]
        while not delivered and not all(one.done() for one in running):
            time.sleep(0.01)
        try:
            yield delivered
        finally:
            is_over.set()


def await_back(target: Target) -> None:
    """Wait until the server answers. Raises NoAnswer if it does not."""
    end_s = time.monotonic() + BACK_WITHIN_S
    while time.monotonic() < end_s:
        with suppress(NoAnswer), target.line():
            return
        time.sleep(0.05)
    raise NoAnswer(f"The server does not answer {BACK_WITHIN_S:.0f} s after its restart.")


@check("wire.md#the-wire", Profile.ROUTES, operator="expired DIR")
def expired_certificate(target: Target) -> None:
    """A certificate that has ended is refused, in TLS or by 403; only an EST server may still renew
    it.

    The end of a certificate is what stops a stolen device that nobody has reported.
    """
    _expect_shut_out_when(target, "expired")


@check("integrate.md#write-it-for-the-road", Profile.ROUTES, operator="unlisted DIR")
def unlisted_device_403(target: Target) -> None:
    """A device that is not in the backend's list is refused, although its certificate is valid.

    Otherwise a device that was taken off the list, or another certificate of the same authority,
    still reads a route and delivers records.
    """
    _expect_shut_out_when(target, "unlisted")


def _expect_shut_out_when(target: Target, what: str) -> None:
    """Raise Failed if a device is let in that the operator makes: `expired` or `unlisted`."""
    with TemporaryDirectory() as folder:
        target.operator.do(what, folder)
        try:
            device = read_device(Path(folder))
        except (ConfigError, OSError, ValueError) as error:
            raise Failed(f"The operator command wrote no device: {error}.") from error
        expect_shut_out(target, device)


@check("wire.md#manifest", Profile.ROUTES, operator="change-route ID")
def manifest_version_rises(target: Target) -> None:
    """After a change of the route, the manifest has another ETag and a higher version.

    A device keeps the manifest with the higher version: it would photograph doors by the old route.
    """
    first = ask_manifest(target)
    before = manifest_of(target, first, target.device)
    target.operator.do("change-route", target.device.device_id)
    headers = {"If-None-Match": first.headers.get("ETag", UNKNOWN_TAG)}
    after = manifest_of(target, ask_manifest(target, headers=headers), target.device)
    if after.version <= before.version:
        raise Failed(f"The changed manifest has version {after.version}, after {before.version}.")


@check("identity.md#the-fleet-document", Profile.ROUTES, operator="change-key")
def key_change(target: Target) -> None:
    """After a change of the signing key, a device that sends the ETag of its old fleet document
    gets one that follows from it; that one lists the new key, and the old one for earlier dates.

    Otherwise no device believes a receipt, and each keeps all its records until its card is full.
    """
    old = Upload(target)
    receipt_before = old.receipt_in(old.create(old.content))
    old.verified(receipt_before)
    before, tokens = target.fleet.document(target), target.fleet.tokens
    target.operator.do("change-key")
    answer = documents.ask(target, fleet.tag(tokens, target.fleet.pinned)).expect(200)
    target.fleet.followed_by(answer)
    if target.fleet.document(target).version <= before.version:
        raise Failed("The fleet document has no higher version after a change of the key.")
    new = Upload(target)
    receipt_after = new.receipt_in(new.create(new.content))
    new.verified(receipt_after)
    old.verified(receipt_before)
    if signing.key_id(receipt_after) == signing.key_id(receipt_before):
        raise Failed("A receipt is by the old key after the change.")
    manifest_of(target, ask_manifest(target), target.device)


@check("wire.md#the-wire", Profile.FLEET, operator="revoke ID")
def revoked_while_uploading(target: Target) -> None:
    """A device that is revoked while it uploads gets no receipt for it, and is shut out at once.

    Otherwise the thief of a device that was reported still delivers records in its name.
    """
    upload = Upload(target, target.other)
    half = upload.bytes // 2
    with upload.begun("POST", upload.content[:half]) as line:
        target.operator.do("revoke", target.other.device_id)
        line.send(upload.content[half:])
        with suppress(NoAnswer):  # the server may just close the connection
            answer = line.answer().expect(*REFUSALS)
            if "Doorstep-Receipt" in answer.headers:
                raise Failed(f"{answer}, with a receipt.")
    expect_shut_out(target, target.other)
