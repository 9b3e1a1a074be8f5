"""Which order a record belongs to."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.models import BoundBy, Reason, RecordKind, from_rfc3339, rfc3339
from agent.rule import reach
from doorstep_backend import zones
from doorstep_backend.engines.sql import Database, Result, Row
from doorstep_backend.office import claims, photos
from doorstep_backend.office.claims import BootTime, FilingEntry
from doorstep_backend.office.families import Member, family_of, kin_of
from doorstep_backend.office.orders import TAKES_NO_PHOTO, NoSuchOrder, Order, Orders
from doorstep_backend.office.outcomes import Outcomes
from doorstep_backend.office.photos import Filed
from doorstep_backend.office.showing import IS_REVOKED, REVOKED, Showing
from doorstep_backend.wire.store import Store
from hardware.clock import ClockSource
from hardware.floor import AGREES_WITHIN

_BY_LABEL: Final = {BoundBy.CODE, claims.LABEL_ELSEWHERE, claims.LABEL_UNPLACED}
"""`bound_by` of what a label named, whether its stop was in reach or not."""


_IS_VOIDED: Final = f"""EXISTS (SELECT 1 FROM captures v WHERE v.about = {{0}}.capture_id
    AND v.kind = 'void' AND v.device_id = {{0}}.device_id AND NOT {IS_REVOKED.format("v")})"""

_NUMBERS: Final = "SELECT capture_id, chain, seq FROM captures WHERE device_id = ?"


def _dates_better(told: BootTime, known: Row) -> bool:
    source = ClockSource(known["source"])
    is_later = told.monotonic_ns > known["monotonic_ns"]
    return told.source.beats(source) or (told.source is source and is_later)


class Filing(Showing):
    """The filing of records, in whatever order they come, and the photos that may be shown."""

    def __init__(
        self,
        ledger: Database,
        store: Store,
        orders: Orders,
        *,
        show_simulated: bool,
        zone: ZoneInfo = zones.UTC_ZONE,
    ) -> None:
        super().__init__(ledger, store, show_simulated=show_simulated)
        self._orders = orders
        self._zone = zone
        self.outcomes = Outcomes(ledger, orders, show_simulated=show_simulated)

    def accept(self, said: FilingEntry, received_at: str) -> None:
        """File a record that has its receipt; again does nothing. Durable when it returns."""
        row = said.columns | {"received_at": received_at}
        row["own_number"] = row["number"] = self._order_of(row, said.stop_id)
        names = ", ".join(f":{name}" for name in row)
        into = f"""INSERT INTO captures ({", ".join(row)}) VALUES ({names})
            ON CONFLICT (capture_id) DO NOTHING"""
        with self._ledger.exclusive_transaction(row["device_id"]):
            self._ledger.execute(into, row)
            if said.boot is not None:
                self._date(said.boot, received_at)
            self.outcomes.settle(self._settle(row["capture_id"]))

    def refile(self, said: FilingEntry, received_at: str) -> None:
        """File a record again that is filed without its body, unless it was withdrawn.

        Durable when it returns. Instances that start together are at the same ones: the second
        changes nothing.
        """
        gone = """DELETE FROM captures WHERE capture_id = ? AND bound_by = ? AND erased_at IS NULL
            AND state <> 'withdrawn'"""
        row = (said.columns["capture_id"], claims.UNOPENED_BODY)
        with self._ledger.exclusive_transaction(said.columns["device_id"]):
            if self._ledger.execute(gone, row).rowcount == 1:
                self.accept(said, received_at)

    def _date(self, told: BootTime, received_at: str) -> None:
        """Date a boot by the last `time` record of the best source, in whatever order they come.

        A device writes another one by the same source if that source now contradicts it. A date
        later than the record's receipt, by more than clocks differ, was never true.
        """
        if from_rfc3339(told.utc) - from_rfc3339(received_at) > AGREES_WITHIN:
            return
        query = "SELECT source, monotonic_ns FROM times WHERE device_id = ? AND boot_id = ?"
        known = self._ledger.execute(query, (told.device_id, told.boot_id)).fetchone()
        if known is not None and not _dates_better(told, known):
            return
        with self.outcomes.noted(self.outcomes.proved_in(told.device_id, told.boot_id)):
            upsert = """INSERT INTO times VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (device_id, boot_id) DO UPDATE
                SET monotonic_ns = excluded.monotonic_ns, utc = excluded.utc,
                source = excluded.source"""
            self._ledger.execute(upsert, told)

    def is_filed(self, capture_id: str) -> bool:
        """Return whether the record has its row, erased or not."""
        query = "SELECT 1 FROM captures WHERE capture_id = ?"
        return self._ledger.execute(query, (capture_id,)).fetchone() is not None

    def filed(self, capture_id: str) -> Filed | None:
        """Return what became of a record, shown or not; None if it was not filed."""
        query = f"""SELECT c.number, c.bound_by, c.received_at, c.erased_at, c.erased_why,
            c.taken_back_at, c.bound_by IS NOT DISTINCT FROM ?, {REVOKED}, c.simulated
            FROM captures c WHERE c.capture_id = ?"""
        row = self._ledger.execute(query, (claims.UNOPENED_BODY, capture_id)).fetchone()
        return None if row is None else Filed(*row[:6], *map(bool, row[6:]))

    def unopened(self) -> list[tuple[str, str]]:
        """Return the ids of records that are sealed to nobody here, and when each came."""
        query = f"""SELECT capture_id, received_at FROM captures
            WHERE bound_by = '{claims.UNOPENED_BODY}' AND erased_at IS NULL"""
        return [tuple(row) for row in self._ledger.execute(query)]

    def is_erased(self, capture_id: str) -> bool:
        """Return whether the record is filed, and its body was erased."""
        query = "SELECT 1 FROM captures WHERE capture_id = ? AND erased_at IS NOT NULL"
        return self._ledger.execute(query, (capture_id,)).fetchone() is not None

    def of_order(self, number: str) -> list[str]:
        """Return ids of all that is kept about an order, shown or not, in the order of receipt."""
        query = "SELECT capture_id FROM captures WHERE number = ? ORDER BY received_at"
        return [row[0] for row in self._ledger.execute(query, (number,))]

    def has_history(self, number: str) -> bool:
        """Return whether anything is kept about an order, or it was delivered."""
        query = """SELECT 1 FROM orders o WHERE o.number = :number AND (o.done
            OR EXISTS (SELECT 1 FROM captures c WHERE c.number = :number))"""
        return self._ledger.execute(query, {"number": number}).fetchone() is not None

    def of_device(self, device_id: str) -> list[str]:
        """Return ids of all that a device sent, erased or not, in the order of receipt."""
        query = "SELECT capture_id FROM captures WHERE device_id = ? ORDER BY received_at"
        return [row[0] for row in self._ledger.execute(query, (device_id,))]

    def numbers_of(self, device_id: str) -> Result:
        """Return `capture_id`, `chain` and `seq` of all from a device, in the order of receipt."""
        return self._ledger.execute(f"{_NUMBERS} ORDER BY received_at", (device_id,))

    def numbers_beside(self, device_id: str, chain: str, seq: int) -> Result:
        """Return the rows of `numbers_of` with this number, the one before or after, or none."""
        query = f"{_NUMBERS} AND chain = ? AND seq BETWEEN ? AND ? ORDER BY received_at"
        return self._ledger.execute(query, (device_id, chain, seq - 1, seq + 1))

    def is_unwanted(self, capture_id: str) -> bool:
        """Return whether this press was withdrawn, or is a photo of an order that takes none."""
        query = f"""SELECT 1 FROM captures c LEFT JOIN orders o ON o.number = c.number
            WHERE c.capture_id = ?
            AND (c.state = 'withdrawn' OR c.kind = 'photo' AND {TAKES_NO_PHOTO})"""
        return self._ledger.execute(query, (capture_id,)).fetchone() is not None

    def conclude_anew(self, device_id: str, capture_ids: Sequence[str], since: datetime) -> None:
        """Calculate again, by what is believed, what took these back since then and did.

        In one step, so that a photo which stays taken back is never seen in between.
        """
        undo = """UPDATE captures SET taken_back_at = NULL
            WHERE capture_id = ? AND taken_back_at >= ?"""
        with self._ledger.exclusive_transaction(device_id):
            numbers = set[str]()
            for capture_id in capture_ids:
                self._ledger.execute(undo, (capture_id, rfc3339(since)))
                numbers |= self._settle(capture_id)
            self.outcomes.settle(numbers)

    def candidates(self, capture_id: str) -> list[Order]:
        """Return the orders that a press may be of, which its device had that day, likeliest first.

        That is the order that its label names, then the nearest. A photo that nobody may see has
        none.
        """
        found = self._press(capture_id)
        if found is None or found["bound_by"] == claims.UNOPENED_BODY:
            return []
        orders = self._orders.carried_by(found["device_id"], *self._day(found))
        record = self._store.record(capture_id)
        circle = claims.circle(record.get("position"))
        if circle is not None:
            orders.sort(key=lambda order: reach.distance_m(order, circle))
        if found["bound_by"] in _BY_LABEL:
            named = claims.stop_id(record)
            orders.sort(key=lambda order: order.stop_id != named)
        return orders

    def was_carried_that_day(self, capture_id: str, number: str) -> bool:
        """Return whether the press's device had this order on a route of that day."""
        found = self._press(capture_id)
        if found is None:
            return False
        carried = self._orders.carried_by(found["device_id"], *self._day(found))
        return number in {order.number for order in carried}

    def _press(self, capture_id: str) -> Row | None:
        found: Row | None = self._rows("c.capture_id = :id", 1, id=capture_id).fetchone()
        return found

    def _day(self, press: Row) -> tuple[datetime, datetime]:
        """Return begin and end of the press's day, by the backend's clocks.

        If nobody knows the press's time, it may be any time before its receipt.
        """
        at = photos.believed_at(press)
        if at is None:
            return datetime.min.replace(tzinfo=UTC), from_rfc3339(press["received_at"])
        begins = datetime.combine(at.astimezone(self._zone), time.min, self._zone)
        return begins, begins + timedelta(days=1)

    def is_voided(self, capture_id: str) -> bool:
        """Return whether the driver took this record back; a retake that replaces it is no void."""
        query = f"SELECT 1 FROM captures c WHERE c.capture_id = ? AND {_IS_VOIDED.format('c')}"
        return self._ledger.execute(query, (capture_id,)).fetchone() is not None

    def move(
        self, members: Sequence[Member], version: int, state: str, number: str | None
    ) -> set[str]:
        """Put a family (families.py) on the order of its latest correction, or on none.

        The caller has locked its device's records and all these orders. A photo that a retake of
        the same order took back stays so only if both still have the same order.

        Returns:
            All orders whose outcome must be settled again.
        """
        self._keep_held(members)
        ids = [one.capture_id for one in kin_of(self._ledger, members)]
        before = self.outcomes.touched_by(ids)
        change = """UPDATE captures SET number = CASE WHEN erased_at IS NULL THEN ? END, state = ?,
            version = ? WHERE capture_id = ?"""
        rows = [(number, state, version, one.capture_id) for one in members]
        self._ledger.executemany(change, rows)
        self._give_back(ids)
        self._take_back(ids)
        return before | self.outcomes.touched_by(ids)

    def _keep_held(self, members: Sequence[Member]) -> None:
        """Have a hold of the order that a member is on cover it wherever it is moved."""
        ids = [one.capture_id for one in members]
        into = f"""INSERT INTO held SELECT c.capture_id, c.number FROM captures c
            WHERE c.capture_id IN ({_marks(ids)}) AND c.number IN (SELECT number FROM holds)
            ON CONFLICT DO NOTHING"""
        self._ledger.execute(into, ids)

    def _give_back(self, capture_ids: Sequence[str]) -> None:
        """Undo for a moment what only retakes took back: their order may have changed."""
        undo = f"""UPDATE captures SET taken_back_at = NULL WHERE taken_back_at IS NOT NULL
            AND capture_id IN ({_marks(capture_ids)})
            AND capture_id IN (SELECT r.retake_of FROM captures r
                WHERE r.retake_of IN ({_marks(capture_ids)}) AND r.device_id = captures.device_id)
            AND NOT {_IS_VOIDED.format("captures")}"""
        self._ledger.execute(undo, [*capture_ids] * 2)

    def _join(self, capture_id: str) -> set[str]:
        """Apply the latest correction to the family of a record just filed; see `move`."""
        members = family_of(self._ledger, capture_id)
        version = max((one.version for one in members), default=0)
        late = [one for one in members if one.version != version]
        if not late or version == 0:
            return set()
        query = "SELECT state, to_number FROM corrections WHERE version = ?"
        found = self._ledger.execute(query, (version,)).fetchone()
        return set() if found is None else self.move(late, version, *found)

    def _settle(self, capture_id: str) -> set[str]:
        """Draw the conclusions from a record just filed, in whatever order records come.

        The caller has locked the device's records: only they take back what the device sent.

        Returns:
            All orders whose outcome must be settled again.
        """
        joined = self._join(capture_id)
        changed = self._take_back([capture_id])
        return joined | self.outcomes.touched_by({capture_id, *changed})

    def _take_back(self, capture_ids: Sequence[str]) -> list[str]:
        """Note what these records take back, and what takes them back; return what changed.

        The query finds what takes a record back by what it is about, not by its device
        (`|| ''`).
        """
        marks = _marks(capture_ids)
        taken_back = f"""UPDATE captures SET taken_back_at = found.at FROM
            (SELECT c.capture_id AS id, min(CASE WHEN o.received_at > c.received_at
                THEN o.received_at ELSE c.received_at END) AS at
            FROM captures c JOIN captures o ON c.device_id = o.device_id || ''
            WHERE c.taken_back_at IS NULL AND NOT {IS_REVOKED.format("o")}
            AND (o.kind = 'void' AND o.about = c.capture_id
                 OR o.kind = 'photo' AND o.retake_of = c.capture_id AND o.number IS NOT NULL
                    AND (c.number IS NULL OR o.number = c.number))
            AND c.capture_id IN
                (SELECT capture_id FROM captures WHERE capture_id IN ({marks})
                UNION ALL SELECT about FROM captures WHERE capture_id IN ({marks})
                UNION ALL SELECT retake_of FROM captures WHERE capture_id IN ({marks}))
            GROUP BY c.capture_id) AS found
            WHERE captures.capture_id = found.id RETURNING capture_id"""
        found = self._ledger.execute(taken_back, [*capture_ids] * 3)
        return [row["capture_id"] for row in found]

    def _order_of(self, row: dict[str, Any], stop_id: str | None) -> str | None:
        """Return the order that the device bound; only of stops which its manifest had."""
        if stop_id is None or not _is_certain(row):
            return None
        try:
            number = self._orders.at_stop(stop_id).number
        except NoSuchOrder:
            return None
        return number if self._orders.was_carried_by(row["device_id"], number) else None


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _is_certain(row: dict[str, Any]) -> bool:
    """Return whether the device's word is enough to put a record on the order of its stop.

    A refused label of another place stays off: whoever put it up would read that there is a door
    which takes no photo. A hand-over is as certain as a photo must be: it says that an order is
    delivered.
    """
    match row["kind"], row["reason"]:
        case (RecordKind.PHOTO, _) | (RecordKind.NO_PHOTO, Reason.HANDED_OVER):
            return row["bound_by"] in {BoundBy.CODE, BoundBy.PLACE}
        case (RecordKind.NO_PHOTO, _):
            by_any = row["bound_by"] in {*_BY_LABEL, BoundBy.PLACE}
            return by_any and row["reason"] != Reason.CODE_ELSEWHERE
        case _:
            return False
