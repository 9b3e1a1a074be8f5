"""`doorstep prune`: what it tells."""

import pytest

from agent.trust.certain import Agreement
from agent.trust.store import KeptTime, TrustStore
from hardware.clock import BUILT
from hardware.clock_system import boot_id
from tests.support.device import Device, empty_queue
from tests.unit.agent.command.inprocess import printed, run


def test_prune_says_what_it_deleted_and_that_the_time_is_not_certain_yet(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is no fault."""
    empty_queue(device.folder)

    assert run(device, "prune") == 0
    told = printed(capsys)
    assert told.startswith("0 files and 0 rows deleted\n")
    assert "no receipt of this boot has agreed with the clock yet" in told


def test_prune_says_nothing_of_it_where_the_time_is_certain(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    empty_queue(device.folder)
    TrustStore(device.layout).keep_time(KeptTime(BUILT, Agreement(boot_id(), BUILT, 0.0)))

    assert run(device, "prune") == 0
    assert printed(capsys) == "0 files and 0 rows deleted\n"
