"""Fixtures that all tests of the agent share."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest

from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from hardware.driver import Driver
from hardware.settings import CameraSettings, Match
from tests.support.device import environment
from tests.support.factory import queue

Messages = Callable[[], list[bytes]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A state folder without a schema."""
    made = Layout(tmp_path / "state", tmp_path / "run")
    made.make()
    return made


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An empty queue."""
    _, database, made = queue(tmp_path)
    with closing(database):
        yield made


@pytest.fixture
def messages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Messages]:
    """Return the messages on systemd's NOTIFY_SOCKET since the last call."""
    path = tmp_path_factory.mktemp("s") / "notify"  # less than 108 bytes. Source: unix(7)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(path))
        line.setblocking(False)

        def received() -> list[bytes]:
            found = []
            with suppress(BlockingIOError):
                while True:
                    found.append(line.recv(100))
            return found

        with environment(NOTIFY_SOCKET=str(path)):
            yield received


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two documents that are offered to capture; the test of the rest sets it again."""
    monkeypatch.setattr("agent.capture.turns.REST_S", 0.0)


@dataclass(frozen=True, slots=True)
class Trial(CameraSettings):
    """With a setting of one driver alone."""

    port: Annotated[str, Match("usb:.*", "usb:PORT")] = "usb:"


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver in the place of v4l2 that has settings of its own."""
    driver = Driver(open=lambda _settings, _world: None, device_files=None, settings=Trial)
    module = ModuleType("hardware.drivers.camera_v4l2")
    vars(module)["DRIVER"] = driver
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return driver
