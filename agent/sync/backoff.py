"""The speed of the sync loop: back-off, pauses, and one log line when that changes."""

import logging
import random
from datetime import datetime
from typing import Final

from agent.status.troubles import Trouble
from hardware.change_detector import ChangeDetector

log = logging.getLogger(__name__)

BACK_OFF_BASE_S: Final = 1.0
"""First back-off at most, doubles: a mobile line that was cut is often back within a second."""

BACK_OFF_CAP_S: Final = 300.0
"""Longest back-off, and longest rest of the loop: any proxy can ask for a day.

With full jitter 5,000 devices make 44 retries a second (simulated, November 2026).
"""

SUSPECT_BASE_S: Final = 300.0
SUSPECT_CAP_S: Final = 86_400.0
"""First and longest wait of a suspect item: a proxy is fixed in minutes, a record never."""

SUSPECTS_IN_A_ROW: Final = 3
"""Suspect answers in a row that slow the loop: no record is at fault then; each costs a POST."""

GIVE_UP_AFTER: Final = 3
"""Attempts in a row without an answer that end a `sync --once`: it is no record's fault."""

LONG_REST_S: Final = 5.0
"""Longest rest that does not end a `sync --once`: a person waits for it."""

LINK_NEWS_S: Final = 5.0
"""Least time between two waits shortened by the link: one that flaps must not make a storm."""


class Backoff:
    """The times at which the loop may send again.

    Attributes:
        rest_until_s: CLOCK_BOOTTIME before which nothing is sent.
        silent: attempts in a row without an answer of a working backend.
        pause: why the loop is paused; None if it is not.
        contact: time at which the backend last signed a decision, by its own clock.
        answer: the result of the last attempt, as text.
        blocked_reason: the obstacle of the last attempt; None without one.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        self._suspects = 0
        self._delivered = 0
        self._lost = ChangeDetector(last=False)
        self._news_s = float("-inf")
        self.rest_until_s = 0.0
        self.silent = 0
        self.pause: str | None = None
        self.contact: datetime | None = None
        self.answer: str | None = None
        self.blocked_reason: Trouble | None = None

    def spread_s(self, most_s: float) -> float:
        """Return a random wait of up to `most_s`: a fleet may come back in the same second."""
        return self._rng.uniform(0.0, most_s)

    def back_off_s(self, failures: int) -> float:
        """Return a wait with full jitter; at least 1 ms, so that nothing is due at once."""
        cap_s = min(BACK_OFF_BASE_S * 2.0 ** min(failures - 1, 16), BACK_OFF_CAP_S)
        return max(self._rng.uniform(0.0, cap_s), 0.001)

    def retry_wait_s(self, failures: int, asked_s: float | None) -> float:
        """Return the wait that a backend asked for, or the back-off if that is longer."""
        return max(self.back_off_s(failures), asked_s or 0.0)

    def note_decision(self, utc: datetime, *, delivered: bool) -> None:
        """Reset all waits: the backend has decided about a record."""
        self.contact, self.answer = utc, "delivered" if delivered else "refused"
        self._delivered += delivered
        self._reached()
        self.clear()

    def note_deferred(self, now_s: float, answer: str) -> None:
        """Note that the backend answered, but one record did not get through."""
        self.answer = answer
        self._reached()
        self._resume()
        self._rest(now_s, None)

    def note_lost(
        self, now_s: float, answer: str, retry_after_s: float | None, *, moved: bool = False
    ) -> None:
        """Note a lost connection or a broken backend; if the record `moved`, count it as the first.

        Otherwise the waits for a connection that is cut every ten seconds would grow and grow.
        """
        self.answer = answer
        if moved:
            self._failures = self.silent = 0
        self.silent += 1
        self._resume()
        if self._lost.changed(now=True):
            self.log_delivered()
            log.warning("event=link_lost answer=%r", answer)
        self._rest(now_s, retry_after_s)

    def note_not_let_in(self, now_s: float, answer: str) -> float:
        """Pause, because this device is not let in; return the end of the pause."""
        self.answer = answer
        self._reached()
        if self.pause is None:
            self.log_delivered()
            log.warning("event=paused answer=%r meaning=device_not_let_in", answer)
        self.pause = answer
        self._rest(now_s, None)
        return self.rest_until_s

    def note_suspect(self, now_s: float, answer: str, before: int) -> float:
        """Note a bare 4xx for a record that had `before` of them; return how long it waits."""
        self.answer = answer
        self._suspects += 1
        self._reached()
        self._resume()
        if self._suspects >= SUSPECTS_IN_A_ROW:
            self._rest(now_s, None)
        return suspect_wait_s(before)

    def is_hopeless(self, now_s: float) -> bool:
        """Return True if a person who waits for all records should come back later."""
        is_resting = self.rest_until_s - now_s > LONG_REST_S
        return is_resting or self.silent >= GIVE_UP_AFTER or self.pause is not None

    def is_settled(self, now_s: float) -> bool:
        """Return True if the loop does not rest, and the last attempt had an answer."""
        return self.rest_until_s <= now_s and not self.silent

    def link_news(self, now_s: float) -> None:
        """Try soon after a change of the network, the sooner the shorter it was unavailable.

        Not at once: a mobile network informs all devices of a cell in the same second.
        """
        if self._failures and now_s >= self._news_s + LINK_NEWS_S:
            self._news_s = now_s
            self._resume()
            soon_s = now_s + self.back_off_s(self._failures) / 2
            self.rest_until_s = min(self.rest_until_s, soon_s)

    def clear(self) -> None:
        """End the loop's wait, and a pause."""
        self._resume()
        self._failures = self._suspects = self.silent = 0
        self.rest_until_s = 0.0

    def log_delivered(self) -> None:
        """Log how many records were delivered since it was last told."""
        if self._delivered:
            log.info("event=delivered count=%d", self._delivered)
            self._delivered = 0

    def _resume(self) -> None:
        if self.pause is not None:
            self.pause = None
            log.info("event=resumed")

    def _reached(self) -> None:
        self.silent = 0
        if self._lost.changed(now=False):
            log.info("event=link_back")

    def _rest(self, now_s: float, asked_s: float | None) -> None:
        self._failures += 1
        rest_s = self.retry_wait_s(self._failures, asked_s)
        self.rest_until_s = now_s + min(rest_s, BACK_OFF_CAP_S)


def suspect_wait_s(before: int) -> float:
    """Return how long a record waits that has had `before` alarms already."""
    return min(SUSPECT_BASE_S * 2.0 ** min(before, 16), SUSPECT_CAP_S)
