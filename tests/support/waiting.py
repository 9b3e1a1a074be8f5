"""Waiting for what another thread or process does, for no longer than it takes."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

Seen = TypeVar("Seen")

LOOK_S: Final = 0.005
"""From look to look: a hundredth of what most of these waits take, so that none is rounded up."""


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
