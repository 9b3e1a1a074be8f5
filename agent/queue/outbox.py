"""Changes of the queue: one row per record file, and what is known of its way to the backend."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from agent.errors import UnknownItem
from agent.models import CaptureId, Item, RecordLabel, RecordState, StoredRecord, rfc3339
from agent.queue.database import Connection, Database
from agent.queue.reader import COLUMNS, NOT_LET_IN, OutboxReader, item_of

CLAIM_S: Final = 600.0
"""Time for which a claim keeps an item: an attempt lasts 540 s at most, and is the only one."""

_NOT_SUSPECT: Final = "(suspected = 0 OR dead_ends > 0)"
"""Condition of items tried as usual. Dead ends are among them: a backend can be fixed any time."""

_NO_COUNT: Final = "dead_ends = 0, sent_whole = 0"
"""Assignment for a row whose way to the backend has ended; a retry counts from zero again."""


class Outbox(OutboxReader):
    """The queue of one device, to ask and to change.

    Every change is one durable transaction: once it has returned, it survives a power cut.
    Find an item again by its id: numbers begin again when the queue is made again.
    All methods raise StorageFault, StorageFull or NotNow as `Database.step` does.
    """

    _database: Database

    def __init__(self, database: Database, boot_id: str) -> None:
        super().__init__(database, boot_id)

    def add(
        self,
        label: RecordLabel,
        label_sha256: str,
        file: tuple[int, str],
        *,
        adopted: bool,
        due_s: float = 0.0,
    ) -> None:
        """Queue a record whose file is in place; `file` is its size in bytes and its digest.

        A second call changes nothing, so repeat it if its outcome is unknown.
        A row of another record with the same number is deleted: files decide, and the sweep finds
        the file of that record, if there is one.
        """
        kept = StoredRecord(label, label_sha256, *file)
        with self._database.step() as sql:
            sql.execute(
                "DELETE FROM captures WHERE chain = ? AND seq = ? AND capture_id != ?",
                (label.chain, label.seq, label.capture_id),
            )
            self._insert(sql, kept, adopted=adopted, due_s=due_s)

    def restore_row(self, kept: StoredRecord) -> None:
        """Put what the record's file says in the place of its row, as of one just adopted."""
        with self._database.step() as sql:
            sql.execute("DELETE FROM captures WHERE capture_id = ?", (kept.label.capture_id,))
        self.add(kept.label, kept.label_sha256, (kept.file_bytes, kept.file_sha256), adopted=True)

    def holder(self, label: RecordLabel) -> CaptureId | None:
        """Return the record whose row has the label's number in the chain."""
        with self._database.look() as sql:
            query = "SELECT capture_id FROM captures WHERE chain = ? AND seq = ?"
            row = sql.execute(query, (label.chain, label.seq)).fetchone()
        return row and CaptureId(row["capture_id"])

    def adopt(self, records: Iterable[StoredRecord]) -> list[StoredRecord]:
        """Queue records that have lost their rows, in one transaction.

        Return the records whose number in the chain another record has.
        """
        with self._database.step() as sql:
            return [one for one in records if not self._insert(sql, one, adopted=True, due_s=0.0)]

    def _insert(self, sql: Connection, kept: StoredRecord, *, adopted: bool, due_s: float) -> bool:
        """Insert a row; return True if the record has its row now."""
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
            "state": RecordState.PENDING,
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

    def claim(self, now_s: float, *, due_s: float, suspects: bool = True) -> Item | None:
        """Book the retry of the item that is longest due at `due_s`, and return it.

        One UPDATE: two senders never get the same item, and a sender that dies leaves a booking
        that ends by itself.
        """
        allowed = "" if suspects else f" AND {_NOT_SUSPECT}"
        with self._database.step() as sql:
            rows = sql.execute(
                "UPDATE captures SET attempts = attempts + 1, due_boot_id = ?, due_s = ?"  # noqa: S608 - constants
                " WHERE number = (SELECT number FROM captures WHERE state = 'PENDING'"
                f" AND due_s <= ?{allowed} ORDER BY due_s, number LIMIT 1)"
                " RETURNING number",
                (self._boot_id, now_s + CLAIM_S, due_s),
            ).fetchall()
            if not rows:
                return None
            # RETURNING of SQLite 3.40 has no IS NULL, and calls a whole number of reals an integer.
            query = f"SELECT {COLUMNS} FROM captures WHERE number = ?"  # noqa: S608 - constants
            return item_of(sql.execute(query, (rows[0]["number"],)).fetchone())

    def reset_schedule(self, due_s: float) -> None:
        """Make what another boot had booked due at `due_s`: its clock means nothing now."""
        self._write(
            "due_boot_id = :boot, due_s = :due WHERE state = 'PENDING' AND due_boot_id != :boot",
            {"boot": self._boot_id, "due": due_s},
        )

    def make_due(self, due_s: float) -> None:
        """Make everything that is backed off, but not suspect, due at `due_s`."""
        self._write(
            f"due_s = :due WHERE state = 'PENDING' AND {_NOT_SUSPECT} AND due_s > :due",
            {"due": due_s},
        )

    def schedule_retry(
        self,
        item: Item,
        due_s: float,
        answer: str,
        *,
        suspected: bool = False,
        dead_ends: int = 0,
        sent_whole: int = 0,
    ) -> None:
        """Note a failed attempt: due again at `due_s`; `answer` is the answer or error as text."""
        self._mark(
            item,
            "due_s = :due, answer = :answer, suspected = suspected + :suspected,"
            " dead_ends = :dead_ends, sent_whole = :sent_whole",
            {
                "due": due_s,
                "answer": answer,
                "suspected": int(suspected),
                "dead_ends": dead_ends,
                "sent_whole": sent_whole,
            },
        )

    def note_let_in(self) -> None:
        """Note that 401 and 403, the last answers of rows that wait, are out of date."""
        self._write(
            f"answer = :since || answer WHERE state = 'PENDING' AND ({NOT_LET_IN})",
            {"since": "let in since; before: "},
        )

    def set_upload_url(self, item: Item, url: str) -> None:
        """Keep the address that the backend gave the upload."""
        self._mark(item, "upload_url = :url", {"url": url})

    def mark_delivered(self, item: Item, receipt: str, received: datetime) -> None:
        """Mark an item as received by the backend, and keep the `receipt` for capture."""
        self._decide(item, RecordState.DELIVERED, receipt, received, None)

    def mark_refused(self, item: Item, refusal: str, refused: datetime, reason: str) -> None:
        """Mark an item as refused by the backend, with its signature; the record is kept."""
        self._decide(item, RecordState.REFUSED, refusal, refused, reason)

    def mark_damaged(self, item: Item, what: str) -> None:
        """Mark an item whose file is missing or holds other bytes; the row is kept, as an alarm."""
        with self._database.step() as sql:
            sql.execute(
                f"UPDATE captures SET state = 'DAMAGED', answer = ?, {_NO_COUNT}"  # noqa: S608 - constants
                " WHERE capture_id = ? AND state IN ('PENDING', 'REFUSED')",
                (what, item.capture_id),
            )

    def mark_missing(self, ids: Collection[CaptureId]) -> tuple[int, int]:
        """Mark items whose files are missing; return how many are DAMAGED now, and how many PRUNED.

        A delivered record becomes PRUNED, as its receipt allows; the others are an alarm.
        It is one transaction.
        """
        listed = [(capture_id,) for capture_id in ids]
        damage = f"state = 'DAMAGED', answer = 'its file is gone', {_NO_COUNT} WHERE capture_id = ?"
        prune = "state = 'PRUNED' WHERE capture_id = ? AND state = 'DELIVERED'"
        with self._database.step() as sql:
            return (
                sql.executemany(
                    f"UPDATE captures SET {damage} AND state IN ('PENDING', 'REFUSED')",  # noqa: S608 - as above
                    listed,
                ).rowcount,
                sql.executemany(f"UPDATE captures SET {prune}", listed).rowcount,  # noqa: S608 - as above
            )

    def mark_pruned(self, ids: Collection[CaptureId]) -> None:
        """Mark records whose files capture deleted; one transaction for all."""
        with self._database.step() as sql:
            sql.executemany(
                "UPDATE captures SET state = 'PRUNED' WHERE capture_id = ? AND state = 'DELIVERED'",
                [(capture_id,) for capture_id in ids],
            )

    def requeue(self, item: Item) -> None:
        """Queue a delivered item without a receipt again: sync asks the backend what it has."""
        self._write(
            "state = 'PENDING', adopted = 1, suspected = 0, due_boot_id = :boot, due_s = 0.0,"
            " decision = NULL, decided_utc = NULL WHERE capture_id = :id AND state = 'DELIVERED'",
            {"boot": self._boot_id, "id": item.capture_id},
        )

    def delete_rows(self, ids: Collection[CaptureId]) -> None:
        """Delete the rows of pruned records: the end of every trace of them here."""
        with self._database.step() as sql:
            sql.executemany(
                "DELETE FROM captures WHERE capture_id = ? AND state = 'PRUNED'",
                [(capture_id,) for capture_id in ids],
            )

    def retry(self, capture_id: CaptureId | None, due_s: float) -> int:
        """Requeue one REFUSED, DAMAGED or suspect item, or all, due at `due_s`; return how many.

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

    def _decide(
        self, item: Item, state: RecordState, decision: str, decided: datetime, answer: str | None
    ) -> None:
        with self._database.step() as sql:
            sql.execute(
                "UPDATE captures SET state = ?, decision = ?, decided_utc = ?, answer = ?,"  # noqa: S608 - constants
                f" {_NO_COUNT} WHERE capture_id = ? AND state = 'PENDING'",
                (state, decision, rfc3339(decided), answer, item.capture_id),
            )

    def _mark(self, item: Item, change: str, values: dict[str, Any]) -> None:
        where = "WHERE capture_id = :id AND state = 'PENDING'"
        self._write(f"{change} {where}", values | {"id": item.capture_id})

    def _write(self, change: str, values: dict[str, Any]) -> int:
        with self._database.step() as sql:
            return sql.execute(f"UPDATE captures SET {change}", values).rowcount  # noqa: S608 - our own constants
