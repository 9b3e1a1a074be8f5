"""A database that another process may have written costs a limited time."""

import re
from pathlib import Path
from typing import Final

from agent.queue import bounds

UNIT: Final = Path(__file__).parents[3] / "systemd" / "doorstep-capture.service"


def test_longest_transaction_ends_before_the_watchdog() -> None:
    """systemd kills a capture process that gives no sign of life within WatchdogSec."""
    found = re.search(r"^WatchdogSec=(\d+)$", UNIT.read_text(), re.MULTILINE)

    assert found
    assert int(found[1]) > bounds.LONGEST_S
