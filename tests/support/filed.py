"""Waiting until a backend that runs has filed what it received."""

from pathlib import Path

from doorstep_backend.engines.opening import open_database
from doorstep_backend.wire.filing_backlog import FilingBacklog
from tests.support.waiting import until


def await_filed(data: Path, within_s: float = 20.0) -> None:
    """Wait until all records with a receipt are filed, and forbidden ones are gone."""
    unfiled = FilingBacklog(open_database(data, "backend"))
    until(lambda: unfiled.backlog().records == 0, within_s, every_s=0.02)
