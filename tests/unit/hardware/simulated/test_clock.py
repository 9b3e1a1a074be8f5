"""The witness of a simulated board's clock."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from hardware.clock import ClockSource
from hardware.clock_system import SystemClock
from hardware.simulated.clock import simulated_witness
from tests.unit.hardware.simulated.worlds import scripted


def test_the_clock_is_synchronised_while_the_script_says_so(tmp_path: Path) -> None:
    lost = scripted(
        tmp_path, '[[at]]\npress = 1\nclock = "unsynced"\n[[at]]\npress = 2\nclock = "rtc"'
    )
    clock = SystemClock(datetime.now(UTC) - timedelta(days=1), partial(simulated_witness, lost))

    sources = [clock.now().source]
    for _ in range(2):
        lost.press(time.monotonic_ns())
        sources.append(clock.now().source)

    assert sources == [ClockSource.NTP, ClockSource.UNSYNCED, ClockSource.RTC]
