"""Checks of several requests at once: for one upload, and for many."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final

from tests.conformance.check import RULES, Failed, NoAnswer, check
from tests.conformance.devices import new_devices
from tests.conformance.line import Line
from tests.conformance.receipt_faults import subject
from tests.conformance.target import Target
from tests.conformance.upload import Upload
from tests.support.wire import PHOTO

SLICE_BYTES: Final = 20_000
"""Bytes that one of two PATCHes sends before the other one may."""

SETTLED_S: Final = 5.0
"""Longest wait for the answer to a PATCH that was overtaken; it may have none."""

DEVICES: Final = 20
"""Devices that deliver at once, as the name of the check says."""

CONNECTIONS: Final = 5
"""Connections of a certificate at once: the reference backend gives the ninth away."""


@check(RULES)
def stalled_patch_overtaken(target: Target) -> None:
    """A newer PATCH continues the upload while an older one stalls; the older one appends no more
    bytes.

    A device whose network returns sends again, while its old connection still seems open. Bytes
    that the old request appends later destroy the photo, even after its receipt.
    """
    upload = Upload(target, photo=PHOTO)
    half, most = upload.bytes // 2, 3 * upload.bytes // 4
    upload.create().expect(201)
    with upload.begun("PATCH", upload.content[:half]) as older:
        upload.advance(most)
        _send_the_rest(older, half, upload.bytes)
        upload.expect_offset(most, "the rest of a PATCH that was overtaken")
    with upload.begun("PATCH", upload.content[most : most + 100], most) as older:
        upload.finish()
        _send_the_rest(older, most + 100, upload.bytes)
    upload.expect_offset(upload.bytes, "the rest of a PATCH that was overtaken by the last byte")
    if not upload.has_receipt():
        raise Failed("A PATCH that was overtaken ended, and POST /receipts has no receipt since.")


def _send_the_rest(older: Line, sent: int, end: int) -> None:
    """Send other bytes than the record's, so that they cannot stay unnoticed.

    Raises:
        Failed: the server accepts them. It may accept those that were sent before.
    """
    older.socket.settimeout(SETTLED_S)
    older.send(bytes(end - sent))
    try:
        answer = older.answer()
    except NoAnswer:
        return
    if answer.status < 300 and answer.number("Upload-Offset") > sent:
        raise Failed(f"{answer}, although a newer request had overtaken it.")


@check(RULES)
def two_patches_one_wins(target: Target) -> None:
    """If two PATCHes arrive at one offset at the same time, at most one is accepted.

    A device that reconnects may have two open requests; if both append, the photo is destroyed.
    """
    upload = Upload(target, photo=PHOTO)
    upload.create().expect(201)
    if not upload.send_twice("PATCH", SLICE_BYTES):
        upload.finish()


@check(RULES)
def twenty_devices(target: Target) -> None:
    """Twenty devices, or two with certificates on five connections each, that deliver at once get
    their receipts, while other connections are silent.

    In the morning, and after an outage, a whole fleet delivers at once.
    """
    devices = new_devices(DEVICES)
    if target.device.tls is not None:
        devices = [*target.devices] * CONNECTIONS
    uploads = [Upload(target, device, PHOTO) for device in devices]
    begin = Barrier(len(uploads))

    def send(upload: Upload, is_in_pieces: bool) -> None:
        begin.wait()
        if is_in_pieces:
            upload.create()
        token = upload.finish() if is_in_pieces else upload.deliver()
        if (about := subject(token)) not in {upload.capture_id, None}:
            raise Failed(f"The receipt for {upload.capture_id} is for {about}.")

    with target.tcp_connection(), target.line(), ThreadPoolExecutor(len(uploads)) as pool:
        sending = [pool.submit(send, one, at % 2 == 1) for at, one in enumerate(uploads)]
    for one in sending:
        one.result()
