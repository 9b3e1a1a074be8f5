"""The last report of each device, in `backend`; nothing older is kept."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.opening import open_database
from doorstep_backend.engines.sql import Row, Schema, statements
from doorstep_backend.identity.database import opened
from doorstep_backend.reports.read import StatusReport
from hardware.foreign import read_json

log = logging.getLogger(__name__)

REPORTS: Final = Schema(
    "reports",
    [
        statements("""
CREATE TABLE reports (
    device_id TEXT PRIMARY KEY, received_at TEXT NOT NULL, document TEXT NOT NULL,
    worst BIGINT NOT NULL, waiting BIGINT NOT NULL, oldest_utc TEXT, agent TEXT NOT NULL,
    bench_mode BOOLEAN NOT NULL);
""")
    ],
)
"""`worst`: place of its first need among the troubles, 1000 for none; times are to the hour."""

PATIENCE_S: Final = 0.05
"""Longest wait for a command that writes: a report that is lost comes again, a request waits."""

_PUT: Final = """INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (device_id) DO UPDATE SET
    received_at = excluded.received_at, document = excluded.document, worst = excluded.worst,
    waiting = excluded.waiting, oldest_utc = excluded.oldest_utc, agent = excluded.agent,
    bench_mode = excluded.bench_mode"""
"""In place, so that a page of the database which stays the same is not written."""


class Reports:
    """A connection of its own, that never waits for a disk. Any thread may use it.

    What could not be read is in memory only: after a restart the next report tells it again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with closing(open_database(folder, "backend")) as patient:
            patient.migrate(REPORTS)
        self._db = open_database(folder, "backend", durable=False, patience_s=PATIENCE_S)
        self._unreadable: dict[str, str] = {}
        self._logged: set[str] = set()

    def now(self) -> datetime:
        """Return the time that dates its rows (`Database.now`)."""
        return self._db.now()

    def note(self, report: StatusReport) -> None:
        """Keep it in place of the one before. A power cut may take the last of them.

        Raises:
            Unavailable: the disk is full, or somebody else writes for long.
        """
        self._unreadable.pop(report.device_id, None)
        row = (
            report.device_id,
            rfc3339(report.received_at),
            json.dumps(report.document, separators=(",", ":")),
            report.worst,
            report.waiting,
            report.oldest_utc,
            report.agent,
            report.bench_mode,
        )
        self._db.execute(_PUT, row)

    def note_unreadable(self, device_id: str, why: str) -> None:
        """Note that a device's last header could not be read; logged once for each device."""
        self._unreadable[device_id] = why
        if device_id not in self._logged:
            self._logged.add(device_id)
            log.warning("event=report_unreadable device_id=%s why=%r", device_id, why)

    def unreadable(self) -> Mapping[str, str]:
        """Return why the last header of a device could not be read, by device."""
        return dict(self._unreadable)

    def find(self, device_id: str) -> StatusReport | None:
        """Return the last report of a device; None without one."""
        query = "SELECT * FROM reports WHERE device_id = ?"
        row = self._db.execute(query, (device_id,)).fetchone()
        return None if row is None else report(row)

    def all(self) -> Iterator[StatusReport]:
        """Yield the reports by device."""
        return map(report, self._db.execute("SELECT * FROM reports ORDER BY device_id"))

    def expire(self, before: datetime) -> int:
        """Delete what devices said before then that are not let in any more; returns how many."""
        query = """DELETE FROM reports WHERE received_at <= ?
            AND device_id NOT IN (SELECT device_id FROM enrolled WHERE state = 'in')"""
        with closing(opened(self._folder)) as register:
            return register.execute(query, (rfc3339(before),)).rowcount


def report(row: Row) -> StatusReport:
    """Make a report from a row of `reports`."""
    at = from_rfc3339(row["received_at"])
    return StatusReport(row["device_id"], at, read_json(row["document"], strict=False))
