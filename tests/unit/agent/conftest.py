"""What all tests of the agent share."""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated

import pytest

from hardware.driver import Driver
from hardware.settings import CameraSettings, Match


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two documents that are offered to capture; the test of the rest sets it again."""
    monkeypatch.setattr("agent.capture.documents.REST_S", 0.0)


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
