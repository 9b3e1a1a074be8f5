"""Keeps what the queue holds in `run/status.json`, for when nobody has the database open."""

import logging
from collections.abc import Callable
from typing import Final

from agent.errors import StorageFault
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.status import kept
from agent.status.document import queue_part
from hardware.clock import Clock
from hardware.told import Told

_log = logging.getLogger(__name__)

EVERY_S: Final = 60.0
"""How often: whoever reads it is told how old it is."""


class KeptStatus:
    """Written in the loop's thread; what fails here holds up nothing.

    Args:
        layout: where it lies.
        outbox: what it says; also where that cannot be read.
        clock: dates it.
        now_ns: tells CLOCK_MONOTONIC.
    """

    def __init__(
        self, layout: Layout, outbox: Outbox, clock: Clock, now_ns: Callable[[], int]
    ) -> None:
        self._layout = layout
        self._outbox = outbox
        self._clock = clock
        self._now_ns = now_ns
        self._due_ns = 0
        self._failed = Told[str | None](None)

    def turn(self) -> None:
        """Write it when it is time."""
        if self._now_ns() >= self._due_ns:
            self.keep()

    def keep(self) -> None:
        """Write it now."""
        self._due_ns = self._now_ns() + int(EVERY_S * 1e9)
        try:
            kept.keep_queue(self._layout, queue_part(self._outbox), self._clock.now().utc)
        except StorageFault as error:
            if self._failed.is_news(str(error)):
                _log.error("event=status_not_kept error=%r", str(error))
        else:
            self._failed.last = None
