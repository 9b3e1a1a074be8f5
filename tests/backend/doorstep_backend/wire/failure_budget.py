"""The limit of failures while erasing: one failure stops no other, many in a row stop all."""

import logging
from collections.abc import Callable
from typing import Final

from doorstep_backend.engines.unavailable import Unavailable

log = logging.getLogger(__name__)

MOST_FAILURES: Final = 10
"""In a row that cannot be erased before the rest is left to the next round: half a minute of an
engine that is away, and seldom chance where half of all objects cannot be read."""


class FailureBudget:
    """The tries to erase, of one round.

    Args:
        most: so many in a row that are Unavailable end it.

    Attributes:
        erased: how many records were; kept by who erases.
        failed: how many could not be erased. Each is in the log, stays as it is, and is still due.
    """

    def __init__(self, most: int) -> None:
        self.erased = 0
        self.failed = 0
        self._most = most
        self._failures = 0

    def attempt(self, erase: Callable[[str], bool], capture_id: str) -> bool:
        """Return what `erase` says; False if it cannot be: the others go on.

        Raises:
            Unavailable: as many in a row could not be as are tried; so much is away altogether.
        """
        try:
            is_erased = erase(capture_id)
        except Unavailable as error:
            log.warning("record=not_erased capture_id=%s why=%r", capture_id, str(error))
            self.failed += 1
            self._failures += 1
            if self._failures < self._most:
                return False
            self._failures = 0
            raise
        except Exception:  # a bug that this record meets: the others are to go in their time
            log.exception("record=not_erased capture_id=%s", capture_id)
            self.failed += 1
            return False
        self._failures = 0
        return is_erased
