"""Signing keys that are not believed from a date on: their later records are shown to nobody."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agent.models import rfc3339
from doorstep_backend.engines.sql import Database
from doorstep_backend.office.filing import Filing
from doorstep_backend.office.view_log import OFFICE, Act, write_each

BATCH: Final = 100
"""Records that are judged again in one step; new ones wait to be filed until it ends."""


@dataclass(frozen=True, slots=True)
class RevokedKeys:
    """The list; it only grows."""

    ledger: Database
    filing: Filing

    def add(self, kid: str, device_id: str, since: datetime) -> None:
        """Believe this key no more from `since` on; again with an earlier date moves it back.

        A record that was received before stays good. The first step already hides later photos;
        further steps undo what later records took back or did. Durable when it returns;
        interrupted, do it again.
        """
        upsert = """INSERT INTO revoked_keys
            SELECT ?, ?, ?, coalesce(max(version), 0) + 1 FROM revoked_keys WHERE true
            ON CONFLICT (kid, device_id) DO UPDATE
            SET since = excluded.since, version = excluded.version
            WHERE excluded.since < revoked_keys.since"""
        concerned = """c.device_id = :device_id AND (c.taken_back_at >= :since
            OR c.received_at >= :since AND coalesce(c.kid = :kid, TRUE))"""
        with self.ledger.exclusive_transaction():
            if self.ledger.execute(upsert, (kid, device_id, rfc3339(since))).rowcount:
                values = {"device_id": device_id, "since": rfc3339(since), "kid": kid}
                now = self.ledger.now()
                write_each(self.ledger, OFFICE, Act.REVOKED, concerned, at=now, **values)
        with self.ledger.exclusive_transaction(device_id):
            pass  # what is being filed by the list before is there then
        for capture_ids in self._batches(device_id):
            self.filing.conclude_anew(device_id, capture_ids, since)

    def _batches(self, device_id: str) -> Iterator[list[str]]:
        """Yield ids of everything that a device sent."""
        query = f"""SELECT received_at, capture_id FROM captures WHERE device_id = ?
            AND (received_at, capture_id) > (?, ?) ORDER BY 1, 2 LIMIT {BATCH}"""
        last = ("", "")
        while found := self.ledger.execute(query, (device_id, *last)).fetchall():
            yield [row["capture_id"] for row in found]
            last = (found[-1]["received_at"], found[-1]["capture_id"])

    def has(self, kid: str, device_id: str) -> bool:
        """Return whether this key is not believed any more, from whatever date on."""
        query = "SELECT 1 FROM revoked_keys WHERE kid = ? AND device_id = ?"
        return self.ledger.execute(query, (kid, device_id)).fetchone() is not None

    def payload(self) -> dict[str, Any]:
        """Return the members of `revoked.jws`."""
        query = "SELECT kid, device_id, since, version FROM revoked_keys ORDER BY version"
        rows = [dict(row) for row in self.ledger.execute(query)]
        version = max([row.pop("version") for row in rows], default=0)
        return {"v": 1, "version": version, "revoked": rows}
