"""A wait that tells a device that hangs from one that is only slow."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

MOST: Final = 3
"""The longest wait in multiples of its limit, on any processor.

So a camera's start (5 s) ends after 15 s, and the wait for an exposure and then for a frame (3 s
each) after 18 s. The unit's watchdog waits 30 s, and capture feeds it after each of these.
"""

LEAST_S: Final = 0.005
"""Less than this is not waited for: each look at the processor's time costs some of it."""


class HangTimeout:
    """A time limit that does not count the time of a busy processor; it begins when this is made.

    On a slow processor work takes many times as long as usual, and nothing is broken. So the time
    does not count in which this process used a processor or waited for one. A device that hangs
    costs no such time: its wait ends at the limit. It ends after `MOST` times the limit anyhow.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s: Final = limit_s
        self._before_ns: Final = _processor_ns()
        self._began_s: Final = time.monotonic()

    def wait_s(self) -> float:
        """Return how long to wait before asking again, s; 0 when it is over."""
        waited_s = self.waited_s()
        left_s = self._limit_s - waited_s
        if left_s < LEAST_S:
            left_s += self._busy_s()
        left_s = min(left_s, MOST * self._limit_s - waited_s)
        return left_s if left_s >= LEAST_S else 0.0

    def waited_s(self) -> float:
        """Return how long it has taken so far, s."""
        return time.monotonic() - self._began_s

    def _busy_s(self) -> float:
        used_ns = _processor_ns().items()
        return sum(max(0, now_ns - self._before_ns.get(task, 0)) for task, now_ns in used_ns) / 1e9


def _processor_ns() -> dict[str, int]:
    """Return how long each thread of this process has used a processor or waited for one.

    Empty where the kernel does not count it: then all time counts.
    Source: Linux's Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat: time on the
    processor and time on its queue, in ns.
    """
    used_ns = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # the thread has ended
            used, queued, _ = (task / "schedstat").read_bytes().split()
            used_ns[task.name] = int(used) + int(queued)
    return used_ns
