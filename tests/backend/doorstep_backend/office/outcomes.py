"""The outcome of an order: how and when it was delivered, by the latest proof that is valid.

An order is done while it has a row of `outcomes`: manifests, `devices gone --to`, dispatch and the
pages ask nothing else. A row outlives the erasure of the photo that proved it.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.office.families import IS_HANDED_OVER
from doorstep_backend.office.orders import Orders
from doorstep_backend.office.outcome_feed import OutcomeFeed
from doorstep_backend.office.photos import believed_at
from doorstep_backend.office.showing import REVOKED

BATCH: Final = 1000
"""Rows of which one step removes the source."""


class How(StrEnum):
    """The proof that an order was delivered."""

    PHOTO = "photo"
    HANDED_OVER = "handed_over"
    NO_PHOTO_STOP = "no_photo_stop"
    """A press at a door that takes no photo, after the device read the parcel's label."""
    DISPATCH = "dispatch"
    """The word of a dispatcher."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The delivery of an order.

    Attributes:
        at: its time; None if the order was added as done.
        is_exact: if False, nobody knows the time of the press, and `at` is on the day of its
            receipt.
    """

    how: How
    at: datetime | None
    is_exact: bool = True


_DAY: Final = "2026-12-01"

_INVALID: Final = f"""(c.taken_back_at IS NOT NULL OR c.state = 'withdrawn' OR {REVOKED}
    OR c.simulated AND NOT :simulated)"""

_PROOFS: Final = f"""SELECT :number, c.capture_id,
        CASE WHEN c.kind = 'photo' THEN 'photo' ELSE c.reason END,
        CASE WHEN c.clock <> 'unsynced' AND c.utc < c.received_at THEN c.utc ELSE c.received_at END
    FROM captures c WHERE c.number = :number AND c.erased_at IS NULL AND NOT {_INVALID}
    AND (c.kind = 'photo' OR {IS_HANDED_OVER.format("c")}
         OR c.kind = 'no_photo' AND c.reason = 'no_photo_stop' AND c.bound_by = 'code')"""

_NOT_ANY_MORE: Final = f"""number = :number AND source IN (SELECT c.capture_id FROM captures c
    WHERE c.capture_id IN (SELECT source FROM outcomes WHERE number = :number)
    AND ({_INVALID}
         OR c.erased_at IS NULL AND c.number IS DISTINCT FROM :number
         OR c.erased_at IS NOT NULL AND EXISTS (SELECT 1 FROM corrections k
            WHERE k.version = c.version AND k.to_number IS DISTINCT FROM :number)))"""
"""Condition: the proof was taken back or withdrawn, or was moved to another order."""


