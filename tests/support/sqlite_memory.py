"""SQLite's memory, which is one for the process: a test's process is not a device's."""

import _sqlite3
import ctypes
from typing import Final

_SQLITE: Final = ctypes.CDLL(_sqlite3.__file__)
"""The functions of the library that Python uses. Source: sqlite.org/c3ref."""
_SQLITE.sqlite3_memory_used.restype = ctypes.c_int64
_SQLITE.sqlite3_hard_heap_limit64.argtypes = [ctypes.c_int64]


def lift_limit() -> None:
    """Lift the limit that opening a device's queue has set for the whole process."""
    _SQLITE.sqlite3_hard_heap_limit64(0)


def used_bytes() -> int:
    """Return how much memory SQLite uses in this process."""
    return int(_SQLITE.sqlite3_memory_used())
