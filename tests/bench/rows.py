"""Rows of the queue without their files: as many as wanted, in a moment."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from agent.models import RecordState
from agent.queue.database import Database
from hardware.clock_system import boot_id


def waiting_rows(due_s: float = 0.0) -> Iterator[dict[str, Any]]:
    """Yield rows of one chain without end, each a photo that waits and is due at `due_s`."""
    boot, chain, seq = boot_id(), str(uuid.uuid4()), 0
    while True:
        seq += 1
        yield {
            "capture_id": str(uuid.uuid4()),
            "chain": chain,
            "seq": seq,
            "label_sha256": f"{seq:064x}",
            "boot_id": boot,
            "kind": "photo",
            "utc": "2026-12-01T09:15:02.000Z",
            "clock": "ntp",
            "bytes": 300_000,
            "sha256": f"{seq:064x}",
            "state": RecordState.PENDING,
            "adopted": 0,
            "attempts": 1,
            "suspected": 0,
            "due_boot_id": boot,
            "due_s": due_s,
            "upload_url": None,
            "answer": None,
            "decision": None,
            "decided_utc": None,
        }


def insert(database: Database, found: Iterable[dict[str, Any]]) -> None:
    """Add rows to the queue in one transaction."""
    listed = list(found)
    columns, marks = ", ".join(listed[0]), ", ".join(f":{name}" for name in listed[0])
    with database.step() as sql:
        sql.executemany(f"INSERT INTO captures ({columns}) VALUES ({marks})", listed)
