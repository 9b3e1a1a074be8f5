"""Checks of requests that a backend must refuse, and of its state afterwards."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from tests.conformance.check import RULES, Failed, check
from tests.conformance.line import Answer
from tests.conformance.target import Target
from tests.conformance.upload import SMALL_PHOTO, Upload
from tests.support.factory import new_id
from tests.support.wire import BODY, PHOTO, VERSION, announce

BEGUN_BYTES: Final = 1000
"""Bytes of an upload that was begun."""

SIMULTANEOUS_TRIES: Final = 5
"""Pairs of POSTs at the same moment: a race does not show each time."""

RESET_TRIES: Final = 3
"""Tries of which one must end without a reset: busy servers that do read the body reset at times.

@tus/server 2.4.5 did so in 2 of 20 requests (November 2026).
"""

LARGE_BYTES: Final = 4_000_000
"""Size of a large record: eight times a usual one."""

TOO_LARGE_BYTES: Final = 10**12
"""Length that no record has: a terabyte."""


def _begun(target: Target, photo: bytes = SMALL_PHOTO) -> Upload:
    upload = Upload(target, photo=photo)
    upload.create().expect(201)
    upload.patch(0, upload.content[:BEGUN_BYTES]).expect(200, 204)
    return upload


def _whole(target: Target) -> Upload:
    upload = Upload(target)
    upload.receipt_in(upload.create(upload.content))
    return upload


def _announce(target: Target, capture_id: str, changed: Mapping[str, str] | None = None) -> Answer:
    """POST an upload without a body, and note it if the backend takes it."""
    headers = VERSION | announce(capture_id, b"x") | dict(changed or {})
    answer = target.ask("POST", "/files", headers)
    if answer.status == HTTPStatus.CREATED:
        target.sent.records[capture_id] = False
    return answer


def _flipped(content: bytes) -> bytes:
    """Return the content as a network that flips a bit would."""
    return content[:-1] + bytes([content[-1] ^ 1])


@check(RULES)
def wrong_offset_409(target: Target) -> None:
    """A PATCH at a wrong offset is answered 409, and changes nothing.

    With bytes at a wrong place the digest never matches: the photo does not arrive.
    """
    upload = _begun(target)
    for offset in (0, BEGUN_BYTES - 1, BEGUN_BYTES + 1):
        upload.patch(offset, upload.content[offset : offset + BEGUN_BYTES]).expect(409)
        upload.expect_offset(BEGUN_BYTES, f"a PATCH at {offset}")
    upload.finish()


@check(RULES)
def past_the_end(target: Target) -> None:
    """A body that is longer than the missing part is refused, and the upload can still be
    completed.

    An upload that is longer than announced is never complete.
    """
    upload, whole = _begun(target), Upload(target)
    upload.patch(BEGUN_BYTES, upload.content[BEGUN_BYTES:] + b"more").expect_refused()
    upload.finish()
    whole.create(whole.content + b"more").expect_refused()
    whole.finish()


@check(RULES)
def second_post_409(target: Target) -> None:
    """A POST of an id that exists, begun or complete, is answered 409.

    A device that reads 409 asks by HEAD; after 201 it sends everything again.
    """
    for upload in (_begun(target), _whole(target)):
        upload.create().expect(409)


@check(RULES)
def second_post_keeps_bytes(target: Target) -> None:
    """A second POST of an id changes no byte of an upload that is begun, complete or just arriving.

    Plain tus servers overwrite a finished upload: the photo is gone, although it has its receipt.
    """
    begun, whole = _begun(target), _whole(target)
    begun.create(_flipped(begun.content))
    begun.expect_offset(BEGUN_BYTES, "a second POST with other bytes")
    begun.finish()
    whole.create(_flipped(whole.content))
    whole.expect_offset(whole.bytes, "a second POST of a complete upload")
    if not whole.has_receipt():
        raise Failed("After a second POST of a complete upload, POST /receipts has no receipt.")
    for _ in range(SIMULTANEOUS_TRIES):
        twice = Upload(target)
        twice.send_twice("POST", twice.bytes)
        twice.finish()
        twice.expect_offset(twice.bytes, "two POSTs at the same time")
        if not twice.has_receipt():
            raise Failed("After two POSTs at the same time, POST /receipts has no receipt.")


@check(RULES)
def connection_usable_after_error(target: Target) -> None:
    """An error is readable after a long body; the connection then stays usable, or is announced as
    closed.

    A device that cannot read the answer blames the network, and sends the same again.
    """
    begun, unknown = _begun(target, PHOTO), Upload(target, photo=PHOTO)
    wrong_id = VERSION | announce("1", begun.content) | BODY
    requests = (
        ("PATCH", begun.path, begun.appending(5), begun.content[5:]),
        ("PATCH", unknown.path, unknown.appending(0), unknown.content),
        ("POST", "/files", begun.announced(has_body=True), begun.content),
        ("POST", "/files", wrong_id, begun.content),
    )
    for method, path, headers, body in requests:
        for _ in range(RESET_TRIES):
            with target.line() as line:
                answer = line.ask(method, path, headers, body)
                if not answer.closes:
                    begun.head(line).expect(200, 204)
                elif line.was_reset():
                    continue
            break
        else:
            raise Failed(f"{answer}, and the connection was reset before the body was read.")


@check(RULES)
def digest_mismatch_no_receipt(target: Target) -> None:
    """A record with another digest than announced gets neither a receipt nor a signed refusal.

    After a receipt the device deletes the only good copy; after a refusal it stops sending.
    """
    for is_whole in (True, False):
        upload = Upload(target)
        upload.content = _flipped(upload.content)
        upload.expect_no_receipt("bytes of another digest than announced", is_whole=is_whole)


@check(RULES)
def created_again_after_mismatch(target: Target) -> None:
    """A wrong digest is answered 460, and the device can create the upload again, and deliver it.

    If the wrong bytes stay, the device never delivers the record; after another 4xx it waits up to
    a day.
    """
    upload = Upload(target)
    answer = upload.create(_flipped(upload.content))
    if answer.status >= 300:  # otherwise another check fails
        answer.expect(460)
    upload.finish()


@check(RULES)
def zero_bytes(target: Target) -> None:
    """A PATCH without bytes changes nothing; an upload of length 0 is accepted or refused.

    A proxy that lost a body sends such requests; if the server hangs, all devices wait.
    """
    upload = _begun(target)
    _expect_no_fault(upload.patch(BEGUN_BYTES, b""))
    upload.expect_offset(BEGUN_BYTES, "a PATCH without bytes")
    upload.finish()
    _expect_no_fault(_announce(target, empty := new_id(), announce(empty, b"")))


def _expect_no_fault(answer: Answer) -> None:
    if answer.status >= 500:
        raise Failed(f"{answer}; it should be an answer that is no fault of the server.")


@check(RULES)
def largest_or_413(target: Target) -> None:
    """A record of 4 MB is accepted, after a 413 in pieces; a terabyte is refused with 413.

    nginx's default limit of 1 MB must hold for a piece and not for the record; a backend without
    any limit fills its disk.
    """
    upload = Upload(target, photo=secrets.token_bytes(LARGE_BYTES))
    upload.deliver()
    length = {"Upload-Length": str(TOO_LARGE_BYTES)}
    _announce(target, new_id(), length).expect(413)


@check(RULES)
def bad_id_400(target: Target) -> None:
    """A POST without a capture_id, or with one that is no lower-case UUID, is answered 400.

    An id becomes the name of a file: one with dots or slashes could replace another file.
    """
    for capture_id in WRONG_IDS:
        answer = _announce(target, capture_id)
        if answer.status != 400:
            raise Failed(f"{answer}, for the capture_id {capture_id!r}; it should be 400.")
    for metadata in ("", "capture_id !!"):
        _announce(target, metadata, {"Upload-Metadata": metadata}).expect(400)


WRONG_IDS: Final = (
    "1",
    "../../conformance",
    "/tmp/conformance",
    "D9428888-122B-11E1-B85C-61CD3CBB3210",
    "d9428888122b11e1b85c61cd3cbb3210",
    "d9428888-122b-11e1-b85c-61cd3cbb3210\n",
)
"""Texts that are no capture ids."""


@check(RULES)
def other_names_404(target: Target) -> None:
    """A path that no device uses is refused (404), also one that leads out of the folder.

    Otherwise a thief reads photos of front doors, or a key of the server.
    """
    whole = _whole(target)
    up = "..%2F" * 12
    names = (f"{whole.path}/..", f"{whole.path}.rec", f"/files/{up}etc%2Fpasswd", "/files/../../x")
    for name in (*names, f"/conformance-{uuid4()}"):
        for method in ("GET", "HEAD"):
            target.ask(method, name, VERSION).expect_refused()


@check(RULES)
def get_and_delete_refused(target: Target) -> None:
    """A device can neither read an upload nor delete it: GET and DELETE are refused (405).

    Otherwise the thief of a device sees photos of front doors, or deletes them.
    """
    upload = _whole(target)
    for method in ("GET", "DELETE"):
        answer = target.ask(method, upload.path, VERSION).expect_refused()
        if upload.content[:100] in answer.body:
            raise Failed(f"{answer.asked} shows the record.")
    upload.expect_offset(upload.bytes, "GET and DELETE")
    if not upload.has_receipt():
        raise Failed("After GET and DELETE, POST /receipts has no receipt.")
