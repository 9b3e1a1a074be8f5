"""What tests of the backend ask its engine for."""

import os
from typing import Final

import pytest

from tests.backend.engines.opening import URL
from tests.backend.engines.sql import Database

only_sqlite: Final = pytest.mark.skipif(URL in os.environ, reason="it is about SQLite's files")


def take_column(database: Database, table: str, column: str) -> None:
    """Leaves it as a version did that had no such column, and no numbers of migrations either."""
    database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    database.execute("DROP TABLE migrations")
