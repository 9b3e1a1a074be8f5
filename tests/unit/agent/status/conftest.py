"""Fixtures that tests of the status share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.agent.status.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


@pytest.fixture
def silent(scene: Scene) -> Scene:
    """A device whose capture and sync do not run."""
    scene.said = {}
    return scene
