"""PostgreSQL: a pool of connections for each process, bounded in time whatever the server does."""

import atexit
import logging
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock, local
from typing import Any, Final, Self, TypeVar

import psycopg  # noqa: TID251 - the only importer
import psycopg_pool  # noqa: TID251 - as above
from psycopg import errors  # noqa: TID251 - as above
from psycopg.abc import PQGen  # noqa: TID251 - as above
from psycopg.conninfo import conninfo_to_dict  # noqa: TID251 - as above

from doorstep_backend.engines.clock import check_own
from doorstep_backend.engines.opening import CONNECTIONS, URL
from doorstep_backend.engines.sql import (
    Column,
    Conflict,
    Database,
    Parameters,
    Result,
    UnfitError,
)
from doorstep_backend.engines.unavailable import Unavailable

log = logging.getLogger(__name__)

_Found = TypeVar("_Found")

CONNECT_S: Final = 2
"""Longest wait for a connection, in whole seconds as libpq counts; a device is answered in 3 s."""

STATEMENT_MS: Final = 2000
"""Longest statement; of some milliseconds each, a thousand times as long is too long."""

LOCK_MS: Final = 1500
"""Longest wait for a lock, below STATEMENT_MS so that the error says that it was one."""

IDLE_MS: Final = 10_000
"""Longest pause within a transaction: a process that is stopped there holds up every other one."""

ANSWER_S: Final = 2.5
"""Longest wait for any answer: a server whose process is stopped does not keep its own limits."""

MIGRATION_S: Final = 3600.0
"""Longest statement while tables are changed: an index of a fleet's year takes minutes."""

COLUMN_LOCK_MS: Final = 200
"""Longest wait for a table that gets a column: other queries, also reading ones, wait behind it.

It is below LOCK_MS, so that these do not fail with Unavailable.
"""

COLUMN_AGAIN_S: Final = 2.0
"""Between two such waits: who reads waits in a tenth of the time, while a dump of hours goes on."""

_LOCK: Final = b"""SELECT pg_advisory_xact_lock(
    hashtextextended(coalesce(current_schema(), '') || '.' || %s, 0))"""
"""Lock by schema and name; a schema that is just being made is NULL, which would lock nothing."""

_LOCK_BESIDE: Final = _LOCK.replace(b"xact_lock(", b"xact_lock_shared(")
"""Lock for any number of transactions at once, none of which has it for itself."""

_UNFIT: Final = "PostgreSQL: the database {} {}; make it with TEMPLATE template0 ENCODING 'UTF8' \
LOCALE 'C'"

_NO_URL: Final = f"{URL}, or --database: expected postgresql://USER:PASSWORD@HOST:PORT/NAME, where \
a % of the password is %25, and each of : / ? # @ written so too"

_AWAY: Final = (errors.ReadOnlySqlTransaction, errors.IdleInTransactionSessionTimeout)
"""Errors of an outage that psycopg counts among PostgreSQL's own errors."""

_MARK: Final = re.compile(r"('[^']*')|(::)|:([a-z_]+)|(\?)|(%)")
"""A text, a cast, a value by name, one by place, and what psycopg would take for one."""


_FAILED: Final[deque[str]] = deque(maxlen=1)
"""Why the last connection was not made or given up; the pool keeps that to its own log."""


