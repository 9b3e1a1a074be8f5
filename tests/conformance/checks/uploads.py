"""Checks of an upload that nothing disturbs: whole, in pieces, and questions about it."""

import ssl
from itertools import pairwise

from tests.conformance.check import RULES, Failed, Profile, check
from tests.conformance.target import Target
from tests.conformance.upload import Upload
from tests.support.factory import new_id
from tests.support.wire import PHOTO, VERSION


@check("wire.md#the-wire")
def tls_name(target: Target) -> None:
    """The server's certificate is from the authority that devices trust, and has the host's name in
    the URL.

    A device sends no record to a server that does not prove its name.
    """
    tls = None if target.profile is Profile.FLEET else target.device.tls
    try:
        target.tls_connection(tls).close()
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"The TLS handshake failed: {error.verify_message}.") from error
    except OSError as error:
        raise Failed(f"The TLS handshake failed: {error}.") from error


@check(RULES)
def create_with_body(target: Target) -> None:
    """A POST with the whole record is answered 201, with its length as Upload-Offset and a receipt.

    Each record begins this way; without a receipt the device keeps it, and asks again and again.
    """
    upload = Upload(target, photo=PHOTO)
    answer = upload.create(upload.content).expect(201)
    upload.receipt_in(answer)
    if answer.number("Upload-Offset") != upload.bytes:
        raise Failed(f"{answer}, with another Upload-Offset than {upload.bytes}, the length.")


@check(RULES)
def create_then_patch(target: Target) -> None:
    """After a POST without a body, a PATCH of the whole record is answered with the receipt.

    A device does this behind a proxy that refuses long bodies, such as nginx by default.
    """
    upload = Upload(target, photo=PHOTO)
    created = upload.create().expect(201)
    if "Doorstep-Receipt" in created.headers:
        raise Failed(f"{created}, with a receipt before the first byte.")
    answer = upload.patch(0, upload.content).expect(200, 204)
    upload.receipt_in(answer)
    if answer.number("Upload-Offset") != upload.bytes:
        raise Failed(f"{answer}, with another Upload-Offset than {upload.bytes}, the length.")


@check(RULES)
def pieces(target: Target) -> None:
    """Each PATCH of a piece is answered with the new Upload-Offset; only the last answer has a
    receipt.

    On a bad network a device sends a record in pieces; a receipt before the last byte loses the
    rest of the photo.
    """
    upload = Upload(target, photo=PHOTO)
    upload.create().expect(201)
    ends = [0, 100_000, 200_000, upload.bytes - 1, upload.bytes]
    for begin, end in pairwise(ends):
        answer = upload.patch(begin, upload.content[begin:end]).expect(200, 204)
        if answer.number("Upload-Offset") != end:
            raise Failed(f"{answer}, with another Upload-Offset than {end}.")
        if end < upload.bytes and "Doorstep-Receipt" in answer.headers:
            raise Failed(f"{answer}, with a receipt after {end} of {upload.bytes} bytes.")
    upload.receipt_in(answer)


@check(RULES)
def head_offset_and_length(target: Target) -> None:
    """HEAD says how many bytes arrived (Upload-Offset), and of how many (Upload-Length).

    A device continues from there; after a wrong offset it sends the whole record again, or never
    delivers it.
    """
    upload = Upload(target)
    upload.create().expect(201)
    for offset, sent in ((0, upload.content[:7]), (7, upload.content[7:])):
        upload.expect_offset(offset, f"{offset} bytes")
        answer = upload.patch(offset, sent)
    upload.receipt_in(answer)
    answer = upload.head().expect(200, 204)
    if (answer.number("Upload-Offset"), answer.number("Upload-Length")) != (upload.bytes,) * 2:
        raise Failed(f"{answer}, without the length {upload.bytes} in both headers.")


@check(RULES)
def head_unknown_404(target: Target) -> None:
    """HEAD of an upload that was never created is answered 404.

    Only after a 404 does a device create the upload again; after another answer it waits.
    """
    target.ask("HEAD", f"/files/{new_id()}", VERSION).expect(404, 410)
