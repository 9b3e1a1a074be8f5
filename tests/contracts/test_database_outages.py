"""Outages of the backend's PostgreSQL, from which the backend recovers by itself."""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg  # noqa: TID251 - the test's own side
import pytest

from doorstep_backend import health
from doorstep_backend.engines import postgres
from doorstep_backend.engines.opening import CONNECTIONS
from doorstep_backend.engines.postgres import translated
from doorstep_backend.engines.sql import Database, Schema, UnfitError, statements
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office.ledger import OFFICE
from tests.support.postgres import Postgres, running_postgres
from tests.support.waiting import until

ROOM: Final = Schema("doors", [statements("CREATE TABLE doors (door TEXT PRIMARY KEY)")])

WITHIN_S: Final = 8.0
"""Longest wait for an error that is allowed here: its limits, on a machine that is busy."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def url(server: Postgres) -> str:
    """Return the URL of a database for this test alone."""
    return server.new_database()


@pytest.fixture
def database(url: str) -> Database:
    made = opened(url)
    made.migrate(ROOM)
    add(made, "before")
    return made


def opened(url: str, patience_s: float = 5.0) -> Database:
    return postgres.Postgres(url, "backend", schema=None, durable=True, patience_s=patience_s)


def add(database: Database, door: str) -> None:
    database.execute("INSERT INTO doors VALUES (?)", (door,))


def half_done(database: Database, then: Callable[[], object]) -> None:
    with database.exclusive_transaction():
        add(database, "half done")
        then()
        add(database, "the other half")


def doors(database: Database) -> list[str]:
    return [row[0] for row in database.execute("SELECT door FROM doors ORDER BY door")]


def works(database: Database) -> bool:
    try:
        return "before" in doors(database)
    except Unavailable:
        return False


@contextmanager
def soon() -> Iterator[None]:
    began_s = time.monotonic()
    yield
    assert time.monotonic() - began_s < WITHIN_S


pytestmark = pytest.mark.slow


def test_durable_rows_outlive_a_kill_and_half_done_ones_do_not(
    server: Postgres, database: Database
) -> None:
    with soon(), pytest.raises(Unavailable):
        half_done(database, server.kill)
    server.start()

    until(lambda: works(database))
    assert doors(database) == ["before"]


def test_a_restart_that_nobody_asked_during_is_not_noticed(
    server: Postgres, database: Database
) -> None:
    """The connections in the pool are dead, and none is given to anybody."""
    server.stop()
    server.start()

    add(database, "after")
    assert doors(database) == ["after", "before"]


def test_a_server_that_stalls_within_a_step_undoes_it(server: Postgres, database: Database) -> None:
    with soon(), pytest.raises(Unavailable, match="no answer"):
        half_done(database, server.stall)
    server.go_on()

    until(lambda: works(database))
    assert doors(database) == ["before"]


def test_a_migration_may_take_longer_and_what_comes_after_it_may_not(database: Database) -> None:
    longer_s = max(postgres.STATEMENT_MS / 1000, postgres.ANSWER_S) + 0.5
    database.migrate(Schema("slow", [statements(f"SELECT pg_sleep({longer_s})")]))

    with soon(), pytest.raises(Unavailable, match="statement timeout"):
        database.execute("SELECT pg_sleep(30)")


def test_stop_within_a_step_does_not_hold_up_others_for_ever(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "IDLE_MS", 300)
    stopped, stops, goes_on = opened(url, patience_s=0.5), threading.Event(), threading.Event()

    def wait() -> None:
        stops.set()
        goes_on.wait()

    def stop() -> None:
        with pytest.raises(Unavailable):
            half_done(stopped, wait)

    thread = threading.Thread(target=stop)
    thread.start()
    stops.wait()
    with soon():
        until(lambda: _may_write(database), every_s=0.1)
    goes_on.set()
    thread.join()
    assert doors(database) == ["before"]


def _may_write(database: Database) -> bool:
    try:
        with database.exclusive_transaction():
            return True
    except Unavailable:
        return False


def test_a_full_disk_is_not_ready_before_a_record_finds_no_room(server: Postgres) -> None:
    """A row alone still goes where another one was."""
    with server.small_disk("140m") as place:
        own = Postgres(place / "own", fsync=False).make().start()
        try:
            check = health.database("backend", opened(own.url))
            assert check.trouble() is None
            _fill_up(place / "ballast")
            assert "No space left on device" in str(check.trouble())
            (place / "ballast").unlink()
            assert check.trouble() is None
        finally:
            own.stop()


def _fill_up(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_backend_is_not_ready_without_its_synchronous_standby(server: Postgres, url: str) -> None:
    """A receipt would wait for it too."""
    check = health.database("backend", opened(url))
    server.tell("ALTER SYSTEM SET synchronous_standby_names = 'away'")
    server.tell("SELECT pg_reload_conf()")
    try:
        until(lambda: "no answer within 2.5 s" in str(check.trouble()))
    finally:
        server.tell("ALTER SYSTEM RESET synchronous_standby_names")
        server.tell("SELECT pg_reload_conf()")
    until(lambda: check.trouble() is None)


def test_question_of_readiness_waits_for_no_other_and_leaves_nothing(url: str) -> None:
    databases = [opened(url) for _ in range(8)]
    checks = [health.database("backend", one) for one in databases]
    with databases[0].transaction():
        checks[0].ask()  # and has not ended yet
        with ThreadPoolExecutor(8) as pool, soon():
            asked = [pool.submit(check.trouble) for check in checks[1:] * 20]

    assert {one.result() for one in asked} == {None}
    assert databases[0].execute("SELECT count(*) FROM probes").fetchone()[0] == 0


def test_nobody_there_is_a_sentence_in_time(server: Postgres) -> None:
    with soon(), pytest.raises(Unavailable, match="Connection refused"):
        opened(f"postgresql://postgres@127.0.0.1:{server.port - 1}/none")
    with soon(), pytest.raises(Unavailable, match='database "none" does not exist'):
        opened(server.database("none"))


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ("ENCODING 'LATIN1' LOCALE 'C'", "does not hold all of Unicode"),
        ("LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.utf8'", "sorts as a language does"),
    ],
)
def test_a_database_that_does_not_fit_is_refused_with_how_to_make_one(
    server: Postgres, made: str, why: str
) -> None:
    name = f"d{uuid4().hex}"
    server.tell(f"CREATE DATABASE {name} TEMPLATE template0 {made}")

    with pytest.raises(UnfitError, match=f"{name} {why}.*; make it with TEMPLATE template0"):
        opened(server.database(name))


@pytest.mark.parametrize("url", ["postgresql:/me:secret@host/name", "postgresql://me:secret%zz@h"])
def test_invalid_url_is_reported_without_its_password(url: str) -> None:
    with pytest.raises(UnfitError, match="expected postgresql://") as told:
        opened(url)

    assert "secret" not in "".join(traceback.format_exception(told.value))


def test_client_names_itself_and_limits_its_connections(
    server: Postgres, database: Database
) -> None:
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(database.execute, ["SELECT pg_sleep(0.05)"] * 20))

    with psycopg.connect(server.url) as looking:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'doorstep' AND"
        name = database.execute("SELECT current_database()").fetchone()[0]
        found = looking.execute(f"{query} datname = %s".encode(), (name,)).fetchone()
    assert found is not None
    assert 1 <= found[0] <= CONNECTIONS


def test_the_view_log_cannot_be_emptied_at_once(url: str) -> None:
    """TRUNCATE asks no row."""
    database = opened(url)
    database.migrate(OFFICE)

    with pytest.raises(Exception, match="append-only"):
        database.execute("TRUNCATE views")


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT ? WHERE a = :name_of", "SELECT %s WHERE a = %(name_of)s"),
        ("SELECT '? :name %' || '''?''', 7 % 4", "SELECT '? :name %%' || '''?''', 7 %% 4"),
        ("SELECT ?::text, 'a:b'", "SELECT %s::text, 'a:b'"),
    ],
)
def test_marks_are_translated_and_texts_are_not(sql: str, wanted: str) -> None:
    assert translated(sql) == wanted.encode()
