"""A device whose commands are run in this process, and one that is to be enrolled."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.device import Device
from tests.support.est import est_server, required
from tests.support.fleet_documents import fleet_document
from tests.unit.agent.command.enrolling import FLEET_KEY, Bench
from tests.unit.agent.command.inprocess import Terminal


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


@pytest.fixture
def terminal(device: Device, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(device, capsys)


@pytest.fixture
def bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with est_server(tmp_path / "est") as server:
        server.fleet = fleet_document(FLEET_KEY)
        tables = required(server, tmp_path / "van", FLEET_KEY.public_key())
        yield Bench(Device(tmp_path / "van", **tables), server, capsys)