class Outcomes:
    """The outcomes of all orders; each change is durable when the call returns."""

    def __init__(self, ledger: Database, orders: Orders, *, show_simulated: bool) -> None:
        self._ledger = ledger
        self._orders = orders
        self._show_simulated = show_simulated
        self.feed = OutcomeFeed(ledger)

    def of(self, number: str) -> Outcome | None:
        """Return how and when this order was delivered; None if it is not done."""
        last = self._last("k.number = ?", number)
        return None if last is None else Outcome(How(last["how"]), *_at(last))

    def mark_delivered(self, number: str, who: str, now: datetime) -> None:
        """Take a dispatcher's word that an order was delivered. Raise NoSuchOrder.

        Args:
            who: as in the view log, such as `dispatch ana`; kept as long as a photo.
        """
        self._orders.find(number)
        upsert = """INSERT INTO outcomes VALUES (?, ?, ?, ?)
            ON CONFLICT (number, how, source) DO UPDATE SET at = excluded.at"""
        with self._ledger.transaction(), self.noted([number]):
            self._ledger.execute(upsert, (number, who, How.DISPATCH, rfc3339(now)))
            self._set_done(number)

    def take_word_back(self, number: str) -> None:
        """Undo `mark_delivered`: the order is done only if something else proves it."""
        gone = "DELETE FROM outcomes WHERE number = ? AND how = ?"
        with self._ledger.transaction(), self.noted([number]):
            self._ledger.execute(gone, (number, How.DISPATCH))
            self._set_done(number)

    def touched_by(self, capture_ids: Collection[str]) -> set[str]:
        """Return the orders that these records are on, or that they have proved."""
        marks = ", ".join("?" * len(capture_ids))
        query = f"""SELECT number FROM captures WHERE capture_id IN ({marks})
            UNION SELECT number FROM outcomes WHERE source IN ({marks}) AND source <> ''"""
        found = self._ledger.execute(query, (*capture_ids, *capture_ids))
        return {row["number"] for row in found} - {None}

    def settle(self, numbers: Collection[str]) -> None:
        """Set what proves these orders; part of the step that changed their records.

        Two devices may deliver to one order at once: a transaction that changes its records locks
        its row until the end, and the next one then sees the change.
        """
        with self.noted(numbers):
            for number in numbers:
                values = {"number": number, "simulated": self._show_simulated}
                self._ledger.execute(f"DELETE FROM outcomes WHERE {_NOT_ANY_MORE}", values)
                into = f"""INSERT INTO outcomes (number, source, how, at) {_PROOFS}
                    ON CONFLICT DO NOTHING"""
                self._ledger.execute(into, values)
                self._set_done(number)

    @contextmanager
    def noted(self, numbers: Collection[str]) -> Iterator[None]:
        """Lock these orders, and put those into the feed whose outcome the block changes."""
        self._orders.lock(numbers)
        before = {number: self.of(number) for number in sorted(numbers)}
        yield
        for number, outcome in before.items():
            if self.of(number) != outcome:
                self.feed.note(number)

    def proved_in(self, device_id: str, boot_id: str) -> set[str]:
        """Return the orders that presses of this boot prove; a `time` record may date them."""
        query = """SELECT k.number FROM captures c JOIN outcomes k ON k.source = c.capture_id
            WHERE c.device_id = ? AND c.boot_id = ? AND k.source <> ''"""
        return {row["number"] for row in self._ledger.execute(query, (device_id, boot_id))}

    def forget_sources(self, before: datetime) -> int:
        """Forget which records proved what, received before a time; return how many.

        The order keeps its outcome: of the proofs that are so old only the latest one stays.
        """
        query = f"""SELECT k.number, k.how, k.source FROM outcomes k
            LEFT JOIN captures c ON c.capture_id = k.source
            WHERE k.source <> '' AND k.at <= :before
            AND k.number NOT IN (SELECT number FROM holds)
            AND (c.capture_id IS NULL OR c.erased_at IS NOT NULL AND c.received_at <= :before)
            ORDER BY k.at LIMIT {BATCH}"""
        with self._ledger.transaction():
            found = self._ledger.execute(query, {"before": rfc3339(before)}).fetchall()
            self._orders.lock({row["number"] for row in found})
            for number, how, source in found:
                self._forget(number, how, source)
        return len(found)

    def _forget(self, number: str, how: str, source: str) -> None:
        """Keep the later of this proof and the one without a source that was kept before."""
        which = "k.number = ? AND (k.source = '' OR k.how = ? AND k.source = ?)"
        last = self._last(which, number, how, source)
        if last is None:  # it was taken back meanwhile
            return
        self._ledger.execute(f"DELETE FROM outcomes AS k WHERE {which}", (number, how, source))
        into = "INSERT INTO outcomes (number, source, how, at) VALUES (?, '', ?, ?)"
        self._ledger.execute(into, (number, last["how"], _text(*_at(last))))

    def _last(self, which: str, *values: str) -> Row | None:
        query = f"""SELECT k.how, k.source, k.at, c.received_at, c.clock, c.utc, c.monotonic_ns,
            t.utc AS dated_utc, t.monotonic_ns AS dated_ns, t.source AS dated_by
            FROM outcomes k LEFT JOIN captures c ON c.capture_id = k.source
            LEFT JOIN times t ON t.device_id = c.device_id AND t.boot_id = c.boot_id
            WHERE {which}"""
        rows = self._ledger.execute(query, values).fetchall()
        return max(rows, key=_place, default=None)

    def _set_done(self, number: str) -> None:
        change = """UPDATE orders SET done = EXISTS (SELECT 1 FROM outcomes k
            WHERE k.number = orders.number) WHERE number = ?"""
        self._ledger.execute(change, (number,))


def _place(row: Row) -> tuple[datetime, str, str]:
    """Return the place of a proof among those of its order; the greatest is the latest."""
    at, _ = _at(row)
    return at or datetime.min.replace(tzinfo=UTC), row["how"], row["source"]


def _at(row: Row) -> tuple[datetime | None, bool]:
    """Return the time of a proof, and whether it is exact.

    It is the time of the press, also if a later `time` record tells it, and else that of the
    receipt.
    """
    if row["received_at"] is not None:
        pressed, received_at = believed_at(row), from_rfc3339(row["received_at"])
        return (received_at, False) if pressed is None else (min(pressed, received_at), True)
    if len(row["at"]) == len(_DAY):
        return datetime.fromisoformat(row["at"]).replace(hour=12, tzinfo=UTC), False
    return (from_rfc3339(row["at"]), True) if row["at"] else (None, False)


def _text(at: datetime | None, is_exact: bool) -> str:
    """Return the `at` of a row whose source is forgotten: a day, if nobody knows the time."""
    return "" if at is None else rfc3339(at)[: None if is_exact else len(_DAY)]
