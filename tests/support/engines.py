"""Questions of the backend's tests to its engine."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, ParamSpec

import pytest

from doorstep_backend.engines import chosen
from doorstep_backend.engines.objects import Missing
from doorstep_backend.engines.opening import URL, open_database

# As texts, which pytest asks when the test comes: a conftest loads this before there is an engine.
only_sqlite: Final = pytest.mark.skipif(
    f"{URL!r} in os.environ", reason="it is about SQLite's files"
)

only_folder: Final = pytest.mark.skipif(
    f"{chosen.PER_FOLDER!r} in os.environ", reason="it is about objects as files in a folder"
)

P = ParamSpec("P")


def has(ask: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Return True if the object exists."""
    try:
        ask(*args, **kwargs)
    except Missing:
        return False
    return True


def received_bytes(folder: Path, capture_id: str) -> int:
    """Return the bytes of an upload that a backend has kept, asked beside it; 0 without any."""
    with closing(open_database(folder, "backend")) as database:
        query = "SELECT received FROM uploads WHERE capture_id = ?"
        row = database.execute(query, (capture_id,)).fetchone()
    return 0 if row is None else int(row[0])
