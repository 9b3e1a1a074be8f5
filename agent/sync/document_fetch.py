"""Fetches a document: cheap to ask for, and looked at by capture, which alone believes it."""

import logging
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import DoorstepError
from agent.process import control, sd_notify
from agent.process.offer_result import OfferResult
from agent.sync import blocked_reason
from agent.sync.blocked_reason import Connectivity
from agent.wire.http import Backend, NoAnswer
from agent.wire.tus import Answer
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)

MANIFEST_EVERY_S: Final = 60.0
"""Interval of requests, give or take a third: a changed route reaches the driver in a minute.

5,000 devices ask 83 times a second; nearly all answers are a 304 of a hundred bytes.
"""

FLEET_EVERY_S: Final = 600.0
"""Interval for a document that changes once in months; a process can ask for it sooner."""

WANTED_EVERY_S: Final = 60.0
"""Least time between two askings that something wanted: a backend may go on signing strangely."""

_STATUS_S: Final = 2.0
"""Longest wait for capture's list of its documents; after that, it counts as having this one."""

_ETAG: Final = re.compile(r'(W/)?"[!#-~]{1,128}"')
"""Pattern of an ETag for If-None-Match: others make a request that no library sends.

Source: RFC 9110 section 8.8.3, in ASCII; 128 characters hold any digest.
"""

_JWS: Final = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]+\s*")
"""Pattern of a signed document. Source: RFC 7515 section 7.1."""

ANSWER_S: Final = 30.0
"""Longest wait for an answer to an offer: capture verifies 4 MB, and flushes them in ten seconds on
a worn card.
"""

AGAIN_S: Final = 30.0
"""Wait after an offer that was not answered: a capture that hangs must not hold up records too."""


@dataclass(frozen=True, slots=True)
class Document:
    """A kind of document.

    Attributes:
        kind: its name in the log, in an offer, and in capture's list of its documents.
        every_s: interval at which it is asked for, give or take a third.
        ask: asks the backend for it, unless it is still the one with this ETag.
        missing: the meaning of a 404, as text.
        held: the ETag of the device's document, if that can be read without capture;
            otherwise it is the one that was fetched last.
    """

    kind: str
    every_s: float
    ask: Callable[[str | None], Answer]
    missing: str
    held: Callable[[], str | None] | None = None


class Submission:
    """Documents of one kind for capture, `manifest` or `fleet`: the newest without an answer."""

    def __init__(self, socket: Path, kind: str) -> None:
        self._socket = socket
        self._kind = kind
        self._text: str | None = None
        self._due_s = float("-inf")

    def put(self, text: str) -> None:
        """Offer this document from now on, first at the next tick."""
        self._text, self._due_s = text, float("-inf")

    @property
    def waits(self) -> bool:
        """True if there is one that capture has not answered."""
        return self._text is not None

    def tick(self, now_s: float) -> OfferResult | None:
        """Offer the waiting document; None if none waits, or capture does not answer."""
        if self._text is None or now_s < self._due_s:
            return None
        request = {"offer": self._kind, "text": self._text}
        try:
            answer = control.ask(self._socket, request, ANSWER_S, sd_notify.alive)
        except DoorstepError:
            self._due_s = now_s + AGAIN_S
            return None
        if answer is None:  # capture does not run; a look costs nothing
            return None
        self._text = None
        return OfferResult.read(answer)


class DocumentFetch:
    """The fetching of one kind of document at intervals, and its offers; failures are tried again.

    Args:
        document: the kind of document.
        backend: the backend to ask.
        capture: the socket of capture, which verifies the document.
        rng: for jitter.
        connectivity: notes the results of asking.
        on_fetched: called with a fetched document, before capture gets it.
        on_untrusted: called if capture refuses a document, and another answer may help.
    """

    def __init__(
        self,
        document: Document,
        backend: Backend,
        capture: Path,
        rng: random.Random,
        connectivity: Connectivity,
        *,
        on_fetched: Callable[[str], None] = lambda _text: None,
        on_untrusted: Callable[[], None] = lambda: None,
    ) -> None:
        self._document = document
        self._backend = backend
        self._capture = capture
        self._rng = rng
        self._connectivity = connectivity
        self._on_fetched = on_fetched
        self._on_untrusted = on_untrusted
        self._submission = Submission(capture, document.kind)
        self._etag: str | None = None
        self._due_s = self._wanted_from_s = float("-inf")
        self._is_wanted = False
        self._logged = ChangeDetector[str | None](None)

    def make_due(self) -> None:
        """Ask at the next tick: a person waits for `sync --once`."""
        self._due_s = float("-inf")

    @property
    def waits(self) -> bool:
        """True if one came and waits for capture: a process that ends now forgets it."""
        return self._submission.waits

    def fetch_at_next_tick(self) -> None:
        """Ask at the next tick: something was signed by a key that is not known yet."""
        self._is_wanted = True
        self._due_s = min(self._due_s, self._wanted_from_s)

    def tick(self, now_s: float) -> None:
        """Offer what waits for capture, and ask when it is time (CLOCK_BOOTTIME)."""
        self._offer(now_s)
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._document.every_s * self._rng.uniform(2 / 3, 4 / 3)
        if self._is_wanted:
            self._is_wanted, self._wanted_from_s = False, now_s + WANTED_EVERY_S
        self._tell(self._outcome())
        self._offer(now_s)

    def _outcome(self) -> str:
        """Ask, and describe the result."""
        try:
            with self._backend.attempt():
                answer = self._document.ask(self._etag_to_name())
        except NoAnswer as error:
            self._connectivity.blocked_reason = error.blocked_reason
            return str(error)
        self._note(answer)
        if answer.status == 200:
            return self._take(answer.body, answer.headers.get("ETag", ""))
        told = {304: "unchanged", 404: self._document.missing}
        return told.get(answer.status, f"answered {answer.status}")

    def _note(self, answer: Answer) -> None:
        """Note contact after 304, 404 or a signed document; other 200s may be a captive portal."""
        if answer.status in {304, 404} or (answer.status == 200 and _JWS.fullmatch(answer.body)):
            self._connectivity.answered()
        else:
            self._connectivity.blocked_reason = blocked_reason.of_answer(answer.status)

    def _etag_to_name(self) -> str | None:
        """Return the ETag to name; none if capture has no document, whatever was fetched before."""
        if self._document.held is not None:
            return self._document.held()
        if self._etag is None:
            return None
        try:
            told = control.ask(self._capture, {"status": True}, _STATUS_S)
        except DoorstepError:
            return self._etag
        has_none = told is not None and told.get(self._document.kind) in {None, "none"}
        return None if has_none else self._etag

    def _take(self, body: bytes, etag: str) -> str:
        """Take a document of any content; capture verifies it."""
        try:
            text = body.decode("ascii")
        except ValueError:
            return f"not a {self._document.kind}: not text"
        self._etag = etag if _ETAG.fullmatch(etag) else None
        self._on_fetched(text)
        self._submission.put(text)
        return "fetched"

    def _offer(self, now_s: float) -> None:
        result = self._submission.tick(now_s)
        if result is not None:
            self._handle_result(result)

    def _handle_result(self, result: OfferResult) -> None:
        if result.error is None:
            return
        self._tell(f"refused by capture: {result.error}")
        if result.retry:
            self._etag = None
            self._on_untrusted()

    def _tell(self, answer: str) -> None:
        if self._logged.changed(answer):
            _log.info("event=%s answer=%r", self._document.kind, answer)
