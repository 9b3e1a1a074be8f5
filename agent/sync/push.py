"""The status document on its way to the backend: on requests that are made anyway."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from agent.errors import DoorstepError
from agent.status import header
from agent.status.troubles import Trouble
from agent.status.values import Status
from agent.wire.tus import Answer
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)

Ask = Callable[[str | None], Answer]
"""Asks the backend for a document, unless it is still the one with this ETag."""

LOOK_EVERY_S: Final = 10.0
"""Least time between two looks for news: each asks capture, and a drain sends ten records a second.

A capture that hangs is waited for 2 s each time, so this is also what that costs: a fifth.
"""

STARTS_S: Final = 60.0
"""Time for which a missing capture may still be starting: at boot both start at once."""

_FOREIGN: Final = (DoorstepError, OSError, ValueError, TypeError, KeyError)
"""Errors of a document whose parts other processes wrote. Records must not wait for its repair."""


def part_worth_sending(document: Status) -> tuple[object, ...]:
    """Return the part of a document that concerns a person: a change of it is sent.

    Counts and times are not part of it, nor the fact that a record is being sent: an upload shows
    that itself.
    """
    why = document.queue.why
    waits = None if why == Trouble.NEXT else why
    return document.needs, waits, document.bench_mode, document.agent


class Push:
    """The sending of the status document, which other requests carry.

    A document that was put on a request counts as sent. If that request is lost, its obstacle is
    news too, and the next fetch carries the document in any case.

    Args:
        compose: makes the document.
        carry: puts it on the next request.
        now_s: returns CLOCK_BOOTTIME.
    """

    def __init__(
        self,
        compose: Callable[[], Status],
        carry: Callable[[str], None],
        now_s: Callable[[], float],
    ) -> None:
        self._compose = compose
        self._carry = carry
        self._now_s = now_s
        self._last_news: tuple[object, ...] | None = None
        self._next_look_s = float("-inf")
        self._settled_s = now_s() + STARTS_S
        self._failed = ChangeDetector[str | None](None)

    def on_fetch(self, ask: Ask) -> Ask:
        """Wrap a request for a document so that it carries the status in any case."""

        def ask_with_status(etag: str | None) -> Answer:
            self._put(only_news=False)
            return ask(etag)

        return ask_with_status

    def on_upload(self) -> None:
        """Attach the status to the next request, if it differs from the last one sent."""
        if self._now_s() >= self._next_look_s:
            self._put(only_news=True)

    def _put(self, *, only_news: bool) -> None:
        self._next_look_s = self._now_s() + LOOK_EVERY_S
        try:
            document = self._composed()
            news, text = part_worth_sending(document), header.encoded(document)
        except _FOREIGN as error:
            self._without(f"{type(error).__name__}: {error}")
            return
        if len(text) > header.LIMIT_CHARS:
            self._without(f"{len(text)} characters, where {header.LIMIT_CHARS} are the most")
            return
        self._failed.last = None
        if news != self._last_news or not only_news:
            self._last_news = news
            self._carry(text)

    def _composed(self) -> Status:
        document = self._compose()
        if document.capture is None and self._now_s() < self._settled_s:
            needs = tuple(need for need in document.needs if need != Trouble.CAPTURE_STOPPED)
            return replace(document, needs=needs)
        return document

    def _without(self, why: str) -> None:
        if self._failed.changed(why):
            _log.warning("event=status_not_pushed why=%r", why)
