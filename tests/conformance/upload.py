"""A record of kind `test` on its way to the backend under test, request by request."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from threading import Barrier
from typing import Any, Final, Self

from agent.errors import NotGenuine
from agent.models import RecordKind
from agent.record import signing
from agent.record.receipt import Receipt, verified_receipt
from agent.sync.attempt import PIECE_BYTES
from agent.wire.tus import own_address
from tests.conformance.check import Failed, NoAnswer
from tests.conformance.line import Answer, Line
from tests.conformance.receipt_faults import explained
from tests.conformance.target import Device, Target
from tests.support.factory import new_id
from tests.support.wire import BODY, PHOTO, VERSION, announce

PAUSES_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Time after each attempt to finish an upload; a device takes longer ones."""

SLICE_PAUSE_S: Final = 0.002
"""Time after each slice of one of two requests, in which the other one sends a slice."""

SMALL_PHOTO: Final = PHOTO[:20_000]
"""Photo of most records, so that a run sends little; others have PHOTO, 300 KB."""

JSON: Final = {"Content-Type": "application/json"}

_GONE: Final = frozenset({404, 410})
_BUSY: Final = frozenset({423, 429, *range(500, 600)})
_LATER: Final = _BUSY | {404, 409, 410, 460}
_OTHER_DIGEST: Final = 460
_TOO_LONG: Final = 413
"""Answers that a device treats alike. Source: agent/sync/attempt.py."""


class _Later(Exception):
    """An attempt that ended without a receipt, as a device's may; the next one may have it."""


