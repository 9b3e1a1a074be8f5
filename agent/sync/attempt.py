"""An attempt to deliver one record: a state machine of four steps."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from agent.errors import NotGenuine, UnknownSigner
from agent.models import Item
from agent.record.receipt import Keys, Receipt, Refusal, verified_receipt, verified_refusal
from agent.status.troubles import Trouble
from agent.sync import blocked_reason
from agent.sync.outcome import (
    Deferred,
    NoService,
    Outcome,
    StuckUpload,
    Unauthorised,
    UnsignedRejection,
)
from agent.wire.http import Backend, NoAnswer
from agent.wire.tus import Answer, metadata, number, own_address, quoted, retry_after_s
from hardware.foreign import read_json

PIECE_BYTES: Final = 262_144
"""Bytes per PATCH: a quarter of what default proxies let through (nginx, client_max_body_size)."""

LEAST_PIECE_BYTES: Final = 32_768
"""Halving after cuts ends here: the answer to a smaller piece takes longer than its bytes."""

_DONE: Final = frozenset({200, 204})
_GONE: Final = frozenset({404, 410})
_OTHER_OFFSET: Final = frozenset({409, 460})
_BUSY: Final = frozenset({429, 503})
_LOCKED: Final = 423
_TOO_LONG: Final = 413
"""To a whole record, the one reason for a second POST in an attempt: nginx's default lets no body
over 1 MB through to the backend, so nothing is there yet. Source: nginx, client_max_body_size.
"""


@dataclass(frozen=True, slots=True)
class Create:
    """The step that POSTs the upload, with the whole record or with none of it."""

    content: bytes | None


@dataclass(frozen=True, slots=True)
class Ask:
    """The step that asks by HEAD how much of the record the backend has."""


@dataclass(frozen=True, slots=True)
class Append:
    """The step that PATCHes a piece on to the `offset` bytes that the backend has."""

    offset: int


@dataclass(frozen=True, slots=True)
class AskForReceipt:
    """The step that POSTs to receipts, for the decision on a record that is there as a whole."""


Step = Create | Ask | Append | AskForReceipt
"""The next request of an attempt.

       first attempt                 later attempts
             v                              v
          Create <----- not there -------- Ask <--- other offset --- any step
             |   <-+                       | |
             v     +- not there            | +--- all ---> AskForReceipt
          Append --+ <------- a part ------+
           |  ^
           +--+ piece after piece
