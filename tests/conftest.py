"""What holds for every test, and on which engine the backend keeps its rows."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.backend.engines.opening import PER_FOLDER, URL, schema_of

# No test is timed: on a busy machine an example may take any time.
settings.register_profile("doorstep", deadline=None)
settings.load_profile("doorstep")

_SERVER: Final = ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="where backends keep their rows: in their folder, or each in a schema of its own on "
        "a PostgreSQL that is started for it",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.getoption("--database") == "postgresql" and not _is_controller(session):
        from tests.support.postgres import (  # noqa: PLC0415 - only where it is asked for
            running_postgres,
        )

        os.environ[URL] = _SERVER.enter_context(running_postgres(fsync=False)).url
        os.environ[PER_FOLDER] = "1"


def pytest_sessionfinish() -> None:
    _SERVER.close()


def _is_controller(session: pytest.Session) -> bool:
    """Of pytest-xdist: it runs no test itself."""
    return bool(session.config.getoption("numprocesses", None)) and not hasattr(
        session.config, "workerinput"
    )


@pytest.fixture(autouse=True)
def _schemas(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test's backends kept on PostgreSQL goes with the test."""
    if URL not in os.environ:
        yield
        return
    folder: Path = request.getfixturevalue("tmp_path")
    yield
    drop_schemas(folder)


def drop_schemas(folder: Path) -> None:
    """Of a folder, and of all below it."""
    from tests.backend.engines.postgres import close_pools  # noqa: PLC0415 - as above
    from tests.support.postgres import drop_those_of  # noqa: PLC0415 - as above

    folders = (folder, *(path for path in folder.rglob("*") if path.is_dir()))
    for schema in drop_those_of(os.environ[URL], [schema_of(one) for one in folders]):
        close_pools(schema)
