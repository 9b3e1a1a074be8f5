"""`doorstep prune`: what it tells."""

import pytest

from tests.agent.command.inprocess import printed, run
from tests.support.device import Device, empty_queue


def test_prune_says_what_it_deleted(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    empty_queue(device.folder)

    assert run(device, "prune") == 0
    assert printed(capsys) == "0 files and 0 rows deleted\n"
