"""The thread that files what has its receipt; any number of processes may have one."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from agent.errors import RecordDamaged
from doorstep_backend.engines.objects import Missing
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office.model import Office
from doorstep_backend.wire.filing_backlog import AGAIN, LEASE, MOST
from doorstep_backend.wire.outage import note_away

log = logging.getLogger(__name__)

LOOK_S: Final = {"sqlite": AGAIN.total_seconds(), "postgresql": 1.0}
"""Interval of looking unasked: other processes receive too, if they share a database."""

TRIED_S: Final = LEASE.total_seconds() + 1.0
"""Wait after an error that concerns all records: then those that it had taken are due again."""

STOP_WITHIN_S: Final = 5.0
"""Longest wait for what it has in hand when the process ends; the rest is filed later."""


class Worker:
    """A thread that files what is due, and waits until the intake of its own process wakes it."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._filing_backlog = office.store.filing_backlog
        self._now = office.store.db.now
        self._ended = Event()
        self._look_s = 0.0
        self._has_more = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """File in a thread of its own during the block."""
        thread = Thread(target=self._run, name="filing", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._office.inbox.wake()
            thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._office.inbox.wait(self.step())

    def step(self) -> float:
        """File what is due, up to twice MOST records; return the seconds to wait."""
        try:
            self._file(self._take())
        except Unavailable as error:
            note_away(error)
        except Exception:  # a bug; receipts are given meanwhile, and filing is not to end unseen
            log.exception("filing=failed")
        else:
            return 0.0 if self._has_more else max(self._look_s - time.monotonic(), 0.0)
        self._look_s = 0.0
        return TRIED_S

    def _take(self) -> list[str]:
        """Take what its own process received, in parts; at a look, also what else is due."""
        own = self._office.inbox.came(MOST)
        self._has_more = len(own) == MOST
        taken, now_s = self._filing_backlog.take_of(own, self._now()), time.monotonic()
        self._office.inbox.drop({*own} - {*taken})
        if now_s < self._look_s:
            return taken
        others = self._filing_backlog.take(self._now())
        is_all = len(others) < MOST
        self._look_s = now_s + (LOOK_S[self._office.store.db.engine] if is_all else 0.0)
        return taken + others

    def _file(self, taken: Sequence[str]) -> None:
        """File each, also after one that fails by itself, as long as they are this worker's.

        Raises:
            Unavailable: of the rows; or of the objects, if not one record was filed.
        """
        filed, away, ends_s = list[str](), None, time.monotonic() + LEASE.total_seconds()
        try:
            for capture_id in taken:
                error = self._tried(capture_id)
                if error is None:
                    filed.append(capture_id)
                elif isinstance(error, Unavailable):
                    away = error
                    if time.monotonic() > ends_s:
                        break
        finally:
            self._filing_backlog.done(filed)
        if away is not None:
            if not filed:
                raise away
            note_away(away)

    def _tried(self, capture_id: str) -> Exception | None:
        """Return why it cannot be filed: it is tried again. Raises Unavailable, of the rows."""
        try:
            self._office.file(capture_id)
        except Exception as error:  # noqa: BLE001 - a bug that this record meets stops no other
            is_new = self._filing_backlog.put_off(capture_id, type(error).__name__, self._now())
            if is_new and not isinstance(error, Unavailable):
                _tell(capture_id, error)
            return error
        return None


def _tell(capture_id: str, error: Exception) -> None:
    bug = None if isinstance(error, (Missing, RecordDamaged)) else error
    log.warning("record=not_filed capture_id=%s why=%s", capture_id, error, exc_info=bug)
