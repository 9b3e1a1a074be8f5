"""What tests of the backend ask its engine for."""

import os
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.backend.engines.opening import URL, open_database
from tests.backend.engines.sql import Database

only_sqlite: Final = pytest.mark.skipif(URL in os.environ, reason="it is about SQLite's files")


def received_bytes(folder: Path, capture_id: str) -> int:
    """How much of an upload a backend has kept, asked beside it; 0 where there is none."""
    with closing(open_database(folder, "backend")) as database:
        query = "SELECT received FROM uploads WHERE capture_id = ?"
        row = database.execute(query, (capture_id,)).fetchone()
    return 0 if row is None else int(row[0])


def take_column(database: Database, table: str, column: str) -> None:
    """Leaves it as a version did that had no such column, and no numbers of migrations either."""
    database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    database.execute("DROP TABLE migrations")
