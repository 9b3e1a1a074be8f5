"""Waiting for what another thread or process does, for no longer than it takes."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, TypeVar

Seen = TypeVar("Seen")

LOOK_S: Final = 0.005
"""From look to look: a hundredth of what most of these waits take, so that none is rounded up."""

BEGUN_S: Final = 0.3
"""Until what was begun has to wait: ten times as long as a step of the backend takes."""


def waited(pool: Executor, do: Callable[..., Seen], *args: Any, **more: Any) -> Future[Seen]:
    """Begin this in another thread, and return once it is done or has to wait."""
    begun = pool.submit(do, *args, **more)
    time.sleep(BEGUN_S)
    return begun


def until(
    condition: Callable[[], Seen],
    within_s: float = 20.0,
    *,
    every_s: float = LOOK_S,
    told: Callable[[], str] = str,
) -> Seen:
    """Look until `condition` holds, and return what it gave.

    Raises:
        AssertionError: it did not hold within the time; with what `told` knows by then.
    """
    end_s = time.monotonic() + within_s
    while not (seen := condition()):
        assert time.monotonic() < end_s, f"not within {within_s:g} s\n{told()}"
        time.sleep(every_s)
    return seen
