"""A fleet whose records are exported as evidence, and an office that two processes have."""

from pathlib import Path

import pytest

from doorstep_backend.office import due
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.backend.office.interrupted import Interrupted
from tests.support.demo_office import DemoOffice


@pytest.fixture
def other(demo_office: DemoOffice) -> Office:
    """Open the office as another process does that received no record itself."""
    return open_office(Store(demo_office.folder))


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Order the erasure by age, the oldest record first."""
    monkeypatch.setattr(due, "random", lambda: 0.0)


@pytest.fixture
def interrupted(tmp_path: Path) -> Interrupted:
    return Interrupted(tmp_path)


@pytest.fixture
def on_interrupted(tmp_path: Path, interrupted: Interrupted) -> DemoOffice:
    return DemoOffice(tmp_path, objects=interrupted)
