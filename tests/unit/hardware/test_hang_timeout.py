"""The wait for a device: other work of the processor is no fault of the device."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from hardware.hang_timeout import MOST, HangTimeout
from tests.support.sensor import work

LIMIT_S = 0.05


def test_patience_ends_at_its_limit_while_nothing_happens() -> None:
    """A device that hangs uses no processor, so the wait for it ends at the normal limit.

    The test waits in a process of its own, because threads of other tests may be busy. The shortest
    of some waits counts: on a busy machine a wait may take its longest time.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as own:
        waits_s = [own.submit(_waited_s).result() for _ in range(5)]

    assert LIMIT_S <= min(waits_s) < MOST * LIMIT_S


def test_patience_does_not_count_time_on_the_processor_or_its_queue() -> None:
    """A slow processor makes work last longer; nothing is broken."""
    timeout = HangTimeout(LIMIT_S)

    work(2 * LIMIT_S)

    assert timeout.waited_s() < MOST * LIMIT_S, "this machine stood still"
    assert timeout.wait_s() > 0


def test_patience_ends_also_while_the_processor_is_used() -> None:
    """The watchdog, which would end the process in the dark, must not come first."""
    timeout = HangTimeout(LIMIT_S)

    work(MOST * LIMIT_S)

    assert timeout.wait_s() == 0


def _waited_s() -> float:
    timeout = HangTimeout(LIMIT_S)
    while wait_s := timeout.wait_s():
        time.sleep(wait_s)
    return timeout.waited_s()
