"""The queue: one row per record file, and what is known of its way to the backend."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from agent.errors import NotGenuine, UnknownItem
from agent.models import CaptureId, Counts, Item, Kept, Label, State, rfc3339
from agent.queue.database import Connection, Database, Row
from hardware.clock import ClockSource

BOOKING_S: Final = 600.0
"""How long a claim keeps an item: an attempt lasts 540 s at most, and nobody else may begin one."""


_COLUMNS: Final = ", ".join(Item.__dataclass_fields__)


_ALARMING: Final = "(state IN ('REFUSED', 'DAMAGED') OR suspected > 0)"
"""A small index's condition; a query that repeats it word for word is answered from that index."""

_SUSPECT: Final = "state = 'PENDING' AND suspected > 0"
"""The same for another."""


class Outbox:
    """The queue of one device.

    Every method is one durable transaction: when it returned, its change survives a power cut.
    Items are found again by their id: numbers begin anew when the queue was made again meanwhile.
    All raise StorageFault, StorageFull or NotNow as `Database.step` does.
    """

    def __init__(self, database: Database, boot_id: str) -> None:
        self._database = database
        self._boot_id = boot_id

    def add(
        self,
        label: Label,
        label_sha256: str,
        file: tuple[int, str],
        *,
        adopted: bool,
        due_s: float = 0.0,
    ) -> None:
        """Queue a record whose file is in place; `file` is its size in bytes and its digest.

        A second time changes nothing, so that it can be repeated when its outcome is unknown.

        Raises:
            NotGenuine: another record has this number in the chain.
        """
        kept = Kept(label, label_sha256, *file)
        with self._database.step() as sql:
            if not self._insert(sql, kept, adopted=adopted, due_s=due_s):
                raise NotGenuine(f"{label.capture_id}: another record has its number, {label.seq}")

    def adopt(self, records: Iterable[Kept]) -> list[Kept]:
        """Queue records that have lost their rows, in one transaction.

        Returns those whose number in the chain another record has.
        """
        with self._database.step() as sql:
            return [one for one in records if not self._insert(sql, one, adopted=True, due_s=0.0)]

    def _insert(self, sql: Connection, kept: Kept, *, adopted: bool, due_s: float) -> bool:
        """Whether the record has its row now."""
        label = kept.label
        values = {
            "capture_id": label.capture_id,
            "chain": label.chain,
            "seq": label.seq,
            "label_sha256": kept.label_sha256,
            "boot_id": label.boot_id,
            "kind": label.kind,
            "about": label.about,
            "utc": label.utc,
            "clock": label.clock,
            "bytes": kept.file_bytes,
            "sha256": kept.file_sha256,
            "state": State.PENDING,
            "adopted": int(adopted),
            "attempts": 0,
            "suspected": 0,
            "due_boot_id": self._boot_id,
            "due_s": due_s,
        }
        columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        added = sql.execute(
            f"INSERT INTO captures ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608 - the names above
            values,
        ).rowcount
        known = "SELECT 1 FROM captures WHERE capture_id = ?"
        return bool(added or sql.execute(known, (label.capture_id,)).fetchone())

    def newest(self) -> Item | None:
        """The newest record of the newest chain, on which the next one builds."""
        where = "chain = (SELECT chain FROM captures ORDER BY number DESC LIMIT 1)"
        return next(self._select(f"{where} ORDER BY seq DESC LIMIT 1"), None)

    def newest_by(self, source: ClockSource) -> Item | None:
        """The newest record of this boot that `source` dated."""
        where = "boot_id = ? AND clock = ? ORDER BY number DESC LIMIT 1"
        return next(self._select(where, self._boot_id, source), None)

    def claim(self, now_s: float, *, due_s: float, suspects: bool = True) -> Item | None:
        """Book the retry of the item that is longest due at `due_s`, and return it.

        One UPDATE: two senders never get the same item, and a sender that dies leaves a booking
        that ends by itself.
        """
        allowed = "" if suspects else " AND suspected = 0"
        with self._database.step() as sql:
            rows = sql.execute(
                "UPDATE captures SET attempts = attempts + 1, due_boot_id = ?, due_s = ?"  # noqa: S608 - constants
                " WHERE number = (SELECT number FROM captures WHERE state = 'PENDING'"
                f" AND due_s <= ?{allowed} ORDER BY due_s, number LIMIT 1)"
                f" RETURNING {_COLUMNS}",
                (self._boot_id, now_s + BOOKING_S, due_s),
            ).fetchall()
        return _item(rows[0]) if rows else None

    def due_s(self) -> float | None:
        """CLOCK_BOOTTIME when the next item is due; None when nothing waits."""
        query = "SELECT min(due_s) FROM captures WHERE state = 'PENDING'"
        with self._database.look() as sql:
            found = sql.execute(query).fetchone()[0]
        return None if found is None else float(found)

    def rebook(self, due_s: float) -> None:
        """Make what another boot had booked due at `due_s`: its clock means nothing now."""
        self._write(
            "due_boot_id = :boot, due_s = :due WHERE state = 'PENDING' AND due_boot_id != :boot",
            {"boot": self._boot_id, "due": due_s},
        )

    def hurry(self, due_s: float) -> None:
        """Make everything that is backed off, but not suspect, due at `due_s`."""
        self._write(
            "due_s = :due WHERE state = 'PENDING' AND suspected = 0 AND due_s > :due",
            {"due": due_s},
        )

    def book(self, item: Item, due_s: float, answer: str, *, suspected: bool = False) -> None:
        """Note a failed attempt: due again at `due_s`; `answer` says in words what came back."""
        self._mark(
            item,
            "due_s = :due, answer = :answer, suspected = suspected + :suspected",
            {"due": due_s, "answer": answer, "suspected": int(suspected)},
        )

    def set_upload_url(self, item: Item, url: str) -> None:
        """Remember where the backend put the upload."""
        self._mark(item, "upload_url = :url", {"url": url})

    def mark_delivered(self, item: Item, receipt: str, received: datetime) -> None:
        """The backend has it; `receipt` is kept for prune, which verifies it itself."""
        self._decide(item, State.DELIVERED, receipt, received, None)

    def mark_refused(self, item: Item, refusal: str, refused: datetime, reason: str) -> None:
        """The backend refused it with its signature; kept."""
        self._decide(item, State.REFUSED, refusal, refused, reason)

    def mark_damaged(self, item: Item, what: str) -> None:
        """Its file is gone or holds other bytes; kept, alarm."""
        with self._database.step() as sql:
            sql.execute(
                "UPDATE captures SET state = 'DAMAGED', answer = ? WHERE capture_id = ?"
                " AND state IN ('PENDING', 'REFUSED')",
                (what, item.capture_id),
            )

    def mark_pruned(self, *items: Item) -> None:
        """Their files were deleted, as their receipts allow; one transaction for all."""
        with self._database.step() as sql:
            sql.executemany(
                "UPDATE captures SET state = 'PRUNED' WHERE capture_id = ? AND state = 'DELIVERED'",
                [(item.capture_id,) for item in items],
            )

    def forget(self, item: Item) -> None:
        """Delete the row of a pruned record: the end of every trace of it here."""
        with self._database.step() as sql:
            sql.execute(
                "DELETE FROM captures WHERE capture_id = ? AND state = 'PRUNED'",
                (item.capture_id,),
            )

    def retry(self, capture_id: CaptureId | None, due_s: float) -> int:
        """Put one REFUSED or DAMAGED item back, or all; a suspect one is due at once. How many.

        Raises:
            UnknownItem: no such item, or nothing to retry about it.
        """
        only = "" if capture_id is None else " AND capture_id = :id"
        changed = self._write(
            "state = 'PENDING', adopted = 1, suspected = 0, due_boot_id = :boot, due_s = :due,"
            " decision = NULL, decided_utc = NULL WHERE (state IN ('REFUSED', 'DAMAGED')"
            f" OR (state = 'PENDING' AND suspected > 0)){only}",
            {"boot": self._boot_id, "due": due_s, "id": capture_id},
        )
        if capture_id is not None and not changed:
            raise UnknownItem(f"{capture_id}: not in the queue, or neither refused nor damaged")
        return changed

    def counts(self) -> Counts:
        """What is not with the backend; as quick for many rows as for few."""
        with self._database.look() as sql:
            tally = dict(sql.execute("SELECT state, rows FROM tally").fetchall())
            suspects = f"FROM captures INDEXED BY captures_suspect WHERE {_SUSPECT}"
            suspected = sql.execute(f"SELECT count(*) {suspects}").fetchone()[0]
            oldest = sql.execute(
                "SELECT utc FROM captures WHERE state = 'PENDING' ORDER BY number LIMIT 1"
            ).fetchone()
        waiting, refused, damaged = (tally[one] for one in ("PENDING", "REFUSED", "DAMAGED"))
        return Counts(waiting, suspected, refused, damaged, oldest["utc"] if oldest else None)

    def items(self, state: State | None, after: int, limit: int) -> list[Item]:
        """Up to `limit` items in order of arrival, those with a number above `after`."""
        where = "number > ?" if state is None else f"state = '{state}' AND number > ?"
        return list(self._select(f"{where} ORDER BY number LIMIT ?", after, limit))

    def alarms(self, limit: int) -> list[Item]:
        """The oldest items that need a person: suspect, refused, damaged."""
        return list(
            self._select(
                f"{_ALARMING} AND state NOT IN ('DELIVERED', 'PRUNED') ORDER BY number LIMIT ?",
                limit,
            )
        )

    def states(self) -> dict[CaptureId, State]:
        """Every known record and its state, for the sweep."""
        with self._database.look() as sql:
            rows = sql.execute("SELECT capture_id, state FROM captures").fetchall()
        return {CaptureId(row["capture_id"]): State(row["state"]) for row in rows}

    def dated_by(self) -> ClockSource:
        """Who dates the worst dated record of this boot: its own label, or the best `time` record.

        What GNSS or the network dated at once needs no better date: that counts as the best.
        """
        with self._database.look() as sql:
            rows = sql.execute(
                "SELECT DISTINCT kind, clock FROM captures WHERE boot_id = ?", (self._boot_id,)
            ).fetchall()
        labels = {row["clock"] for row in rows}
        times = {row["clock"] for row in rows if row["kind"] == "time"}
        weak = [source for source in (ClockSource.UNSYNCED, ClockSource.RTC) if source in labels]
        if not weak:
            return ClockSource.NTP
        return next((source for source in ClockSource if source in times), weak[0])

    def floor(self) -> datetime | None:
        """The time floor as last kept, or None."""
        with self._database.look() as sql:
            row = sql.execute("SELECT text FROM facts WHERE name = 'time_floor'").fetchone()
        return datetime.fromisoformat(row["text"]) if row else None

    def raise_floor(self, utc: datetime) -> None:
        """Keep a later time floor; an earlier one changes nothing."""
        with self._database.step() as sql:
            _raise_floor(sql, rfc3339(utc))

    def get(self, capture_id: CaptureId) -> Item:
        """One item.

        Raises:
            UnknownItem: it is not in the queue.
        """
        for item in self._select("capture_id = ?", capture_id):
            return item
        raise UnknownItem(f"{capture_id}: not in the queue")

    def _decide(
        self, item: Item, state: State, decision: str, decided: datetime, answer: str | None
    ) -> None:
        with self._database.step() as sql:
            sql.execute(
                "UPDATE captures SET state = ?, decision = ?, decided_utc = ?, answer = ?"
                " WHERE capture_id = ? AND state = 'PENDING'",
                (state, decision, rfc3339(decided), answer, item.capture_id),
            )
            _raise_floor(sql, rfc3339(decided))

    def _mark(self, item: Item, change: str, values: dict[str, Any]) -> None:
        where = "WHERE capture_id = :id AND state = 'PENDING'"
        self._write(f"{change} {where}", values | {"id": item.capture_id})

    def _write(self, change: str, values: dict[str, Any]) -> int:
        with self._database.step() as sql:
            return sql.execute(f"UPDATE captures SET {change}", values).rowcount  # noqa: S608 - our own constants

    def _select(self, where: str, *values: object) -> Iterator[Item]:
        with self._database.look() as sql:
            query = f"SELECT {_COLUMNS} FROM captures WHERE {where}"  # noqa: S608 - our own constants
            rows = sql.execute(query, values).fetchall()
        return (_item(row) for row in rows)


def _raise_floor(sql: Connection, text: str) -> None:
    sql.execute(
        "INSERT INTO facts VALUES ('time_floor', ?)"
        " ON CONFLICT (name) DO UPDATE SET text = max(text, excluded.text)",
        (text,),
    )


def _item(row: Row) -> Item:
    values = dict(row)
    values["state"], values["adopted"] = State(values["state"]), bool(values["adopted"])
    return Item(**values)
