"""The last logged value, so that a log has one line per change and none per attempt."""

from typing import Generic, TypeVar

T = TypeVar("T")


class ChangeDetector(Generic[T]):
    """The last logged value.

    Attributes:
        last: that value; the first one, from the constructor, counts as logged.
    """

    def __init__(self, last: T) -> None:
        self.last = last

    def changed(self, now: T) -> bool:
        """Return True if `now` differs from the last value, and keep `now`."""
        before, self.last = self.last, now
        return now != before
