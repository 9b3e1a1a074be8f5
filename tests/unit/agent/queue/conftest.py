"""Fixtures that tests of the queue share."""

from pathlib import Path

import pytest

from tests.unit.agent.queue.card import Card


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)
