"""Waiting until a backend that runs has filed what it received."""

from pathlib import Path

from tests.backend.engines.opening import open_database
from tests.backend.wire.unfiled import Unfiled
from tests.support.waiting import until


def await_filed(data: Path, within_s: float = 20.0) -> None:
    """All that has its receipt is filed, and what must not be kept is gone."""
    unfiled = Unfiled(open_database(data, "backend"))
    until(lambda: unfiled.backlog().records == 0, within_s, every_s=0.02)
