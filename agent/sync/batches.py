"""The batches in which sync uses the network, if `sync.batch_minutes` asks for that."""

import random
from collections.abc import Callable
from typing import Final

LOOK_EVERY_S: Final = 10.0
"""Least time between two looks at what is urgent, each of which asks capture: a device in its
cradle sends within these seconds. A capture that hangs holds the loop up for a fifth of them.
"""

IDLE_S: Final = 40.0
"""Time without work after which a batch ends. It is longer than the 30 s in which a driver can take
a photo back: otherwise the photo would be sent at once, and its withdrawal with the next batch.
"""


class Batches:
    """The times at which sync may use the network; without a limit, always.

    A batch lasts until the backend has answered all that was due, so a device without a network
    tries as often as one that sends at once.

    Args:
        every_s: longest time from the last work of a batch to the next one; 0 for a batch that
            never ends.
        is_urgent: asks whether the device must not wait: in its cradle, or without a route.
        rng: for jitter: a fleet that leaves the depot together need not come back together.
    """

    def __init__(
        self,
        every_s: float = 0.0,
        is_urgent: Callable[[], bool] = lambda: False,
        rng: random.Random | None = None,
    ) -> None:
        self._every_s = every_s
        self._ask = is_urgent
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._next_s = self._look_s = float("-inf")
        self._is_urgent = False
        self._idle_from_s: float | None = None

    @property
    def minutes(self) -> int:
        """The setting; 0 if there are no batches."""
        return round(self._every_s / 60)

    def is_open(self, now_s: float) -> bool:
        """Return True in a batch; at the start of the process, one is due (CLOCK_BOOTTIME)."""
        return not self._every_s or self._next_s <= now_s or self._look(now_s)

    def note_turn(self, now_s: float, *, is_idle: bool) -> None:
        """Note a turn of the loop in a batch, and end the batch after a while without work."""
        if not self._every_s:
            return
        if not is_idle or self._look(now_s):
            self._idle_from_s = None
        elif self._idle_from_s is None:
            self._idle_from_s = now_s
        elif now_s - self._idle_from_s >= IDLE_S:
            self._next_s = self._idle_from_s + self._every_s * self._rng.uniform(2 / 3, 1.0)
            self._idle_from_s = None

    def wait_s(self, now_s: float) -> float:
        """Return how long the loop waits between batches, until the next one or the next look."""
        return max(min(self.until_next_s(now_s), self._look_s - now_s), 0.0)

    def until_next_s(self, now_s: float) -> float:
        """Return the time until the next batch; 0 in one. From any thread."""
        is_open = not self._every_s or self._is_urgent
        return 0.0 if is_open else max(self._next_s - now_s, 0.0)

    def _look(self, now_s: float) -> bool:
        if now_s >= self._look_s:
            self._is_urgent, self._look_s = self._ask(), now_s + LOOK_EVERY_S
        return self._is_urgent
