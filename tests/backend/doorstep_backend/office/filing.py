"""Which order a record belongs to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from agent.models import BoundBy, Reason, RecordKind, from_rfc3339, rfc3339
from agent.rule import reach
from agent.rule.manifest import PhotoRule
from doorstep_backend.engines.sql import Database, Result, Row
from doorstep_backend.office import claims
from doorstep_backend.office.claims import BootTime, FilingEntry
from doorstep_backend.office.orders import TAKES_NO_PHOTO, NoSuchOrder, Order, Orders
from doorstep_backend.office.photos import Filed
from doorstep_backend.office.showing import IS_REVOKED, REVOKED, Showing
from doorstep_backend.wire.store import Store
from hardware.clock import ClockSource
from hardware.floor import AGREES_WITHIN

BY_DISPATCH: Final = "dispatch"
"""`bound_by` of a photo that a person bound; the device's own words are in `BoundBy`."""

_BY_LABEL: Final = {BoundBy.CODE, claims.LABEL_ELSEWHERE, claims.LABEL_UNPLACED}
"""`bound_by` of what a label named, whether its stop was in reach or not."""


class CannotBindError(ValueError):
    """Dispatch asked for what would show a photo to the wrong person, or is over."""


class NotWaitingError(CannotBindError):
    """A photo that does not wait for an order: it has one, or it is gone."""


_NUMBERS: Final = "SELECT capture_id, chain, seq FROM captures WHERE device_id = ?"


def _dates_better(told: BootTime, known: Row) -> bool:
    source = ClockSource(known["source"])
    is_later = told.monotonic_ns > known["monotonic_ns"]
    return told.source.beats(source) or (told.source is source and is_later)


