"""Which records are due to be erased, a batch at a time: no question takes long among millions."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import random
from typing import Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Database
from doorstep_backend.office.cases import IN_CASE, KEPT_LONGER
from doorstep_backend.office.orders import TAKES_NO_PHOTO
from doorstep_backend.settings import Retention

BATCH: Final = 100
"""Records of one step: a second or two of a bucket's time, for which a process that ends waits."""

KEYS: Final = 1000
"""Orders or addresses of one question: some milliseconds, and mostly nothing comes of it."""

_FREE: Final = f"""c.erased_at IS NULL AND NOT {IN_CASE}
    AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.number IN (c.number, c.own_number))
    AND NOT EXISTS (SELECT 1 FROM held h WHERE h.capture_id = c.capture_id)"""
"""Not erased yet, in no open case, and of no held order, now or before it was moved."""

_AT_ANY_AGE: Final = {"kept_longer": ""}
"""No limit of dispatchers' cases: `all` finds what is older."""

_OVER: Final = (
    (
        "taken back",
        "c.taken_back_at",
        "void",
        "c.taken_back_at <= :void AND c.taken_back_at IS NOT NULL",
    ),
    (
        "withdrawn",
        "(SELECT k.at FROM corrections k WHERE k.version = c.version)",
        "now",
        "c.state = 'withdrawn'",
    ),
    ("practice", "c.received_at", "test", "c.kind = 'test' AND c.received_at <= :test"),
    ("its time is over", "c.received_at", "photo", "c.received_at <= :photo"),
)
"""Why, since when, until when that is due, and which; each has an index of what is not erased yet
(ledger.py), and what is withdrawn is little."""

_LAST: Final = "~"
"""Behind every time, as texts are compared."""

_NO_PHOTO: Final = "no photo at this stop"

Due = tuple[str, str]
"""A capture_id, and why."""


class DueErasures:
    """The due erasures by the ledger, each once: one that fails stops no other."""

    def __init__(self, ledger: Database, retention: Retention) -> None:
        self._ledger = ledger
        self._retention = retention

    def all(self, now: datetime) -> Iterator[list[Due]]:
        """Yield what is due by time, in batches, from a random time on, and then what is older.

        A process that stops in between leaves the rest due, and begins elsewhere the next time:
        what cannot be erased blocks nothing for long, however much of it there is, and processes
        that run at once seldom meet.
        """
        before = self._before(now)
        for why, since, _, which in _OVER:
            each = f"SELECT {since}, c.capture_id FROM captures c WHERE {which} AND {_FREE}"
            begin = self._somewhere(each, before)
            for span in ({"after": begin, "until": _LAST}, {"after": "", "until": begin}):
                query = f"""{each} AND {since} < :until
                    AND ({since}, c.capture_id) > (:after, :id) ORDER BY 1, 2 LIMIT {BATCH}"""
                last = before | span | {"id": ""}
                while found := self._ledger.execute(query, last).fetchall():
                    last["after"], last["id"] = found[-1]
                    yield [(capture_id, why) for _, capture_id in found]

    def _somewhere(self, each: str, before: dict[str, str]) -> str:
        """Return a random time between the first and the last due one; empty without any."""
        ends = [
            self._ledger.execute(f"{each} ORDER BY 1 {way} LIMIT 1", before).fetchone()
            for way in ("", "DESC")
        ]
        if None in ends:
            return ""
        first, last = (datetime.fromisoformat(since) for since, _ in ends)
        return rfc3339(first + random() * (last - first))  # noqa: S311 - it spreads work

    def overdue_s(self, now: datetime) -> float:
        """Return for how long the record that is due first has been due; 0 if none is.

        Not what is of an order that takes no photo: nothing finds the first of that.
        """
        before, found_s = self._before(now), [0.0]
        for _, since, until, which in _OVER:
            query = f"""SELECT {since} FROM captures c WHERE {which} AND {_FREE}
                ORDER BY 1 LIMIT 1"""
            for (first,) in self._ledger.execute(query, before):
                found_s.append((from_rfc3339(before[until]) - from_rfc3339(first)).total_seconds())
        return max(found_s)

    def one(self, capture_id: str, now: datetime) -> list[Due]:
        """Return this record alone, if it is due."""
        reasons = (
            (_NO_PHOTO, f"c.kind = 'photo' AND {TAKES_NO_PHOTO}"),
            *((why, which) for why, *_, which in _OVER),
        )
        for why, which in reasons:
            query = f"""SELECT 1 FROM captures c LEFT JOIN orders o ON o.number = c.number
                WHERE c.capture_id = :one AND {which} AND {_FREE}"""
            if self._ledger.execute(query, {**self._before(now), "one": capture_id}).fetchone():
                return [(capture_id, why)]
        return []

    def of_orders(self, numbers: Sequence[str]) -> list[Due]:
        """Return the photos of these orders, as far as the orders take none."""
        return self._photos("o.number", numbers)

    def of_address(self, address: str) -> list[Due]:
        """Return the photos of all orders to an address, as far as the orders take none."""
        return self._photos("o.address", [address])

    def unwanted(self) -> Iterator[list[Due]]:
        """Return batches of photos of orders that take none; mostly none, as an opt-out erases.

        All such orders that ever were are looked at: in a year of a fleet some millions.
        """
        orders = "number FROM orders WHERE (confidential OR gift OR opted_out) AND number"
        for numbers in self._batches(orders):
            yield self.of_orders(numbers)
        for addresses in self._batches("address FROM addresses WHERE opted_out AND address"):
            yield self._photos("o.address", addresses)

    def _batches(self, what: str) -> Iterator[list[str]]:
        """Yield keys in their order; `what` names the column, and ends with it."""
        query = f"SELECT {what} > ? ORDER BY 1 LIMIT {KEYS}"
        after = ""
        while found := [row[0] for row in self._ledger.execute(query, (after,))]:
            yield found
            after = found[-1]

    def _photos(self, column: str, values: Sequence[str]) -> list[Due]:
        bound = {f"v{place}": value for place, value in enumerate(values)}
        among = ", ".join(f":{name}" for name in bound)
        query = f"""SELECT c.capture_id FROM orders o JOIN captures c ON c.number = o.number
            WHERE {column} IN ({among}) AND c.kind = 'photo' AND {TAKES_NO_PHOTO} AND {_FREE}"""
        found = self._ledger.execute(query, bound | _AT_ANY_AGE)
        return [(row["capture_id"], _NO_PHOTO) for row in found]

    def _before(self, now: datetime) -> dict[str, str]:
        photo = now - timedelta(days=self._retention.photo_days)
        return {
            "now": rfc3339(now),
            "photo": rfc3339(photo),
            "kept_longer": rfc3339(photo - KEPT_LONGER),
            "void": rfc3339(now - timedelta(days=self._retention.void_days)),
            "test": rfc3339(now - timedelta(days=self._retention.test_days)),
        }
