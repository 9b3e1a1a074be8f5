"""The interface to SQL: the operations of every engine, and its errors.

Queries are written once, in the common part of SQLite and PostgreSQL: `?` or `:name` for values,
`ON CONFLICT (key) DO ...`, `TRUE`, `IS NOT DISTINCT FROM`, and no alias in `WHERE`. `EngineStep` is
for a statement of one engine. Types are PostgreSQL's: TEXT, BIGINT, BOOLEAN, DOUBLE PRECISION,
BYTEA.

No query reads a table with a row for each record from end to end: each query has an index, and each
step a batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, SupportsIndex

Parameters = Sequence[Any] | Mapping[str, Any]
"""Parameters of a query with `?`, or of one with `:name`."""

_DONE: Final = """CREATE TABLE IF NOT EXISTS migrations (
    room TEXT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (room, number))"""


class Conflict(Exception):
    """A contradiction to the rows: a key that is taken, a row that is referred to, a trigger."""


class UnfitError(ValueError):
    """A database that the backend cannot use; the message says how to make one."""


class Row(tuple[Any, ...]):  # noqa: SLOT001 - a tuple's values leave no room for slots
    """A row, with its values by place and by name; of two columns of one name, the first counts."""

    names: Mapping[str, int]

    def __getitem__(self, key: SupportsIndex | slice | str) -> Any:
        """Return a value also by its column's name."""
        return super().__getitem__(self.names[key] if isinstance(key, str) else key)

    def keys(self) -> KeysView[str]:
        """Return the columns' names: `dict(row)` is the row by name."""
        return self.names.keys()


class Result:
    """The rows that a statement gave, all of them already here.

    Attributes:
        rowcount: of what INSERT, UPDATE or DELETE changed.
    """

    def __init__(self, names: Sequence[str], found: Sequence[Sequence[Any]], rowcount: int) -> None:
        places = {name: place for place, name in reversed(list(enumerate(names)))}
        self.rowcount = rowcount
        self._rows = [_row(places, values) for values in found]

    def fetchone(self) -> Any:
        """Return the first Row; None without any."""
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Row]:
        """Return all rows; again they are the same."""
        return self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


def _row(places: Mapping[str, int], values: Sequence[Any]) -> Row:
    row = Row(values)
    row.names = places
    return row


@dataclass(frozen=True, slots=True)
class Column:
    """A step of a migration: a column that is added.

    Attributes:
        definition: name, type and the rest.
    """

    table: str
    definition: str


@dataclass(frozen=True, slots=True)
class EngineStep:
    """A step of a migration for one engine, by its `engine`."""

    engine: str
    statement: str


Step = str | Column | EngineStep
"""A str is one statement for all engines."""


