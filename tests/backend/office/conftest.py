"""A fleet whose records are exported as evidence."""

from pathlib import Path

import pytest

from tests.backend.office.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "backend")