class Upload:
    """A record, signed by its device and announced to nobody yet.

    Attributes:
        capture_id: its id.
        content: all its bytes.
        sha256: of these.
        bytes: their number.
        device: the device that sends it.
        path: the path of the upload below `{base}`; a Location changes it.
    """

    def __init__(
        self,
        target: Target,
        device: Device | None = None,
        photo: bytes = SMALL_PHOTO,
        **label: Any,
    ) -> None:
        """Make the record; `label` replaces members of its label before that is signed."""
        self.device = device or target.device
        self.capture_id = new_id()
        self.path = f"/files/{self.capture_id}"
        self._target = target
        label = {"capture_id": self.capture_id} | label
        self.put(
            self.device.maker.make(RecordKind.TEST, {"simulated": True}, photo, **label).content
        )

    def put(self, content: bytes) -> Self:
        """Put these bytes in the record's place, before it is announced."""
        self.content = content
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.bytes = len(content)
        return self

    def announced(self, *, has_body: bool) -> dict[str, str]:
        """Return the headers of the POST."""
        announced = announce(self.capture_id, self.content, sha256=self.sha256)
        return VERSION | announced | (BODY if has_body else {})

    def create(self, body: bytes = b"", line: Line | None = None) -> Answer:
        """POST the upload with these bytes; on a connection of its own if none is given."""
        self._target.sent.records.setdefault(self.capture_id, False)
        answer = self._ask("POST", "/files", self.announced(has_body=bool(body)), body, line)
        if answer.status == 201:
            url = own_address(self._target.url, answer.headers.get("Location"))
            self.path = self.path if url is None else url.removeprefix(self._target.url)
        return answer

    def head(self, line: Line | None = None) -> Answer:
        """Ask how much has arrived."""
        return self._ask("HEAD", self.path, VERSION, b"", line)

    def patch(self, offset: int, sent: bytes, line: Line | None = None) -> Answer:
        """Append these bytes at this offset."""
        return self._ask("PATCH", self.path, self.appending(offset), sent, line)

    def appending(self, offset: int) -> dict[str, str]:
        """Return the headers of a PATCH."""
        return VERSION | BODY | {"Upload-Offset": str(offset)}

    def offset(self) -> int:
        """Return the offset in the answer to HEAD. Raises Failed without one."""
        return self.head().expect(200, 204).number("Upload-Offset")

    @contextmanager
    def begun(self, method: str, sent: bytes, offset: int = 0) -> Iterator[Line]:
        """Begin a POST or a PATCH of the rest of the record, of which only these bytes are sent."""
        with self._target.line(self.device) as line:
            self._begin(line, method, offset)
            line.send(sent)
            yield line

    def send_twice(self, method: str, slice_bytes: int) -> bool:
        """POST or PATCH the whole record on two connections at the same time, slice by slice.

        Returns:
            Whether one of the answers has the receipt.

        Raises:
            Failed: both are accepted, or the right bytes get the answer for a wrong digest.
        """
        start = Barrier(2)

        def send(line: Line) -> Answer | None:
            start.wait()
            self._begin(line, method, 0)
            for at in range(0, self.bytes, slice_bytes):
                line.send(self.content[at : at + slice_bytes])
                time.sleep(SLICE_PAUSE_S)
            with suppress(NoAnswer):
                return line.answer()
            return None

        with ExitStack() as opened, ThreadPoolExecutor(2) as pool:
            lines = [opened.enter_context(self._target.line(self.device)) for _ in range(2)]
            answers = [one for one in pool.map(send, lines) if one is not None]
        if [one.status < 300 for one in answers] == [True, True]:
            raise Failed(f"Both of two requests at the same time were accepted: {answers[0]}.")
        for one in answers:
            if one.status == _OTHER_DIGEST:
                raise Failed(f"{one}: the bytes of two requests at the same time were mixed.")
        return any("Doorstep-Receipt" in one.headers for one in answers)

    def _begin(self, line: Line, method: str, offset: int) -> None:
        self._target.sent.records.setdefault(self.capture_id, False)
        is_post = method == "POST"
        path = "/files" if is_post else self.path
        headers = self.announced(has_body=True) if is_post else self.appending(offset)
        line.begin(method, path, headers, self.bytes - offset)

    def expect_offset(self, offset: int, after: str) -> None:
        """Raise Failed if HEAD tells another offset than this one, after what happened."""
        found = self.offset()
        if found != offset:
            raise Failed(f"After {after}, HEAD says that {found} bytes are there, not {offset}.")

    def receipts_answer(self, device: Device | None = None) -> object:
        """Return the answer of POST /receipts about the record: `{"receipt": …}` or None."""
        found = receipts(self._target, self.capture_id, device=device or self.device)
        return found.get(self.capture_id)

    def has_receipt(self) -> bool:
        """Return whether POST /receipts answers with a receipt."""
        match self.receipts_answer():
            case {"receipt": str()}:
                return True
        return False

    def receipt_in(self, answer: Answer) -> str:
        """Return the receipt in a final answer. Raises Failed if it is missing.

        Other checks verify it.
        """
        if (refusal := answer.headers.get("Doorstep-Refusal")) is not None:
            raise Failed(f"{answer.asked} was answered with a signed refusal; {_reason(refusal)}.")
        answer.expect(200, 201, 204)
        token = answer.headers.get("Doorstep-Receipt")
        if token is None:
            raise Failed(f"{answer}, for the last byte of the record, without a Doorstep-Receipt.")
        self._target.sent.records[self.capture_id] = True
        return token

    def is_valid(self, token: str) -> bool:
        """Return whether a device accepts the receipt."""
        try:
            return bool(self.verified(token))
        except Failed:
            return False

    def verified(self, token: str) -> Receipt:
        """Return the receipt as a device reads it. Raises Failed if a device refuses it."""
        keys = self._target.keys()
        try:
            return verified_receipt(token, self, keys)
        except NotGenuine as error:
            fault = explained(token, keys, error)
            raise Failed(f"A device does not accept the receipt: {fault}.") from error

    def expect_no_receipt(
        self, what: str, *, is_whole: bool, may_be_refused: bool = False
    ) -> Answer:
        """Deliver all bytes, by a POST or by a PATCH; return the last answer.

        Args:
            what: completes "for …".
            may_be_refused: whether a signed refusal is right too.

        Raises:
            Failed: that answer, or POST /receipts, has a receipt.
        """
        if is_whole:
            answer = self.create(self.content)
        else:
            self.create().expect(201)
            answer = self.patch(0, self.content)
        for name in ("Doorstep-Receipt", "Doorstep-Refusal")[: 1 if may_be_refused else 2]:
            if name in answer.headers:
                raise Failed(f"{answer} with a {name}, for {what}.")
        answer.expect_refused()
        asked = ask_receipts(self._target, self.capture_id, device=self.device)
        if asked.status == answer.status == HTTPStatus.FORBIDDEN:
            return answer  # in place of null, as the reference backend does
        match in_answer(asked).get(self.capture_id):
            case None:
                return answer
            case {"refusal": str()} if may_be_refused:
                return answer
            case verdict:
                raise Failed(f"For {what}, POST /receipts has {verdict} and not null.")

    def deliver(self) -> str:
        """Deliver the record from its first attempt on, a POST of all bytes; return the receipt."""
        try:
            return self._created(self.create(self.content))
        except (_Later, NoAnswer):
            return self.finish()

    def finish(self) -> str:
        """Deliver what is missing as a device does, attempt after attempt; return the receipt.

        Raises:
            Failed: the upload is stuck, or has no receipt in time.
        """
        return self.advance(self.bytes)

    def advance(self, end: int) -> str:
        """Deliver the bytes before `end` as a device does; return the receipt, empty before it.

        Raises:
            Failed: the upload is stuck, or did not get there in time.
        """
        why = ""
        for pause_s in PAUSES_S:
            try:
                return self._attempt(end)
            except (_Later, NoAnswer) as later:
                why = str(later)
            time.sleep(pause_s)
        tries = f"{len(PAUSES_S)} attempts within {sum(PAUSES_S):.0f} s"
        raise Failed(f"{tries} did not deliver the record; the last one: {why}")

    def _attempt(self, end: int) -> str:
        """Make one attempt: HEAD, then what is missing. Raises _Later if another one may help."""
        answer = self.head()
        if answer.status in _BUSY:
            raise _Later(f"{answer}.")
        if answer.status in _GONE:
            self.path = f"/files/{self.capture_id}"
            return self._created(self.create(self.content[:end]))
        offset = answer.expect(200, 204).number("Upload-Offset")
        if offset > end:
            raise Failed(f"HEAD says that {offset} bytes are there, but only {end} were sent.")
        while offset < end:
            answer = self.patch(offset, self.content[offset : min(offset + PIECE_BYTES, end)])
            offset = self._offset_after(answer, offset)
            if offset == self.bytes:
                return self.receipt_in(answer)
        return self._receipt_of_all() if end == self.bytes else ""

    def _receipt_of_all(self) -> str:
        match self.receipts_answer():
            case {"receipt": str(token)}:
                self._target.sent.records[self.capture_id] = True
                return token
            case {"refusal": str(token)}:
                raise Failed(f"POST /receipts has a signed refusal; {_reason(token)}.")
        raise _Later("HEAD says that all bytes are there, but POST /receipts answers null.")

    def _offset_after(self, answer: Answer, before: int) -> int:
        if answer.status in _LATER:
            raise _Later(f"{answer}.")
        if answer.headers.get("Doorstep-Refusal") is None:
            answer.expect(200, 204)
        offset = answer.number("Upload-Offset")
        if not before < offset <= self.bytes:
            raise Failed(f"{answer}, with an Upload-Offset of {offset} after {before}.")
        return offset

    def _created(self, answer: Answer) -> str:
        """Return the receipt on the answer to a POST, empty if it was not of all bytes."""
        if answer.status == _TOO_LONG:
            self.create().expect(201)
            raise _Later("the upload was created again, without a body.")
        if answer.status in _LATER:
            raise _Later(f"{answer}.")
        is_whole = answer.headers.get("Upload-Offset") in {str(self.bytes), None}
        return self.receipt_in(answer) if is_whole or answer.status != 201 else ""

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, line: Line | None
    ) -> Answer:
        if line is not None:
            return line.ask(method, path, headers, body)
        return self._target.ask(method, path, headers, body, self.device)


def ask_receipts(target: Target, *capture_ids: str, device: Device | None = None) -> Answer:
    """Ask for receipts."""
    question = json.dumps({"capture_ids": capture_ids}).encode()
    return target.ask("POST", "/receipts", JSON, question, device)


def receipts(target: Target, *capture_ids: str, device: Device | None = None) -> dict[str, object]:
    """Return the answer of POST /receipts. Raises Failed if it is no JSON object."""
    return in_answer(ask_receipts(target, *capture_ids, device=device))


def in_answer(answer: Answer) -> dict[str, object]:
    """Return the JSON object in an answer. Raises Failed if the answer has another body."""
    answer.expect(200)
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Failed(f"{answer}, which is no JSON object of receipts by capture id.")
    return found


def _reason(refusal: str) -> str:
    """Return the reason in a refusal, as a clause; nobody has verified it."""
    try:
        return f"its reason is {signing.unverified_payload(refusal).get('reason')}"
    except NotGenuine as error:
        return f"it cannot be read: {error}"