class _Connection(psycopg.Connection[Any]):
    """A connection that gives up. psycopg waits for ever by itself.

    Attributes:
        answer_s: longest wait for an answer.
    """

    answer_s = ANSWER_S

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Open a connection; keep the reason of a failure in _FAILED."""
        try:
            made = super().connect(conninfo, **kwargs)
        except psycopg.OperationalError as error:
            _FAILED.append(_sentence(error))
            raise
        _FAILED.clear()
        return made

    def wait(
        self, gen: PQGen[_Found], interval: float = 0.1, timeout: float | None = None
    ) -> _Found:
        """Wait for an answer up to `answer_s`, then close the connection for good."""
        try:
            return super().wait(gen, interval, self.answer_s if timeout is None else timeout)
        except errors._WaitTimeout as error:  # noqa: SLF001 - psycopg has no other name for it
            self.pgconn.finish()  # what comes now would be the answer to something else
            why = f"no answer within {self.answer_s:g} s"
            _FAILED.append(why)
            raise psycopg.OperationalError(why) from error


Pool = psycopg_pool.ConnectionPool[_Connection]


@dataclass(frozen=True, slots=True)
class _Key:
    """The settings by which one pool of this process is found; see `Postgres`."""

    url: str
    schema: str | None
    durable: bool
    patience_s: float


_POOLS: Final[dict[_Key, Pool]] = {}
_MAKING: Final = Lock()


def _pool(key: _Key) -> Pool:
    with _MAKING:
        if key not in _POOLS:
            _POOLS[key] = _made(key)
        return _POOLS[key]


def _made(key: _Key) -> Pool:
    """Make the pool, after one connection that is checked. Raises Unavailable, UnfitError."""
    limits = {
        "statement_timeout": STATEMENT_MS,
        "lock_timeout": min(LOCK_MS, int(key.patience_s * 1000)),
        "idle_in_transaction_session_timeout": IDLE_MS,
    }
    options = str(_parsed(key.url).get("options") or "")
    options += "".join(f" -c {name}={value}" for name, value in limits.items())
    options += "" if key.durable else " -c synchronous_commit=off"
    options += "" if key.schema is None else f" -c search_path={key.schema}"
    wanted: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "options": options,
        "application_name": "doorstep",
        "autocommit": True,
        "prepare_threshold": None,  # a plan that is kept fails once a newer version adds a column
    }
    with _translated(), _Connection.connect(key.url, **wanted) as connection:
        _check(connection, key.schema)
    return Pool(
        key.url,
        connection_class=_Connection,
        kwargs=wanted,
        min_size=0,
        max_size=CONNECTIONS,
        timeout=CONNECT_S,
        reconnect_timeout=CONNECT_S,  # then the next one who asks tries again
        check=Pool.check_connection,
        num_workers=1,
        open=True,
    )


def _parsed(url: str) -> dict[str, Any]:
    """Parse the address; UnfitError does not quote it as libpq does: it may have a password."""
    try:
        return conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UnfitError(_NO_URL) from None


def close_pools(schema: str | None = None) -> None:
    """Close the pools of one schema, or all. A process that ends by a signal needs none of this."""
    with _MAKING:
        for key in [one for one in _POOLS if schema in {None, one.schema}]:
            _POOLS.pop(key).close(CONNECT_S)


atexit.register(close_pools)


class Postgres(Database):
    """All tables of a backend in one schema; `name` is that of the SQLite file beside which it is.

    Transactions of two databases wait for each other no more than two files do.
    Text cannot hold a NUL here: U+FFFD stands for it. No device's text that is kept has one
    (labels are printable, ids have a pattern, JSON escapes it); a person's may.

    Args:
        schema: made where it is not there; None for the URL's own.
        durable: without, a power cut may take the last steps, and no step waits for the disk.
        patience_s: longest wait for another transaction, up to LOCK_MS.
    """

    engine = "postgresql"
    _row_lock = " FOR UPDATE"
    free_row_lock = " FOR UPDATE SKIP LOCKED"

    def __init__(
        self, url: str, name: str, *, schema: str | None, durable: bool, patience_s: float
    ) -> None:
        super().__init__(name)
        self._pool = _pool(_Key(url, schema, durable, patience_s))
        self._here = local()  # the connection of this thread's transaction

    def execute(self, sql: str, parameters: Parameters = ()) -> Result:
        """Run a statement: within the transaction of this thread, or else on any connection."""
        return self._ask(translated(sql), _without_nul(parameters))

    @contextmanager
    def shared_transaction(self, name: str) -> Iterator[None]:
        """Hold a lock that each `shared_transaction` shares, until the end of the transaction."""
        with self.transaction():
            self._ask(_LOCK_BESIDE, (f"{self._name}.{name}",))
            yield

    def now(self) -> datetime:
        """Return the database's time, in UTC. Raise WrongClock if this machine's differs."""
        with _translated(), self._in_hand() as connection:
            began_s = time.monotonic()
            row = connection.execute(b"SELECT clock_timestamp()").fetchone()
            own, took_s = datetime.now(UTC), time.monotonic() - began_s
        assert row is not None, "a SELECT without FROM has a row"
        told: datetime = row[0]
        check_own(told, own, took_s)
        return told.astimezone(UTC)

    def close(self) -> None:
        """Keep the process's connections: others may use them."""

    @contextmanager
    def _locked(self, lock: str | None, *, hurried: bool = True) -> Iterator[None]:
        if self._bound() is not None:
            if lock is not None:
                self._ask(_LOCK, (lock,))
            yield
            return
        with (
            _translated(),
            self._taken() as taken,
            nullcontext() if hurried else _unhurried(taken),
            taken.transaction(),
        ):
            if not hurried:
                taken.execute(b"SET LOCAL statement_timeout = 0")
                taken.execute(b"SET LOCAL lock_timeout = 0")
            if lock is not None:
                taken.execute(_LOCK, (lock,))
            self._here.connection = taken
            try:
                yield
            finally:
                self._here.connection = None

    def _ask(self, query: bytes, parameters: Parameters | None) -> Result:
        with _translated(), self._in_hand() as connection:
            return _result(connection.execute(query, parameters))

    @contextmanager
    def _in_hand(self) -> Iterator[_Connection]:
        """Yield the connection of this thread's transaction; without one, any."""
        if (bound := self._bound()) is not None:
            yield bound
            return
        with self._taken() as taken:
            yield taken

    @contextmanager
    def _taken(self) -> Iterator[_Connection]:
        """Yield a connection of the pool; close one that may not write, since the next one may."""
        with self._pool.connection() as taken:
            try:
                yield taken
            except Exception as error:  # within a step it is Unavailable by now
                if isinstance(error.__cause__ or error, errors.ReadOnlySqlTransaction):
                    taken.close()
                raise

    def _bound(self) -> _Connection | None:
        return getattr(self._here, "connection", None)

    def _change(self, statement: str) -> None:
        self._ask(statement.encode(), None)

    def _add(self, column: Column) -> None:
        change = f"ALTER TABLE {column.table} ADD COLUMN {column.definition}"
        while not self._changes_soon(change):
            log.warning("migration=waits table=%s: has a dump, or a person, it open?", column.table)
            time.sleep(COLUMN_AGAIN_S)

    def _changes_soon(self, statement: str) -> bool:
        """Run a statement unless its lock is held for long; return whether it was run."""
        step = self._bound()
        assert step is not None, "a step of a migration is within one"
        try:
            with step.transaction():  # a savepoint: what fails inside is undone alone
                step.execute(f"SET LOCAL lock_timeout = {COLUMN_LOCK_MS}".encode())
                step.execute(statement.encode())
                step.execute(b"SET LOCAL lock_timeout = 0")
        except errors.LockNotAvailable:
            return False
        return True

    def _has_table(self, name: str) -> bool:
        return bool(self.execute("SELECT to_regclass(?) IS NOT NULL", (name,)).fetchone()[0])


