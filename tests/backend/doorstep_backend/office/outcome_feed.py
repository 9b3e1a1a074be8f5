"""The feed of orders whose outcome changed, for systems that follow deliveries.

An order is in the feed once, at its latest change. A transaction only marks the order, which makes
no other one wait; the reader gives numbers to marked orders once their transactions are committed.
So a reader who has seen a number has seen all lower ones, in whatever order transactions end. Among
changes that nobody has read yet, the numbers follow no order.
"""

from datetime import datetime
from typing import Final, NamedTuple

from doorstep_backend.engines.sql import Database

PAGE: Final = 100
"""Orders of one page: three queries for each are some 100 ms on PostgreSQL."""

_BATCH: Final = 10 * PAGE
"""Orders that one step gives numbers to."""

_LOCK: Final = "outcome_changes"


class OutcomeChange(NamedTuple):
    """An order whose outcome changed; `change` is the place in the feed."""

    number: str
    change: int


class OutcomeFeed:
    """The feed in the office's ledger."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    def note(self, number: str) -> None:
        """Mark an order, as part of the transaction that changes its outcome and has locked it."""
        upsert = """INSERT INTO outcome_changes (number) VALUES (?)
            ON CONFLICT (number) DO UPDATE SET change = NULL"""
        self._ledger.execute(upsert, (number,))

    def page(self, after: int, now: datetime) -> list[OutcomeChange]:
        """Return up to PAGE changes behind `after`, which is 0 for the first page."""
        marked = "SELECT 1 FROM outcome_changes WHERE change IS NULL LIMIT 1"
        if self._ledger.execute(marked).fetchone() is not None:
            self._give_numbers(now)
        query = f"""SELECT number, change FROM outcome_changes
            WHERE change > ? ORDER BY change LIMIT {PAGE}"""
        return [OutcomeChange(*row) for row in self._ledger.execute(query, (after,))]

    def _give_numbers(self, now: datetime) -> None:
        """Give numbers to marked orders; one that a transaction has locked gets its own later.

        Each number is one more than the last, or the Unix time in ms if that is more: so it also
        grows if this database was restored from a copy.
        """
        query = f"""SELECT number FROM outcome_changes WHERE change IS NULL
            ORDER BY number LIMIT {_BATCH} {self._ledger.free_row_lock}"""
        upsert = """INSERT INTO outcome_counter VALUES (TRUE, ?)
            ON CONFLICT (one) DO UPDATE SET last = excluded.last"""
        with self._ledger.exclusive_transaction(_LOCK):
            row = self._ledger.execute("SELECT last FROM outcome_counter").fetchone()
            first = max(row["last"] + 1 if row else 1, int(now.timestamp() * 1000))
            found = [row["number"] for row in self._ledger.execute(query)]
            change = "UPDATE outcome_changes SET change = ? WHERE number = ?"
            self._ledger.executemany(change, list(enumerate(found, first)))
            self._ledger.execute(upsert, (first + len(found),))
