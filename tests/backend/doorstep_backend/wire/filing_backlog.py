"""Records with a receipt that are not filed yet, and the workers that have them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Database, Schema, statements

UNFILED: Final = Schema(
    "unfiled",
    [
        statements("""
CREATE TABLE unfiled (
    capture_id TEXT PRIMARY KEY REFERENCES uploads ON DELETE CASCADE, due TEXT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0, why TEXT, at TEXT NOT NULL);
CREATE INDEX unfiled_by_due ON unfiled (due);
CREATE INDEX unfiled_by_time ON unfiled (at)
""")
    ],
)
"""In `backend`. `due` is when a worker may take it, once it was tried; `why`, what was wrong then.
`at` is when it got its receipt.
"""

MOST: Final = 20
"""Records that a worker takes at once, of its own process and of all: few enough to file both
well within LEASE."""

LEASE: Final = timedelta(seconds=15)
"""Time for which a worker has a record: longer than the limits of SQL and S3 for one record.

If another worker takes it meanwhile, it is filed once all the same.
"""

OWN: Final = {"sqlite": timedelta(), "postgresql": timedelta(seconds=5)}
"""Time for which a record is left to the process that received it, and need not fetch it.

It is several times what filing takes on a busy machine.
"""

AGAIN: Final = timedelta(minutes=1)
"""When one that could not be filed is tried again: an object that was put back is seen soon."""


MOST_COUNTED: Final = 10_001
"""Limit of a backlog's count: by how much it is more than 10,000 does not matter."""


@dataclass(frozen=True, slots=True)
class BacklogSize:
    """The records that wait to be filed.

    Attributes:
        records: up to MOST_COUNTED.
        since: when the first of them got its receipt; None where nothing waits.
    """

    records: int
    since: datetime | None


class FilingBacklog:
    """The marks, each kept in one step with its receipt. Any thread may ask; raises Unavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db
        db.migrate(UNFILED)

    def mark(self, capture_id: str, at: str) -> None:
        """Mark a record without a receipt, in the step that keeps its receipt, and before that."""
        into = """INSERT INTO unfiled (capture_id, due, at) SELECT ?, ?, ? WHERE NOT EXISTS
            (SELECT 1 FROM verdicts WHERE capture_id = ? AND accepted) ON CONFLICT DO NOTHING"""
        self._db.execute(into, (capture_id, at, at, capture_id))

    def take(self, now: datetime) -> list[str]:
        """Return ids of up to MOST due records that no other worker has, the oldest of them.

        Each is booked as tried before it is: a record that ends the process does so once a LEASE.
        A record outside every OWN time is due at once, also if its clock was ahead of ours.
        """
        since = now - OWN[self._db.engine]
        which = "tries = 0 AND NOT (due > ? AND due < ?) OR tries > 0 AND due <= ?"
        return self._take(which, (rfc3339(since), rfc3339(now), rfc3339(now)), now)

    def take_of(self, capture_ids: Sequence[str], now: datetime) -> list[str]:
        """Take as `take` does, of these alone and if nobody has tried them; MOST at most."""
        if not capture_ids:
            return []
        marks = ", ".join("?" * len(capture_ids))
        return self._take(f"tries = 0 AND capture_id IN ({marks})", capture_ids, now)

    def _take(self, which: str, values: Sequence[str], now: datetime) -> list[str]:
        change = f"""WITH found (id) AS MATERIALIZED (SELECT capture_id FROM unfiled
            WHERE {which} ORDER BY due LIMIT {MOST}{self._db.free_row_lock})
            UPDATE unfiled SET tries = tries + 1, due = ? FROM found WHERE capture_id = found.id
            RETURNING capture_id"""
        rows = self._db.execute(change, (*values, rfc3339(now + LEASE)))
        return [row["capture_id"] for row in rows]

    def free(self) -> None:
        """Make all due at a start, where one process alone has workers.

        On PostgreSQL others may be at it: there the LEASE of one that died has to end.
        """
        if self._db.engine == "sqlite":
            self._db.execute("UPDATE unfiled SET due = '' WHERE tries > 0")

    def put_off(self, capture_id: str, why: str, now: datetime) -> bool:
        """Put a record off by AGAIN; return True if its last error was another one, or none."""
        change = "UPDATE unfiled SET due = ? WHERE capture_id = ?"
        self._db.execute(change, (rfc3339(now + AGAIN), capture_id))
        change = "UPDATE unfiled SET why = ? WHERE capture_id = ? AND why IS DISTINCT FROM ?"
        return self._db.execute(change, (why, capture_id, why)).rowcount == 1

    def hopeless(self, before: datetime) -> Iterator[list[str]]:
        """Yield ids that could not be filed and got a receipt by then, in batches; each once."""
        query = f"""SELECT at, capture_id FROM unfiled WHERE why IS NOT NULL AND at <= ?
            AND (at, capture_id) > (?, ?) ORDER BY 1, 2 LIMIT {MOST}"""
        last = ("", "")
        while found := self._db.execute(query, (rfc3339(before), *last)).fetchall():
            yield [row["capture_id"] for row in found]
            last = (found[-1]["at"], found[-1]["capture_id"])

    def done(self, capture_ids: Sequence[str]) -> None:
        """Note that they are filed. Without it they are filed again, which changes nothing."""
        if capture_ids:
            marks = ", ".join("?" * len(capture_ids))
            self._db.execute(f"DELETE FROM unfiled WHERE capture_id IN ({marks})", capture_ids)

    def has(self, capture_id: str) -> bool:
        """Return whether the record has its receipt and waits to be filed."""
        query = "SELECT 1 FROM unfiled WHERE capture_id = ?"
        return self._db.execute(query, (capture_id,)).fetchone() is not None

    def of_device(self, device_id: str) -> list[str]:
        """Return the ids of what came from it, as far as certificates say."""
        query = """SELECT f.capture_id FROM unfiled f JOIN uploads u USING (capture_id)
            WHERE u.device_id = ?"""
        return [row["capture_id"] for row in self._db.execute(query, (device_id,))]

    def backlog(self) -> BacklogSize:
        """Return how many wait, and since when; as quick when a fleet's day waits."""
        some = f"(SELECT 1 FROM unfiled LIMIT {MOST_COUNTED}) AS counted"
        query = f"SELECT (SELECT count(*) FROM {some}), (SELECT min(at) FROM unfiled)"
        records, since = self._db.execute(query).fetchone()
        return BacklogSize(records, None if since is None else from_rfc3339(since))
