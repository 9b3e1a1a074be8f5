"""A folder that another process has filled costs no press: real users, real processes."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agent.queue.paths import Layout
from tests.faults.privileges.device import DONE, Van, end, provisioned
from tests.support.backend import running_backend
from tests.support.filled import fill, nest

pytestmark = pytest.mark.slow

NAMES: Final = 5_000
"""With the folders enough for several turns of capture, one each second."""

LATER_S: Final = 5.0
"""How much later than usual the first press may be answered, and any other."""

MORE_MB: Final = 16
"""Of memory at most: shutil.rmtree takes 145 MB more for a million names."""


@pytest.fixture
def van(tmp_path: Path) -> Iterator[Van]:
    with running_backend(tmp_path) as backend, provisioned(backend) as made:
        yield made


def lay(layout: Layout) -> None:
    nest(layout.queue / "deep", 1_100)
    fill(layout.queue / "many", NAMES)
    for folder, _, _ in os.walk(layout.queue / "many"):
        Path(folder).chmod(0o770)


def first_press_s(van: Van) -> float:
    """From the start of capture to the answer of a press."""
    van.stop_capture()
    began_s = time.monotonic()
    van.start_capture()
    assert van.press() is None
    return time.monotonic() - began_s


def peak_mb(van: Van) -> int:
    status = Path(f"/proc/{van.children['capture']}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1_024


def test_presses_are_served_while_a_filled_queue_is_deleted(van: Van) -> None:
    """Before, each start ended with a RecursionError, or waited until all was deleted."""
    usual_s, usual_mb = first_press_s(van), peak_mb(van)
    van.stop_capture()
    how, attacker = van.attack("doorstep-sync", lay)
    end(attacker)
    assert how == DONE

    slowest_s = first_press_s(van)

    presses = 0
    assert slowest_s < usual_s + LATER_S
    while van.layout.asides():
        began_s = time.monotonic()
        assert van.press() is None
        presses += 1
        assert time.monotonic() - began_s < LATER_S
    assert presses > 1
    assert peak_mb(van) < usual_mb + MORE_MB
    log = van.device.log("capture")
    assert "event=queue_set_aside" in log
    assert "event=aside_kept" not in log
    assert "Traceback" not in log