class Filing(Showing):
    """The filing of records, in whatever order they come, and the photos that may be shown."""

    def __init__(
        self, ledger: Database, store: Store, orders: Orders, *, show_simulated: bool
    ) -> None:
        super().__init__(ledger, store, show_simulated=show_simulated)
        self._orders = orders

    def accept(self, said: FilingEntry, received_at: str) -> None:
        """File a record that has its receipt; again does nothing. Durable when it returns."""
        row = said.columns | {"received_at": received_at}
        row["number"] = self._order_of(row, said.stop_id)
        names = ", ".join(f":{name}" for name in row)
        into = f"""INSERT INTO captures ({", ".join(row)}) VALUES ({names})
            ON CONFLICT (capture_id) DO NOTHING"""
        with self._ledger.exclusive_transaction(row["device_id"]):
            self._ledger.execute(into, row)
            if said.boot is not None:
                self._date(said.boot, received_at)
            self._reckon_done(self._settle(row["capture_id"]))

    def refile(self, said: FilingEntry, received_at: str) -> None:
        """File a record again that is filed without its body. Durable when it returns.

        Instances that start together are at the same ones: the second changes nothing.
        """
        gone = "DELETE FROM captures WHERE capture_id = ? AND bound_by = ? AND erased_at IS NULL"
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
        if known is None or _dates_better(told, known):
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
        query = f"""SELECT c.number, c.received_at, c.erased_at, c.erased_why, c.taken_back_at,
            c.bound_by IS NOT DISTINCT FROM ?, {REVOKED}, c.simulated
            FROM captures c WHERE c.capture_id = ?"""
        row = self._ledger.execute(query, (claims.UNOPENED_BODY, capture_id)).fetchone()
        return None if row is None else Filed(*row[:5], *map(bool, row[5:]))

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

    def of_device(self, device_id: str) -> list[str]:
        """Return ids of all that a device sent, erased or not, in the order of receipt."""
        query = "SELECT capture_id FROM captures WHERE device_id = ? ORDER BY received_at"
        return [row[0] for row in self._ledger.execute(query, (device_id,))]

    def numbers_of(self, device_id: str) -> Result:
        """Return all that a device sent, in the order of receipt: `capture_id`, `chain` and `seq`.

        The last two are NULL if an earlier version filed it.
        """
        return self._ledger.execute(f"{_NUMBERS} ORDER BY received_at", (device_id,))

    def numbers_beside(self, device_id: str, chain: str, seq: int) -> Result:
        """Return the rows of `numbers_of` with this number, the one before or after, or none."""
        query = f"""{_NUMBERS} AND (chain = ? AND seq BETWEEN ? AND ? OR chain IS NULL)
            ORDER BY received_at"""
        return self._ledger.execute(query, (device_id, chain, seq - 1, seq + 1))

    def is_unwanted(self, capture_id: str) -> bool:
        """Return whether this photo is of an order that takes no photo, or none any more."""
        query = f"""SELECT 1 FROM captures c JOIN orders o USING (number)
            WHERE c.capture_id = ? AND c.kind = 'photo' AND {TAKES_NO_PHOTO}"""
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
            self._reckon_done(numbers)

    def candidates(self, capture_id: str) -> list[Order]:
        """Return the orders on its device's routes that a waiting photo may be of, likeliest first.

        That is the order that its label names, then the nearest. A photo that nobody may see has
        none.
        """
        found = self._photos("c.capture_id = :id", id=capture_id)
        if not found or found[0].bound_by == claims.UNOPENED_BODY:
            return []
        orders = self._orders.carried_by(found[0].device_id)
        record = self._store.record(capture_id)
        circle = claims.circle(record.get("position"))
        if circle is not None:
            orders.sort(key=lambda order: reach.distance_m(order, circle))
        if found[0].bound_by in _BY_LABEL:
            named = claims.stop_id(record)
            orders.sort(key=lambda order: order.stop_id != named)
        return orders

    def bind(self, capture_id: str, number: str, *, before: str | None = None) -> None:
        """Say which order a photo is of; the photo is shown from then on.

        If two dispatchers bind one photo at once, the second one changes nothing. The locks are
        taken in the order of ledger.py, and everything is read after them. A later opt-out deletes
        the photo.

        Args:
            before: the order that the photo has, for a correction; None if the photo waits.

        Raises:
            NotWaitingError: the device bound it itself, it is gone, or it is not on `before`.
            CannotBindError: the order takes no photo.
            NoSuchOrder: there is none.
        """
        query = "SELECT device_id FROM captures WHERE capture_id = ?"
        found = self._ledger.execute(query, (capture_id,)).fetchone()
        if found is None:
            raise NotWaitingError("not waiting to be bound: it is not filed, or it is gone")
        numbers = {one for one in (number, before) if one is not None}
        with (
            self._store.upload_locked(capture_id),
            self._ledger.exclusive_transaction(found["device_id"]),
        ):
            self._orders.lock(numbers)
            self._orders.lock_address_of(number)
            if self._orders.find(number).photo is PhotoRule.NO_PHOTO:
                raise CannotBindError(
                    "this order takes no photo: discard it, or bind another order"
                )
            self._put_on(capture_id, number, before)
            self._reckon_done(numbers | self._settle(capture_id))

    def _put_on(self, capture_id: str, number: str, before: str | None) -> None:
        """Raise NotWaitingError if it is not on `before`, or not dispatch's to bind."""
        change = """UPDATE captures SET number = ?, bound_by = ? WHERE capture_id = ?
            AND kind = 'photo' AND erased_at IS NULL AND number IS NOT DISTINCT FROM ?
            AND (number IS NULL OR bound_by = ?) AND bound_by <> ?"""
        row = (number, BY_DISPATCH, capture_id, before, BY_DISPATCH, claims.UNOPENED_BODY)
        if self._ledger.execute(change, row).rowcount == 0:
            raise NotWaitingError(
                "not waiting to be bound: somebody else or the device bound it, or it is gone"
            )

    def _settle(self, capture_id: str) -> set[str]:
        """Draw the conclusions from a record just filed or bound, whichever came first.

        Returns of which orders it is to be reckoned whether they are done. While the device's
        records are locked: nobody else's take back what it sent.
        What takes it back is found by what it is about, and not among all of its device (`|| ''`).
        """
        taken_back = f"""UPDATE captures SET taken_back_at = found.at FROM
            (SELECT c.capture_id AS id, min(CASE WHEN o.received_at > c.received_at
                THEN o.received_at ELSE c.received_at END) AS at
            FROM captures c JOIN captures o ON c.device_id = o.device_id || ''
            WHERE c.taken_back_at IS NULL AND NOT {IS_REVOKED.format("o")}
            AND (o.kind = 'void' AND o.about = c.capture_id
                 OR o.kind = 'photo' AND o.retake_of = c.capture_id AND o.number IS NOT NULL
                    AND (c.number IS NULL OR o.number = c.number))
            AND c.capture_id IN (:id, (SELECT about FROM captures WHERE capture_id = :id),
                                 (SELECT retake_of FROM captures WHERE capture_id = :id))
            GROUP BY c.capture_id) AS found
            WHERE captures.capture_id = found.id RETURNING number, kind"""
        changed = self._ledger.execute(taken_back, {"id": capture_id}).fetchall()
        query = "SELECT number, kind FROM captures WHERE capture_id = ?"
        changed += self._ledger.execute(query, (capture_id,))
        return {row["number"] for row in changed if row["kind"] == RecordKind.PHOTO} - {None}

    def _reckon_done(self, numbers: set[str]) -> None:
        """Set each stop's done: it is done while it has a photo that was not taken back.

        Two devices may deliver to one order at once: a transaction that changes its photos locks
        its row until the end, and the next one then sees the change.
        """
        change = f"""UPDATE orders SET done = EXISTS (SELECT 1 FROM captures c
            WHERE c.number = orders.number AND c.kind = 'photo' AND c.taken_back_at IS NULL
            AND (:simulated OR NOT c.simulated) AND NOT {REVOKED}) WHERE number = :number"""
        self._orders.lock(numbers)
        for number in numbers:
            self._ledger.execute(change, {"simulated": self.show_simulated, "number": number})

    def _order_of(self, row: dict[str, Any], stop_id: str | None) -> str | None:
        """Return the order that the device bound; only of stops which its manifest had."""
        if stop_id is None or not _is_certain(row):
            return None
        try:
            number = self._orders.at_stop(stop_id).number
        except NoSuchOrder:
            return None
        return number if self._orders.was_carried_by(row["device_id"], number) else None


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
