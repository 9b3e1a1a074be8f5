"""The rules of every test, and the engines on which the backend keeps its rows and objects."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import settings

from doorstep_backend.engines import chosen
from doorstep_backend.engines.opening import PER_FOLDER, URL, schema_of
from tests.support import release, sqlite_memory

# No test is timed: on a busy machine an example may take any time.
settings.register_profile("doorstep", deadline=None)
settings.load_profile("doorstep")

_SERVERS: Final = ExitStack()

_MUCH_BYTES: Final = 8_388_608
"""SQLite's memory in use above which garbage is collected: a quarter of a device's limit."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="where backends keep their rows: in their folder, or each in a schema of its own on "
        "a PostgreSQL that is started for it",
    )
    parser.addoption(
        "--objects",
        choices=("folder", "s3"),
        default="folder",
        help="where backends keep their objects: in their folder, or each in a bucket of its own "
        "on a SeaweedFS that is started for it",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if _is_controller(session):
        return
    if session.config.getoption("--database") == "postgresql":
        from tests.support.postgres import (  # noqa: PLC0415 - only where it is asked for
            running_postgres,
        )

        os.environ[URL] = _SERVERS.enter_context(running_postgres(fsync=False)).url
        os.environ[PER_FOLDER] = "1"
    if session.config.getoption("--objects") == "s3":
        from tests.support.s3 import s3_engine  # noqa: PLC0415 - as above

        folder = Path(_SERVERS.enter_context(TemporaryDirectory(prefix="doorstep-s3-")))
        engine = _SERVERS.enter_context(s3_engine(folder / "engine", makes_buckets=True))
        os.environ[chosen.PER_FOLDER] = engine.endpoint


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests that `scripts/test` leaves to `scripts/test --all`."""
    for item in items:
        if item.get_closest_marker("slow") and release.is_only_in_all(item.path):
            item.add_marker(pytest.mark.release)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at modules and tests, which stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Lift the limit on SQLite's memory, which the queue of a test before set for this process.

    A device's process has one database. A test's process also has backends, and databases that
    wait for the garbage collector.
    """
    sqlite_memory.lift_limit()
    if sqlite_memory.used_bytes() > _MUCH_BYTES:
        gc.collect()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """After the last fixture, which may ask them."""
    _SERVERS.close()
    gc.unfreeze()  # otherwise nanobind reports the objects that are alive at the exit as leaks


def _is_controller(session: pytest.Session) -> bool:
    """Return True in the controller of pytest-xdist, which runs no test itself."""
    return bool(session.config.getoption("numprocesses", None)) and not hasattr(
        session.config, "workerinput"
    )


@pytest.fixture(autouse=True)
def _kept_elsewhere(request: pytest.FixtureRequest) -> Iterator[None]:
    """Delete what a test's backends kept on PostgreSQL and S3."""
    if not {URL, chosen.PER_FOLDER} & set(os.environ):
        yield
        return
    folder: Path = request.getfixturevalue("tmp_path")
    yield
    if URL in os.environ:
        drop_schemas(folder)
    if chosen.PER_FOLDER in os.environ:
        drop_buckets(folder)


def drop_schemas(folder: Path) -> None:
    """Drop the schemas of a folder and of all folders below it."""
    from doorstep_backend.engines.postgres import close_pools  # noqa: PLC0415 - as above
    from tests.support.postgres import drop_those_of  # noqa: PLC0415 - as above

    for schema in drop_those_of(os.environ[URL], _schemas(folder)):
        close_pools(schema)


def drop_buckets(folder: Path) -> None:
    """Delete the buckets too, which are called as schemas are."""
    from tests.support.s3 import drop_those_of  # noqa: PLC0415 - as above

    drop_those_of(os.environ[chosen.PER_FOLDER], _schemas(folder))


def _schemas(folder: Path) -> list[str]:
    folders = (folder, *(path for path in folder.rglob("*") if path.is_dir()))
    return [schema_of(one) for one in folders]
