"""The thread that erases what is due, step by step; any number of processes may have one."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office.erasure import Erasure
from doorstep_backend.wire.outage import note_away

log = logging.getLogger(__name__)

FIRST_S: Final = 60.0
"""Time from a start until it begins: requests that waited for the start come first."""

AGAIN_S: Final = 60.0
"""After the database or the objects were away: a first clean-up of a month takes hours."""

EVERY_S: Final = 3600.0
"""A retention is counted in days, and an hour is 4 % of the shortest."""

SHARE: Final = 0.1
"""Share of its time in which it erases: 5 records a second, as bench peak has it, while an instance
at its limit has 2 a second due on a day's average. Devices use the objects too."""

PAUSE_AT_MOST_S: Final = 20.0
"""Between two steps: where some objects answer late, the others still go in their time."""

STOP_WITHIN_S: Final = 5.0
"""Longest wait for the step that it is in when the process ends; the rest is still due."""


class Expiry:
    """A thread that erases what is due, also while nobody calls the command `expire`."""

    def __init__(self, erasure: Erasure) -> None:
        self._erasure = erasure
        self._ended = Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it in a thread of its own during the block."""
        thread = Thread(target=self._run, name="expiry", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        wait_s = FIRST_S
        while not self._ended.wait(wait_s):
            wait_s = self._expire()

    def _expire(self) -> float:
        """Erase what is due; return the seconds to wait."""
        try:
            began_s = time.monotonic()
            for _ in self._erasure.steps(self._erasure.now()):
                took_s = time.monotonic() - began_s
                if self._ended.wait(min(took_s * (1 / SHARE - 1), PAUSE_AT_MOST_S)):
                    break
                began_s = time.monotonic()
        except Unavailable as error:
            note_away(error)
            return AGAIN_S
        except Exception:  # a bug; what is due is not to stay unseen from then on
            log.exception("expiry=failed")
        return EVERY_S
