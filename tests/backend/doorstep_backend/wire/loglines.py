"""When a line of the log was written; and the log stays short when strangers make it long."""

import logging
import os
import time
from collections import Counter
from typing import Final

PER_MINUTE: Final = 5
"""Lines of one library and level: what is wrong is seen, and a day of tracebacks is 40 MB."""

NOISY: Final = (
    "uvicorn.error",
    "asyncio",
    "doorstep_backend.wire.listener",
    "doorstep_backend.reports.intake",
    "doorstep_backend.api.authority",
)
"""Loggers in which any client can cause a line; in asyncio's a traceback."""


class UtcFormatter(logging.Formatter):
    """A formatter that begins with the time in UTC, in ms, as RFC 3339; a traceback has it once."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


def begin() -> None:
    """Log to standard error from now on; journald has the time of each line itself."""
    dated = "" if _is_journald(os.fstat(2)) else "%(asctime)s "
    lines = logging.StreamHandler()
    lines.setFormatter(UtcFormatter(f"{dated}%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[lines])


def _is_journald(error: os.stat_result) -> bool:
    """Return True if stderr is journald's: children inherit it. Source: systemd.exec(5)."""
    return os.environ.get("JOURNAL_STREAM") == f"{error.st_dev}:{error.st_ino}"


class AFewPerMinute(logging.Filter):
    """A filter that passes PER_MINUTE lines of a level; the next one says how many it held back."""

    def __init__(self) -> None:
        super().__init__()
        self._began_s = 0.0
        self._written: Counter[int] = Counter()
        self._held = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Let PER_MINUTE lines of a level through; add to the next one how many were left out."""
        now_s = time.monotonic()
        if now_s - self._began_s >= 60:
            self._began_s = now_s
            self._written.clear()
        if self._written[record.levelno] == PER_MINUTE:
            self._held += 1
            return False
        self._written[record.levelno] += 1
        if self._held:
            record.msg = f"{record.getMessage()} (and {self._held} lines that were left out)"
            record.args, self._held = None, 0
        return True


def limit() -> None:
    """Let only a few lines a minute through of each logger in NOISY, in this process."""
    for name in NOISY:
        logger = logging.getLogger(name)
        if not any(isinstance(one, AFewPerMinute) for one in logger.filters):
            logger.addFilter(AFewPerMinute())