"""


class Attempt:
    """An attempt: step after step until one has an Outcome.

    It ends: Append must make progress each time, and the steps back to Create or Ask are counted.
    """

    def __init__(
        self,
        backend: Backend,
        keys: Keys,
        keep_url: Callable[[Item, str], None],
        item: Item,
        content: bytes,
        *,
        on_unknown_signer: Callable[[], None] = lambda: None,
    ) -> None:
        self.piece_bytes = PIECE_BYTES
        self.found = 0  # the offset that HEAD told; what a PATCH told may be forgotten again
        self._backend = backend
        self._keys = keys
        self._keep_url = keep_url
        self._on_unknown_signer = on_unknown_signer
        self._item = item
        self._content = content
        self._own_url = f"{backend.base}/files/{item.capture_id}"
        self._url = self._own_url
        if item.upload_url and item.upload_url.startswith(f"{backend.base}/files/"):
            self._url = item.upload_url  # else of a backend that was configured before
        self._is_created = False
        self._sent_to = 0  # every byte before it was sent in this attempt, and answered
        self._has_disagreed = False

    def run(self) -> Outcome:
        """Run all steps; a signed refusal ends them on any answer."""
        is_first = self._item.attempts == 1 and not self._item.adopted
        coming: Step | Outcome = Create(self._content) if is_first else Ask()
        while isinstance(coming, Step):
            try:
                answer = self._request(coming)
            except NoAnswer as error:
                return NoService(str(error), blocked_reason=error.blocked_reason)
            self._note_sent(coming, answer)
            coming = self._refusal(answer) or self._after(coming, answer)
        return self._noted(coming)

    def _note_sent(self, step: Step, answer: Answer) -> None:
        """Note how much of the record this attempt has sent from the first byte on, without a gap.

        A step whose connection is cut before the answer does not count, because that is no sign of
        a server that loses records. A proxy may answer 413 before it has read anything.
        """
        match step:
            case Create(content) if content is not None and answer.status != _TOO_LONG:
                self._sent_to = len(content)
            case Append(offset) if offset <= self._sent_to:
                self._sent_to = max(self._sent_to, offset + self.piece_bytes)

    def _noted(self, outcome: Outcome) -> Outcome:
        """Note whether this attempt sent the whole record for nothing.

        A busy backend asks for the record later, so nothing is noted then.
        """
        if isinstance(outcome, Deferred | NoService) and outcome.blocked_reason is not Trouble.BUSY:
            return replace(outcome, sent_whole=self._sent_to >= len(self._content))
        return outcome

    def _request(self, step: Step) -> Answer:
        match step:
            case Create(content):
                self._is_created = True
                about = metadata(self._item.capture_id, self._item.sha256)
                return self._backend.create(len(self._content), about, content)
            case Ask():
                return self._backend.offset(self._url)
            case Append(offset):
                return self._append(offset)
            case AskForReceipt():
                question = json.dumps({"capture_ids": [self._item.capture_id]}).encode()
                return self._backend.receipts(question)
            case other:
                assert_never(other)

    def _append(self, offset: int) -> Answer:
        piece = self._content[offset : offset + self.piece_bytes]
        try:
            return self._backend.append(self._url, offset, piece)
        except NoAnswer:
            self.piece_bytes = max(self.piece_bytes // 2, LEAST_PIECE_BYTES)
            raise

    def _after(self, step: Step, answer: Answer) -> Step | Outcome:
        if answer.status in _OTHER_OFFSET:
            return self._ask_again(answer)
        match step:
            case Create(content):
                return self._after_create(content, answer)
            case Ask():
                return self._after_ask(answer)
            case Append(offset):
                return self._after_append(offset, answer)
            case AskForReceipt():
                return self._after_ask_for_receipt(answer)
            case other:
                assert_never(other)

    def _after_create(self, content: bytes | None, answer: Answer) -> Step | Outcome:
        if answer.status == _TOO_LONG and content is not None:
            return Create(None)
        if answer.status != 201:
            return self._otherwise("POST", answer)
        length = len(self._content)
        taken = 0 if content is None else number(answer, "Upload-Offset")
        if taken is None or taken > length:
            return NoService(quoted("POST", answer) + ", without a usable Upload-Offset")
        self._follow_location(answer.headers.get("Location"))
        return self._finish(answer) if taken == length else Append(taken)

    def _after_ask(self, answer: Answer) -> Step | Outcome:
        """Continue from the offset.

        The address to which the backend has moved the upload is asked first, then the upload's
        own: a device never POSTs an id that HEAD finds, and a Location may have been cut short, or
        belong to another record.
        """
        is_told = answer.status in _DONE
        coming = self._go_on(answer) if is_told else self._otherwise("HEAD", answer)
        is_elsewhere = isinstance(coming, UnsignedRejection) or (
            is_told and isinstance(coming, NoService)
        )
        if isinstance(coming, Unauthorised):
            return self._with_reason(coming)
        if is_elsewhere and self._url != self._own_url:
            self._url = self._own_url
            return Ask()
        return self._create_again(answer) if answer.status in _GONE else coming

    def _with_reason(self, bare: Unauthorised) -> Outcome:
        """Ask by POST why the backend refuses this device, since that answer has a text.

        An answer to HEAD has no content. Source: RFC 9110 section 9.3.2.
        """
        try:
            told = self._request(AskForReceipt())
        except NoAnswer:
            return bare
        said = self._otherwise("HEAD", told)
        return said if isinstance(said, Unauthorised) else bare

    def _go_on(self, answer: Answer) -> Step | Outcome:
        offset, length = number(answer, "Upload-Offset"), len(self._content)
        if offset is None or number(answer, "Upload-Length") not in {None, length}:
            return NoService(quoted("HEAD", answer) + ", which is no answer of an upload server")
        if offset > length:
            return StuckUpload(f"HEAD says {offset} bytes are there, of a record of {length}")
        self.found = offset
        return AskForReceipt() if offset == length else Append(offset)

    def _after_append(self, offset: int, answer: Answer) -> Step | Outcome:
        """Continue after the piece; the answer must show progress within it."""
        if answer.status in _GONE:
            return self._create_again(answer)
        if answer.status not in _DONE:
            return self._otherwise("PATCH", answer)
        taken, length = number(answer, "Upload-Offset"), len(self._content)
        if taken is None or not offset < taken <= min(offset + self.piece_bytes, length):
            return NoService(quoted("PATCH", answer) + ", without a usable Upload-Offset")
        return self._finish(answer) if taken == length else Append(taken)

    def _after_ask_for_receipt(self, answer: Answer) -> Outcome:
        if answer.status != 200:
            return self._otherwise("POST receipts", answer)
        try:
            found = read_json(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return NoService(quoted("POST receipts", answer) + ", which is no list of receipts")
        match found.get(self._item.capture_id):
            case {"refusal": str(token)}:
                return self._decided(token, verified_refusal)
            case {"receipt": str(token)}:
                return self._decided(token)
        return Deferred("complete, but the backend has no receipt for it yet")

    def _ask_again(self, answer: Answer) -> Step | Outcome:
        if self._has_disagreed:
            words = quoted("twice", answer)
            return StuckUpload(words + ": backend and device disagree on the offset")
        self._has_disagreed = True
        return Ask()

    def _create_again(self, answer: Answer) -> Step | Outcome:
        if self._is_created:
            return StuckUpload(quoted("after POST", answer) + ": the upload did not stay")
        return Create(None)

    def _finish(self, answer: Answer) -> Outcome:
        token = answer.headers.get("Doorstep-Receipt")
        if token is None:
            return Deferred("complete, but without a receipt; it is asked for next time")
        return self._decided(token)

    def _decided(
        self,
        token: str,
        read: Callable[[str, Item, Keys], Receipt | Refusal] = verified_receipt,
    ) -> Outcome:
        try:
            return read(token, self._item, self._keys)
        except NotGenuine as error:
            if isinstance(error, UnknownSigner):
                self._on_unknown_signer()
            words = f"what the backend signed does not count: {error}"
            return Deferred(words, blocked_reason=Trouble.NO_ANSWER)

    def _refusal(self, answer: Answer) -> Refusal | None:
        """Read the signed refusal on an answer; one for another record counts as none."""
        try:
            return verified_refusal(answer.headers["Doorstep-Refusal"], self._item, self._keys)
        except UnknownSigner:
            self._on_unknown_signer()
        except (KeyError, NotGenuine):
            pass
        return None

    def _follow_location(self, location: str | None) -> None:
        self._url = own_address(self._backend.base, location) or self._own_url
        if self._url != (self._item.upload_url or self._own_url):
            self._keep_url(self._item, self._url)

    def _otherwise(self, what: str, answer: Answer) -> Outcome:
        """Handle the answers that mean the same for every request."""
        words, why = quoted(what, answer), blocked_reason.of_answer(answer.status)
        match answer.status:
            case 401 | 403:
                return Unauthorised(words)
            case status if status == _LOCKED:
                return Deferred(words, retry_after_s(answer), why)
            case status if status in _BUSY:
                return NoService(words, retry_after_s(answer), blocked_reason=why)
            case status if 400 <= status <= 499:
                return UnsignedRejection(words)
        return NoService(words)
