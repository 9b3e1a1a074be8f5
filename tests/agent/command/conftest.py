"""A device whose commands are run in this process."""

from pathlib import Path

import pytest

from tests.support.device import Device


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)
