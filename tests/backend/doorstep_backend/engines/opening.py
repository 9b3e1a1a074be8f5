"""Which engine this process uses, and how each part of the backend opens it."""

import hashlib
import os
from pathlib import Path
from typing import Final

from doorstep_backend.engines.sql import Database
from doorstep_backend.engines.sqlite import Sqlite

URL: Final = "DOORSTEP_DATABASE"
"""In the environment: `postgresql://...`; without it, SQLite in the backend's folder.

Not in a folder's settings and not among the words of a command, which everybody may read: it may
have a password. `--database` sets it.
"""

PER_FOLDER: Final = "DOORSTEP_DATABASE_PER_FOLDER"
"""In the environment: each folder has a schema of its own. For tests, whose backends are many."""

PATIENCE_S: Final = 5.0
"""Longest wait for another process that writes. Source: sqlite3's default."""

HOLDERS: Final = 12
"""Threads of one process that may hold a connection while they ask another database: those of the
intake (4, wire/intake.py) and of people's pages (6, wire/asking.py), expiry and filing.
"""

CONNECTIONS: Final = HOLDERS + 2
"""Connections of a pool to PostgreSQL: while all hold one, some thread always continues."""


def rows_are_there(folder: Path) -> bool:
    """Return whether the folder has its rows, or the environment says where they are."""
    return bool(os.environ.get(URL)) or (folder / "backend.db").exists()


def open_database(
    folder: Path, name: str, *, durable: bool = True, patience_s: float = PATIENCE_S
) -> Database:
    """Open `NAME.db` in the folder, or the database in its place.

    Args:
        durable: if False, a power cut may take the last steps, and no step waits for the disk.

    Raises:
        Unavailable: it is unavailable now.
        UnfitError: the backend cannot use it (postgres.py).
    """
    if not (url := os.environ.get(URL)):
        return Sqlite(folder / f"{name}.db", durable=durable, patience_s=patience_s)
    from doorstep_backend.engines.postgres import (  # noqa: PLC0415 - SQLite needs none of psycopg
        Postgres,
    )

    schema = schema_of(folder) if os.environ.get(PER_FOLDER) else None
    return Postgres(url, name, schema=schema, durable=durable, patience_s=patience_s)


def schema_of(folder: Path) -> str:
    """Return the schema of a folder under PER_FOLDER."""
    return f"f{hashlib.sha256(bytes(folder.resolve())).hexdigest()[:20]}"
