"""`doorstep status`: what it prints and ends with."""

import json

import pytest

from tests.support.device import Device
from tests.unit.agent.command.inprocess import filled, printed, run


def test_status_and_queue_end_with_0_also_with_alarms(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(device)

    assert run(device, "status") == 0
    assert run(device, "queue") == 0
    told = printed(capsys)
    assert "1 refused, 1 damaged" in told
    assert "POST was answered 413" in told


def test_status_as_json_is_one_document(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    filled(device)

    assert run(device, "status", "--json") == 0
    assert json.loads(printed(capsys))["queue"]["waiting"] == 3
