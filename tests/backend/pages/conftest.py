"""The town whose pages are asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.pages.live import Live, live_town


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_town(tmp_path) as live:
        yield live


@pytest.fixture(scope="package")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One town for all tests that change nothing in it."""
    with live_town(tmp_path_factory.mktemp("unchanged")) as live:
        yield live
