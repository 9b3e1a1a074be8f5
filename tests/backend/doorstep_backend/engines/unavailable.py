"""The error of every engine while it is unavailable, and when to ask again."""

from typing import Final

AWAY_S: Final = 10
"""When somebody may ask again after Unavailable: a restart of an engine takes about as long."""


class Unavailable(OSError):
    """Rows or objects cannot be asked now: locked, full, read-only, lost, too slow, denied.

    Says why, in the engine's own words where it has any. Ask again later. Lost in the last moment,
    a step may have happened.
    """
