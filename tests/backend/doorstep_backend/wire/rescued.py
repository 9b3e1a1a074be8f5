"""Which records a technician brought, from the card of a device that did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Conflict, Schema, statements
from doorstep_backend.identity.closings import A_TECHNICIAN
from doorstep_backend.wire.store import NoUploadError, Store

RESCUED: Final = Schema(
    "rescued",
    [
        statements("""
CREATE TABLE rescued (
    capture_id TEXT PRIMARY KEY REFERENCES uploads ON DELETE CASCADE, technician TEXT);
""")
    ],
)


@dataclass(frozen=True, slots=True)
class Rescue:
    """The records that one technician brought of one device.

    Attributes:
        by: a technician's name, or A_TECHNICIAN.
        last_at: when the last of these records came.
    """

    by: str
    records: int
    last_at: datetime


class Rescues:
    """The marks; each goes with its upload."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        self._db.migrate(RESCUED)

    def mark(self, capture_id: str, technician: str) -> None:
        """Note that a technician sends this upload. Durable when it returns; the first name stays.

        Raises:
            NoUploadError: it was dropped meanwhile.
        """
        into = "INSERT INTO rescued VALUES (?, ?) ON CONFLICT DO NOTHING"
        try:
            self._db.execute(into, (capture_id, technician))
        except Conflict as error:
            raise NoUploadError(f"{capture_id} was dropped meanwhile") from error

    def by(self, capture_id: str) -> str | None:
        """Return who brought this record; None if its device did."""
        query = "SELECT technician FROM rescued WHERE capture_id = ?"
        found = self._db.execute(query, (capture_id,)).fetchone()
        return None if found is None else found[0] or A_TECHNICIAN

    def of(self, capture_ids: Sequence[str]) -> dict[str, str]:
        """Return who brought each of these records, by id; those of their devices are left out."""
        marks = ", ".join("?" * len(capture_ids))
        query = f"""SELECT capture_id, coalesce(technician, ?) FROM rescued
            WHERE capture_id IN ({marks})"""
        rows = self._db.execute(query, (A_TECHNICIAN, *capture_ids)) if capture_ids else ()
        return {row[0]: row[1] for row in rows}

    def of_device(self, device_id: str) -> list[Rescue]:
        """Return what was brought of a device and has its receipt, by technician."""
        query = """SELECT coalesce(r.technician, ?), count(*), max(v.at) FROM rescued r
            JOIN uploads u USING (capture_id) JOIN verdicts v USING (capture_id)
            WHERE u.device_id = ? AND v.accepted GROUP BY 1 ORDER BY 3"""
        rows = self._db.execute(query, (A_TECHNICIAN, device_id))
        return [Rescue(by, records, from_rfc3339(at)) for by, records, at in rows]

    def forget_names(self, before: datetime) -> None:
        """Forget the names of the technicians who brought what came before; the mark stays."""
        change = """UPDATE rescued SET technician = NULL WHERE technician IS NOT NULL
            AND capture_id IN (SELECT capture_id FROM verdicts WHERE at <= ?)"""
        self._db.execute(change, (rfc3339(before),))
