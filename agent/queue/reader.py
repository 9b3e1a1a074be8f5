"""Queries on the queue, which wait for no writer and make none wait."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from agent.errors import UnknownItem
from agent.models import CaptureId, Item, QueueCounts, RecordState
from agent.queue.content import BELIEVABLE, MOST_ROWS, corrupt
from agent.queue.database import Connection, Row
from hardware.clock import ClockSource

COLUMNS: Final = ", ".join([*Item.__dataclass_fields__, f"({BELIEVABLE}) AS believable"])
"""Columns that a row must have to become an Item."""

_ALARMING: Final = "(state IN ('REFUSED', 'DAMAGED') OR suspected > 0)"
"""A small index's condition; a query that repeats it word for word is answered from that index."""

_SUSPECT: Final = "state = 'PENDING' AND suspected > 0"
"""Condition of suspect items that wait; another small index's, word for word."""

NOT_LET_IN: Final = " OR ".join(
    f"answer GLOB '{asked} was answered 40[13]*'"
    for asked in ("POST", "HEAD", "PATCH", "POST receipts")
)
"""Condition of rows whose last answer was 401 or 403, in sync's words; quoted text is ignored."""

NOT_DELIVERED: Final = (RecordState.PENDING, RecordState.REFUSED, RecordState.DAMAGED)
"""The states of records that the backend does not have."""

_PAGE_ROWS: Final = 100
"""Items read at once: with the longest answers and receipts they take 13 MB."""

_ANSWER_CHARS: Final = 200
"""Most characters of an answer in a list: a page of a hundred stays below 32 KB."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An item that the backend does not have, as lists show it; fields as in `Item`.

    Attributes:
        answer: its first characters.
    """

    number: int
    capture_id: CaptureId
    state: RecordState
    suspected: int
    utc: str
    clock: str
    answer: str | None


class ReadableDatabase(Protocol):
    """A database that can be read: `Database`, or `ReadOnlyDatabase`."""

    def look(self) -> AbstractContextManager[Connection]:
        """Open one state of the queue."""


