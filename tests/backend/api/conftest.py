"""A running backend with the demo's orders, and a system that may use its API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.api.systems import System
from tests.support.live_pages import Live, live_pages


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_pages(tmp_path, identity=False) as live:
        yield live


@pytest.fixture
def erp(live: Live) -> System:
    return System.of(live)
