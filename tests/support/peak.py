"""The memory that Python takes while something runs."""

import tracemalloc
from collections.abc import Callable


def peak_mb(act: Callable[[], object]) -> float:
    """Return the most megabytes that Python's objects took while `act` ran; it must not raise."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
