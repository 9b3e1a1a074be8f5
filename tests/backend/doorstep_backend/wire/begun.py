"""Uploads without a receipt, and their owners: quotas count them, and unfinished ones are found."""

from collections.abc import Iterator
from typing import Final

from doorstep_backend.engines.sql import Database, Schema, statements

BEGUN: Final = Schema(
    "begun",
    [
        statements("""
CREATE TABLE begun (
    capture_id TEXT PRIMARY KEY REFERENCES uploads ON DELETE CASCADE, owner TEXT NOT NULL);
CREATE INDEX begun_by_owner ON begun (owner);
""")
    ],
)
"""In `backend`. A row for each upload without a receipt, so that there are few however many records
came. `owner`: whose quota it counts to; empty for nobody's.
"""

ROWS_AT_ONCE: Final = 1000
"""Rows that are read at once."""


class UploadsWithoutReceipt:
    """The rows, each kept and lost in one step with what makes it so. Raises Unavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db
        db.migrate(BEGUN)

    def book(self, capture_id: str, owner: str) -> None:
        """Note an upload, within the step that makes it."""
        self._db.execute("INSERT INTO begun VALUES (?, ?)", (capture_id, owner))

    def end(self, capture_id: str) -> None:
        """Forget an upload, within the step that keeps its receipt."""
        self._db.execute("DELETE FROM begun WHERE capture_id = ?", (capture_id,))

    def all(self) -> Iterator[str]:
        """Yield ids of all uploads without a receipt, also refused ones, read in batches."""
        query = f"""SELECT capture_id FROM begun WHERE capture_id > ?
            ORDER BY capture_id LIMIT {ROWS_AT_ONCE}"""
        after = ""
        while found := [row["capture_id"] for row in self._db.execute(query, (after,))]:
            yield from found
            after = found[-1]