class OutboxReader:
    """A device's queue, for reading.

    All methods raise StorageFault, StorageFull or NotNow as `look` of its database does.
    """

    def __init__(self, database: ReadableDatabase, boot_id: str = "") -> None:
        self._database = database
        self._boot_id = boot_id

    def get(self, capture_id: CaptureId) -> Item:
        """Return an item.

        Raises:
            UnknownItem: it is not in the queue.
        """
        for item in self._select("capture_id = ?", capture_id):
            return item
        raise UnknownItem(f"{capture_id}: not in the queue")

    def due_s(self) -> float | None:
        """Return the CLOCK_BOOTTIME when the next item is due; None if no item waits."""
        query = "SELECT min(due_s) FROM captures WHERE state = 'PENDING'"
        with self._database.look() as sql:
            found = sql.execute(query).fetchone()[0]
        return None if found is None else float(found)

    def counts(self) -> QueueCounts:
        """Count the records that are not with the backend; as quick for many rows as for few."""
        with self._database.look() as sql:
            tally = _tally(sql)
            suspects = f"FROM captures INDEXED BY captures_suspect WHERE {_SUSPECT}"
            suspected = sql.execute(f"SELECT count(*) {suspects}").fetchone()[0]
            oldest = sql.execute(
                f"SELECT utc, ({BELIEVABLE}) AS believable FROM captures"  # noqa: S608 - constants
                " WHERE state = 'PENDING' ORDER BY number LIMIT 1"
            ).fetchone()
            if oldest and oldest["believable"] != 1:
                raise corrupt("it has a row that no device makes")
        waiting, refused, damaged = (tally.get(one, 0) for one in ("PENDING", "REFUSED", "DAMAGED"))
        return QueueCounts(waiting, suspected, refused, damaged, oldest["utc"] if oldest else None)

    def is_shut_out(self) -> bool:
        """Return whether records wait, and the last answer to each of them was 401 or 403.

        The newest are looked at first: they were probably not tried yet. A paused sync tries one
        record per pause, so 150 records all have such an answer after 5.9 h, and 30 after 0.9 h
        (simulation, November 2026). The answer follows from rows alone, so it needs no clock and
        survives a restart.
        """
        waiting = "FROM captures INDEXED BY idx_captures_state WHERE state = 'PENDING'"
        other = f"AND (answer IS NULL OR NOT ({NOT_LET_IN})) ORDER BY number DESC LIMIT 1"
        with self._database.look() as sql:
            is_any = sql.execute(f"SELECT 1 {waiting} LIMIT 1").fetchone()
            return bool(is_any) and not sql.execute(f"SELECT 1 {waiting} {other}").fetchone()

    def items(self, state: RecordState | None, after: int, limit: int) -> list[Item]:
        """Return up to `limit` items in order of arrival, those with a number above `after`."""
        where = "number > ?" if state is None else f"state = '{state}' AND number > ?"
        return list(self._select(f"{where} ORDER BY number LIMIT ?", after, limit))

    def every(self) -> Iterator[Item]:
        """Yield all items in order of arrival, MOST_ROWS at most; few are in memory at a time.

        Each page of items shows one state of the queue.
        """
        after, left = 0, MOST_ROWS
        while page := self.items(None, after, min(left, _PAGE_ROWS)):
            yield from page
            after, left = page[-1].number, left - len(page)

    def undelivered(
        self, states: Sequence[RecordState], after: CaptureId | None, limit: int
    ) -> list[Undelivered]:
        """Return up to `limit` items in these states, in order of arrival, behind the named one.

        It is as quick at the end as at the beginning: each state is read by its index, whose
        rows are in order of their numbers.

        Raises:
            UnknownItem: there is no such item.
        """
        where = [f"INDEXED BY idx_captures_state WHERE state = '{state}'" for state in states]
        return self._page(where, after, limit)

    def suspects(self, after: CaptureId | None, limit: int) -> list[Undelivered]:
        """Return a page, as `undelivered` does, of waiting items with a bare 4xx or a dead end."""
        return self._page([f"INDEXED BY captures_suspect WHERE {_SUSPECT}"], after, limit)

    def alarms(self, limit: int) -> list[Item]:
        """Return the oldest items that need a person: suspect, refused, damaged."""
        return list(
            self._select(
                f"{_ALARMING} AND state NOT IN ('DELIVERED', 'PRUNED') ORDER BY number LIMIT ?",
                limit,
            )
        )

    def states(self) -> dict[CaptureId, RecordState]:
        """Return every record and its state, for the sweep: the only query that reads every row.

        Raises:
            QueueBroken: a row is invalid.
        """
        query = f"SELECT capture_id, state, ({BELIEVABLE}) AS believable FROM captures"  # noqa: S608 - constants
        with self._database.look() as sql:
            found: dict[CaptureId, RecordState] = {}
            for row in sql.execute(f"{query} LIMIT {MOST_ROWS + 1}"):
                if len(found) == MOST_ROWS or row["believable"] != 1:
                    words = "it has more rows than a device makes, or rows that none can have"
                    raise corrupt(words)
                found[CaptureId(row["capture_id"])] = RecordState(row["state"])
            _check_tally(sql, Counter(found.values()))
        return found

    def dated_by(self) -> ClockSource:
        """Return the source of this boot's worst date: the record's own label, or a `time` record.

        A record that GNSS or the network dated at once needs no better date: it counts as best.
        """
        with self._database.look() as sql:
            rows = sql.execute(
                "SELECT DISTINCT kind = 'time' AS is_time, clock FROM captures"  # noqa: S608 - our own constants
                f" WHERE boot_id = ? AND clock IN {tuple(map(str, ClockSource))}",
                (self._boot_id,),
            ).fetchall()
        labels = {row["clock"] for row in rows}
        times = {row["clock"] for row in rows if row["is_time"]}
        weak = [source for source in (ClockSource.UNSYNCED, ClockSource.RTC) if source in labels]
        if not weak:
            return ClockSource.NTP
        return next((source for source in ClockSource if source in times), weak[0])

    def _page(self, where: Sequence[str], after: CaptureId | None, limit: int) -> list[Undelivered]:
        with self._database.look() as sql:
            number = 0 if after is None else _number(sql, after)
            found = [
                _undelivered(row)
                for one in where
                for row in sql.execute(_PAGE.format(one), (number, limit))
            ]
        return sorted(found, key=lambda one: one.number)[:limit]

    def _select(self, where: str, *values: object) -> Iterator[Item]:
        with self._database.look() as sql:
            query = f"SELECT {COLUMNS} FROM captures WHERE {where}"  # noqa: S608 - our own constants
            items = [item_of(row) for row in sql.execute(query, values)]
        return iter(items)


_PAGE: Final = (
    "SELECT number, capture_id, state, suspected, utc, clock,"  # noqa: S608 - constants
    f" substr(answer, 1, {_ANSWER_CHARS}) AS answer, ({BELIEVABLE}) AS believable"
    " FROM captures {} AND number > ? ORDER BY number LIMIT ?"
)


def _number(sql: Connection, capture_id: CaptureId) -> int:
    query = "SELECT number FROM captures WHERE capture_id = ?"
    row = sql.execute(query, (capture_id,)).fetchone()
    if row is None:
        raise UnknownItem(f"{capture_id}: not in the queue")
    return int(row["number"])


def _undelivered(row: Row) -> Undelivered:
    values = dict(row)
    if values.pop("believable") != 1:
        raise corrupt("it has a row that no device makes")
    return Undelivered(**values | {"state": RecordState(values["state"])})


def _tally(sql: Connection) -> dict[str, int]:
    found = sql.execute("SELECT state, rows FROM tally LIMIT ?", (len(RecordState) + 1,))
    return dict(found.fetchall())


def _check_tally(sql: Connection, wanted: Counter[RecordState]) -> None:
    found = _tally(sql)
    if found != {state.value: wanted[state] for state in RecordState}:
        raise corrupt("its tally is not that of its rows")


def item_of(row: Row) -> Item:
    """Return a row that has all of COLUMNS as a value.

    Raises:
        DatabaseError: the row is invalid.
    """
    values = dict(row)
    if values.pop("believable") != 1:
        raise corrupt("it has a row that no device makes")
    values["state"], values["adopted"] = RecordState(values["state"]), bool(values["adopted"])
    return Item(**values)
