"""What tests of the queue share."""

from pathlib import Path

import pytest

from agent.queue.paths import Layout
from tests.unit.agent.queue.card import Card


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A state folder without a schema."""
    made = Layout(tmp_path / "state", tmp_path / "run")
    made.make()
    return made
