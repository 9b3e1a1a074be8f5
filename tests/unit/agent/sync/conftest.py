"""Fixtures that tests of sync share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.agent.sync.line import Line, open_line


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with open_line(tmp_path) as opened:
        yield opened
