"""Fixtures that most tests of capture share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.benchtop import Bench, bench


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    """A capture loop with the settings of `bench`."""
    with bench(tmp_path) as opened:
        yield opened
