"""The writing of the view log; access.py reads it."""

from datetime import datetime

from agent.models import rfc3339
from doorstep_backend.engines.sql import Database


def write(
    ledger: Database, who: str, number: str | None, capture_id: str, why: str, *, at: datetime
) -> None:
    """Write a look or a report down. Durable when it returns, unless within a transaction."""
    row = (rfc3339(at), who, number, capture_id, why)
    into = "INSERT INTO views (at, viewer, number, capture_id, why) VALUES (?, ?, ?, ?, ?)"
    ledger.execute(into, row)