@contextmanager
def _unhurried(connection: _Connection) -> Iterator[None]:
    """Lift the limits around a transaction: its COMMIT after a new index may be slow too."""
    connection.answer_s = MIGRATION_S
    try:
        yield
    finally:
        connection.answer_s = ANSWER_S


@lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """Translate the marks for values into psycopg's; pure."""
    return _MARK.sub(_mark, sql).encode()


def _mark(found: re.Match[str]) -> str:
    text, cast, name, place, _ = found.groups()
    if text:
        return str(text).replace("%", "%%")
    if name:
        return f"%({name})s"
    return "::" if cast else "%s" if place else "%%"


def _without_nul(parameters: Parameters) -> Parameters:
    if isinstance(parameters, Mapping):
        return {name: _text(value) for name, value in parameters.items()}
    return [_text(value) for value in parameters]


def _text(value: Any) -> Any:
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


def _result(cursor: psycopg.Cursor[Any]) -> Result:
    if cursor.description is None:
        return Result((), (), cursor.rowcount)
    names = [column.name for column in cursor.description]
    return Result(names, cursor.fetchall(), cursor.rowcount)


def _check(connection: _Connection, schema: str | None) -> None:
    """Check that ids and times are compared byte by byte, as on SQLite and by devices."""
    query = "SELECT current_database(), current_setting('server_encoding') = 'UTF8',"
    row = connection.execute(f"{query} 'Z' < 'a' AND 'a-b' < 'aa'".encode()).fetchone()
    name, is_utf8, is_by_bytes = row or ("", False, False)
    if not is_utf8:
        raise UnfitError(_UNFIT.format(name, "does not hold all of Unicode"))
    if not is_by_bytes:
        raise UnfitError(_UNFIT.format(name, "sorts as a language does, and not by bytes"))
    if schema is not None:
        with connection.transaction():
            connection.execute(_LOCK, ("schema",))  # two at once would have one fail
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())


@contextmanager
def _translated() -> Iterator[None]:
    """Translate errors to Conflict, Unavailable. A wrong statement stays PostgreSQL's: a bug."""
    try:
        yield
    except psycopg.IntegrityError as error:
        raise Conflict(_sentence(error)) from error
    except psycopg_pool.PoolTimeout as error:
        why = _FAILED[-1] if _FAILED else "all are taken"
        raise Unavailable(f"no connection to PostgreSQL within {CONNECT_S} s: {why}") from error
    except (psycopg.OperationalError, *_AWAY) as error:
        raise Unavailable(_sentence(error)) from error


def _sentence(error: psycopg.Error) -> str:
    """Return the first line of an error, without hints."""
    return error.diag.message_primary or str(error).strip().partition("\n")[0]