def statements(text: str) -> list[Step]:
    """Return the statements between the semicolons; there are none inside a statement."""
    return [one.strip() for one in text.split(";") if one.strip()]


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a part of the backend.

    Attributes:
        migrations: forward only; a released migration is never changed. A new migration is added at
            the end, and only adds a table, a column with a default, or an index, because an older
            process may run beside it. An index that is added to a table of records has IF NOT
            EXISTS, because an operator may have made it beforehand.
    """

    name: str
    migrations: Sequence[Sequence[Step]]


class Database(ABC):
    """A database that any thread may use; after an error, leave the transaction.

    Attributes:
        engine: `sqlite` or `postgresql`.
        free_row_lock: the end of a query that finds and locks only rows that no other transaction
            has locked; empty on SQLite, which has one lock for all.
    """

    engine: str
    free_row_lock: str
    _row_lock: str
    """Clause that locks all rows: it waits for a transaction that has locked one."""

    def __init__(self, name: str) -> None:
        self._name = name

    @abstractmethod
    def execute(self, sql: str, parameters: Parameters = ()) -> Result:
        """Run a statement, durable when it returns unless it is within a transaction.

        Raises:
            Conflict, Unavailable.
        """

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Run the statement for each row: for all, or none. Raises Conflict, Unavailable."""
        with self.transaction():
            for row in rows:
                self.execute(sql, row)

    def exclusive_transaction(self, name: str | None = None) -> AbstractContextManager[None]:
        """Make all steps inside happen, durably, or none; inside a transaction it joins that one.

        No other `exclusive_transaction` of this database and name runs meanwhile, in any process.
        So values that were read inside stay true, if they are changed under this name alone. It
        waits for the other transaction, but not for long. On SQLite no other transaction of any
        name runs. Raises Unavailable.

        Args:
            name: the subject, such as a device: transactions about others need not wait.
        """
        return self._locked(self._name if name is None else f"{self._name}.{name}")

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a transaction that excludes no other; the caller locks the rows that it relies on.

        On SQLite no other transaction runs meanwhile.
        """
        return self._locked(None)

    @contextmanager
    def row_locked(
        self, query: str, parameters: Parameters = (), *, waits: bool = True
    ) -> Iterator[Any]:
        """Begin a transaction that waits only for a holder of one row; yield that row, or None.

        On SQLite, which has one lock, every writer waits. Raises Unavailable.

        Args:
            query: finds one row of one table.
            waits: if False, a row that is held elsewhere counts as missing; not on SQLite.
        """
        lock = self._row_lock if waits else self.free_row_lock
        with self._locked(None):
            yield self.execute(query + lock, parameters).fetchone()

    @abstractmethod
    def shared_transaction(self, name: str) -> AbstractContextManager[None]:
        """Begin a transaction that excludes exclusive ones of this name, and no shared one.

        Inside another transaction, the lock is kept until that one ends. Raises Unavailable.
        """

    @abstractmethod
    def now(self) -> datetime:
        """Return the time that dates rows, in UTC: one clock for all processes of a backend.

        The clock is the database's; on SQLite it is that of this machine, where all processes are.
        The returned time is past already, also by that clock.

        Raises:
            Unavailable: the database cannot be asked.
            WrongClock: this machine's clock differs from the database's. The caller then neither
                serves nor erases until both agree again.
        """

    def migrate(self, schema: Schema) -> None:
        """Bring a schema's tables to this version; several processes may try. Raises Unavailable.

        Each number is a transaction of its own, so that no table stays locked during later steps.
        An index of millions of rows takes long; a write to that table meanwhile fails with
        Unavailable. A new column waits until no process uses its table, which others may read.
        """
        while self._migrated(schema) < len(schema.migrations):
            with self._locked("migrations", hurried=False):
                self._change(_DONE)
                number = self._migrated(schema)  # another process may have been quicker
                if number < len(schema.migrations):
                    for step in schema.migrations[number]:
                        self._take(step)
                    self.execute("INSERT INTO migrations VALUES (?, ?)", (schema.name, number))

    @abstractmethod
    def close(self) -> None:
        """Close it for good."""

    def _migrated(self, schema: Schema) -> int:
        if not self._has_table("migrations"):
            return 0
        query = "SELECT count(*) FROM migrations WHERE room = ?"
        return int(self.execute(query, (schema.name,)).fetchone()[0])

    def _take(self, step: Step) -> None:
        match step:
            case EngineStep(engine, statement):
                if engine == self.engine:
                    self._change(statement)
            case Column():
                self._add(step)
            case _:
                self._change(step)

    @abstractmethod
    def _locked(self, lock: str | None, *, hurried: bool = True) -> AbstractContextManager[None]:
        """Begin a transaction beside those with another lock or none, if the engine can do so.

        Args:
            hurried: if False, the lock, a statement and the end may take any time, on engines that
                several processes on several machines may use.
        """

    @abstractmethod
    def _change(self, statement: str) -> None:
        """Run a statement that defines something; no values in it."""

    @abstractmethod
    def _add(self, column: Column) -> None:
        """Add a column within a step; it waits for any time, and delays no reader."""

    @abstractmethod
    def _has_table(self, name: str) -> bool: ...
