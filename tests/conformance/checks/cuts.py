"""Checks of uploads whose connection is cut, as on a bad network."""

import time
from itertools import pairwise, product
from typing import Final

from tests.conformance.check import RULES, Failed, check
from tests.conformance.target import Target
from tests.conformance.upload import Upload
from tests.support.wire import PHOTO

ACKNOWLEDGED_BYTES: Final = 1000
"""Bytes that a PATCH has brought before the one that is cut."""

CUTS: Final = ((1, True), (1, False), (100_000, True), (100_000, False), (-1, True), (-1, False))
"""Bytes of the body that are sent, and whether the cut is a reset."""

SETTLED_S: Final = 0.2
"""Time in which a server acts on a connection that has ended."""


@check(RULES)
def cut_in_header(target: Target) -> None:
    """A POST that is cut within its header creates no upload.

    The next attempt would find an upload with a wrong length or digest, which is never complete.
    """
    for kept, is_reset in product((-120, -2), (False, True)):
        upload = Upload(target)
        with target.line() as line:
            line.send(line.head("POST", "/files", upload.announced(has_body=True), 1)[:kept])
            line.cut(is_reset=is_reset)
        time.sleep(SETTLED_S)
        if upload.head().status in {200, 204}:
            raise Failed("A POST whose header was cut off has created an upload.")
        upload.receipt_in(upload.create(upload.content).expect(201))


@check(RULES)
def cut_in_post_body(target: Target) -> None:
    """After a POST that was cut, HEAD says how many bytes arrived, and the rest completes the
    record.

    The device sends the bytes after that offset; if the offset is too large, the photo has a hole.
    Behind a proxy that buffers requests nothing arrives, and HEAD is answered 404.
    """
    _expect_kept_upload(Upload(target, photo=PHOTO))
    for sent, is_reset in CUTS:
        upload = Upload(target, photo=PHOTO)
        part = upload.content[:sent]
        with upload.begun("POST", part) as line:
            line.cut(is_reset=is_reset)
        _expect_between(0, len(part), upload)
        upload.finish()


@check(RULES)
def cut_in_patch(target: Target) -> None:
    """After a PATCH that was cut, HEAD says how many bytes arrived, and never fewer than were
    acknowledged.

    The device sends the bytes after that offset; if the offset is too large, the photo has a hole.
    """
    for sent, is_reset in CUTS:
        upload = Upload(target, photo=PHOTO)
        upload.create().expect(201)
        upload.patch(0, upload.content[:ACKNOWLEDGED_BYTES]).expect(200, 204)
        part = upload.content[ACKNOWLEDGED_BYTES:][:sent]
        with upload.begun("PATCH", part, ACKNOWLEDGED_BYTES) as line:
            line.cut(is_reset=is_reset)
        _expect_between(ACKNOWLEDGED_BYTES, ACKNOWLEDGED_BYTES + len(part), upload)
        upload.finish()


def _expect_kept_upload(upload: Upload) -> None:
    """Raise Failed if an upload that HEAD finds while it comes is gone after the cut."""
    with upload.begun("POST", upload.content[:100_000]) as line:
        time.sleep(SETTLED_S)
        before = upload.head().status
        line.cut(is_reset=True)
    time.sleep(SETTLED_S)
    after = upload.head()
    if before in {200, 204} and after.status in {404, 410}:
        raise Failed(f"{after} after its POST was cut, although it was there before.")
    upload.finish()


def _expect_between(least: int, most: int, upload: Upload) -> None:
    answer = upload.head()
    if answer.status not in {200, 204} and (least == 0 or answer.status not in {404, 410}):
        return  # a device asks again, as `finish` does
    offset = answer.expect(200, 204).number("Upload-Offset")
    if not least <= offset <= most:
        raise Failed(
            f"HEAD says that {offset} bytes are there; {least} were acknowledged, and {most} sent."
        )


@check(RULES)
def lost_answer(target: Target) -> None:
    """If all bytes arrived and the answer was lost, the device can ask for the receipt.

    Otherwise the device can neither delete the record nor send it again: it waits for ever.
    """
    for method, waits in product(("POST", "PATCH"), (True, False)):
        upload = Upload(target, photo=PHOTO)
        if method == "PATCH":
            upload.create().expect(201)
        with upload.begun(method, upload.content) as line:
            if waits:
                line.wait_for_answer()
        time.sleep(SETTLED_S)
        upload.finish()


@check(RULES)
def resume_at_every_boundary(target: Target) -> None:
    """An upload continues from any offset: within the label, at its end, near 4 and 64 KiB,
    elsewhere.

    A device sends each byte once; a backend that loses or repeats one never has the whole photo.
    """
    upload = Upload(target, photo=PHOTO)
    label = upload.content.index(b"\n")
    ends = [1, label - 1, label, label + 1, label + 2, label + 513, 4095, 4096, 4097]
    ends += [65_535, 65_536, 65_537, 131_072, upload.bytes - 1, upload.bytes]
    upload.create().expect(201)
    for begin, end in pairwise((0, *sorted(ends))):
        upload.expect_offset(begin, f"{begin} bytes")
        answer = upload.patch(begin, upload.content[begin:end]).expect(200, 204)
    upload.receipt_in(answer)
