"""Checks of the profile routes: what a device may do, and whose records get a receipt."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from agent.record import certificates, signing
from agent.record import file as recordfile
from tests.conformance.check import Failed, Profile, check
from tests.conformance.checks.routes import BEGUN_BYTES, expect_shut_out
from tests.conformance.target import Device, Target
from tests.conformance.upload import Upload
from tests.support.authority import new_authority
from tests.support.factory import RecordMaker, new_id
from tests.support.wire import VERSION

ROAD: Final = "integrate.md#write-it-for-the-road"
"""Page and heading with the rules of the profile routes."""


@check(ROAD, Profile.ROUTES)
def foreign_authority_refused(target: Target) -> None:
    """A certificate from another authority is refused, in TLS or by 403, whatever name it has.

    Otherwise anybody makes a certificate with a device's name, and reads its route.
    """
    name, key = target.device.device_id, signing.new_key()
    made = new_authority().issue(key.public_key(), name)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "foreign.pem"
        path.write_bytes(signing.private_pem(key) + certificates.pem([made]))
        expect_shut_out(target, Device(RecordMaker(name), path))


@check(ROAD, Profile.ROUTES)
def uncertified_key_403(target: Target) -> None:
    """A record by a key without an evidence certificate for its device is answered 403, without a
    signed refusal.

    Otherwise a stolen TLS key signs evidence, or a device gives up the records that were refused.
    """
    device = target.device
    for key, is_whole in product((signing.new_key(), target.other.maker.key), (True, False)):
        sender = Device(RecordMaker(device.device_id, key=key), device.tls)
        what = "a record by a key that nobody certified for its device"
        Upload(target, sender).expect_no_receipt(what, is_whole=is_whole).expect(403)


@check(ROAD, Profile.ROUTES)
def label_of_the_upload(target: Target) -> None:
    """A record gets no receipt if its label is missing, has a wrong signature, or names another
    device or capture_id.

    Otherwise the thief of one device files photos under the name of another one, or of none.
    """
    made: dict[str, Callable[[], Upload]] = {
        "a record without a label": lambda: Upload(target).put(b"no label\nbody"),
        "a label with the signature of another one": lambda: _signed_otherwise(target),
        "the label of another capture_id": lambda: Upload(target, capture_id=new_id()),
        "the label of another device": lambda: Upload(target, device_id=target.other.device_id),
        "another device's record": lambda: Upload(
            target, Device(target.other.maker, target.device.tls)
        ),
    }
    for (what, make), is_whole in product(made.items(), (True, False)):
        make().expect_no_receipt(what, is_whole=is_whole, may_be_refused=True)


def _signed_otherwise(target: Target) -> Upload:
    """Return a record whose label has the signature of another record's label."""
    record, other = Upload(target), Upload(target)
    label, _, body = record.content.partition(b"\n")
    signature = other.content.partition(b"\n")[0].rpartition(b".")[2]
    return record.put(label.rpartition(b".")[0] + b"." + signature + b"\n" + body)


@check(ROAD, Profile.ROUTES)
def body_of_the_label(target: Target) -> None:
    """A record gets no receipt if its body has another SHA-256 than the label says.

    Otherwise the photo of one door counts as evidence for another one.
    """
    other = recordfile.describe(b"another body", recordfile.BODY_TYPE)
    for is_whole in (True, False):
        upload = Upload(target, body=other)
        what = "a body that is not the label's"
        upload.expect_no_receipt(what, is_whole=is_whole, may_be_refused=True)


@check(ROAD, Profile.ROUTES)
def upload_of_its_device(target: Target) -> None:
    """HEAD and PATCH of another device's upload, begun or whole, are answered 403, and change
    nothing.

    Otherwise a thief's device ends the uploads of others with bytes of its own.
    """
    begun, whole = Upload(target), Upload(target)
    whole.receipt_in(whole.create(whole.content))
    begun.create(begun.content[:BEGUN_BYTES]).expect(201)
    for upload in (begun, whole):
        target.ask("HEAD", upload.path, VERSION, device=target.other).expect(403)
    headers, rest = begun.appending(BEGUN_BYTES), begun.content[BEGUN_BYTES:]
    target.ask("PATCH", begun.path, headers, rest, target.other).expect(403)
    headers = begun.announced(has_body=True)
    target.ask("POST", "/files", headers, begun.content, target.other).expect_refused()
    begun.expect_offset(BEGUN_BYTES, "requests by another device")
    begun.finish()


@check(ROAD, Profile.ROUTES)
def receipt_of_its_device(target: Target) -> None:
    """POST /receipts answers null for another device's record.

    Otherwise a thief's device learns which records arrived, and when.
    """
    upload = Upload(target)
    upload.receipt_in(upload.create(upload.content))
    if (verdict := upload.receipts_answer(target.other)) is not None:
        raise Failed(f"POST /receipts of another device has {verdict} and not null.")
