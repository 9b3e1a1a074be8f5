"""Presses without a photo, counted by device, day and reason, never finer and never ranked.

A press counts on its day by the clocks of the backend's zone; if the device did not know the time,
on the day on which the backend got the record. The count leaves out hand-overs, records that were
taken back, records by a revoked key, simulated records unless the backend shows them, and erased
records, whose reason is gone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from agent.models import Reason, from_rfc3339, rfc3339, to_the_hour
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.office import photos
from doorstep_backend.office.remedies import REMEDIES, UNKNOWN
from doorstep_backend.office.showing import REVOKED
from doorstep_backend.settings import Settings

DAYS: Final = 7
"""Days in the list, as far as no record of them is erased: what is older has had its repair."""

PAGE_LENGTH: Final = 50
"""Devices in one part of the list: what a person looks through at once."""

MOST_RECORDS: Final = 5_000
"""Records of one device that are counted: more in a week come from no person."""

COUNTED: Final = 10_000
"""Greatest count of a reason in the whole fleet; a larger count is one more."""

_KEPT: Final = f"""c.kind = 'no_photo' AND c.erased_at IS NULL
    AND coalesce(c.reason, '') <> '{Reason.HANDED_OVER}'"""
"""Condition of the indexes `captures_refused…` (ledger.py), word for word."""

_BELIEVED: Final = f"c.taken_back_at IS NULL AND (:simulated OR NOT c.simulated) AND NOT {REVOKED}"

_WHY: Final = "AND coalesce(c.reason, '') = :reason"


def _devices(why: str) -> str:
    """Return the query for devices: it goes from one to the next by an index, as far as asked."""

    def next_after(device: str) -> str:
        return f"""(SELECT c.device_id FROM captures c
            WHERE {_KEPT} {why} AND c.device_id > {device} ORDER BY c.device_id LIMIT 1)"""

    return f"""WITH RECURSIVE each (device_id) AS (
            SELECT {next_after(":after")} UNION ALL SELECT {next_after("each.device_id")}
            FROM each WHERE each.device_id IS NOT NULL)
        SELECT each.device_id FROM each WHERE each.device_id IS NOT NULL
        AND lower(each.device_id) LIKE :text ESCAPE '!'
        AND EXISTS (SELECT 1 FROM captures c WHERE {_KEPT} {why}
            AND c.device_id = each.device_id AND c.received_at >= :since)
        LIMIT {PAGE_LENGTH + 1}"""


_RECORDS: Final = f"""SELECT c.reason, c.received_at, c.clock, c.utc, c.monotonic_ns,
    t.utc AS dated_utc, t.monotonic_ns AS dated_ns, t.source AS dated_by
    FROM captures c LEFT JOIN times t USING (device_id, boot_id)
    WHERE {_KEPT} {{why}} AND {_BELIEVED}
    AND device_id = :device_id AND c.received_at >= :since
    ORDER BY c.received_at LIMIT {MOST_RECORDS}"""

_FLEET: Final = f"""SELECT count(*) FROM (SELECT 1 FROM captures c
    WHERE {_KEPT} {_WHY} AND {_BELIEVED} AND c.received_at >= :since AND c.received_at < :until
    ORDER BY c.received_at LIMIT {COUNTED + 1}) AS counted"""


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """The presses without a photo of one device on one day.

    Attributes:
        reasons: how many of each reason, in the order of REMEDIES.
    """

    device_id: str
    day: date
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RefusalPage:
    """A part of the list.

    Attributes:
        after: the device after which the next part begins; empty for the last part.
    """

    counts: Sequence[RefusalCount]
    after: str


class Refusals:
    """The counts of presses without a photo: by device and day for dispatch, else of the fleet."""

    def __init__(self, ledger: Database, settings: Settings, *, show_simulated: bool) -> None:
        self._ledger = ledger
        self._zone = settings.zone
        self._days = max(1, min(DAYS, settings.retention.photo_days))
        self._simulated = show_simulated

    def days(self, now: datetime) -> list[date]:
        """Return the days that are listed, the latest first."""
        today = now.astimezone(self._zone).date()
        return [today - timedelta(days=before) for before in range(self._days)]

    def of_day(
        self, day: date, *, after: str = "", text: str = "", reason: str = ""
    ) -> RefusalPage:
        """Return the devices with such a press on this day, by their ids.

        A part of the list has fewer devices, or none, if presses of some came on later days.

        Args:
            after: begin after this device.
            text: a part of the devices' ids, in upper or lower case.
            reason: only presses of this reason; empty for any.
        """
        values = self._values(day, reason) | {"after": after, "text": _containing(text)}
        rows = self._ledger.execute(_devices(_WHY if reason else ""), values)
        found = [str(row["device_id"]) for row in rows]
        counts = [
            count
            for device_id in found[:PAGE_LENGTH]
            for count in self._of_device(device_id, values, reason)
            if count.day == day
        ]
        return RefusalPage(counts, found[PAGE_LENGTH - 1] if len(found) > PAGE_LENGTH else "")

    def of_device(self, device_id: str, now: datetime, reason: str = "") -> list[RefusalCount]:
        """Return the days on which this device had such a press, the latest first."""
        days = self.days(now)
        counts = self._of_device(device_id, self._values(days[-1], reason), reason)
        return sorted(
            (one for one in counts if one.day in days), key=lambda one: one.day, reverse=True
        )

    def of_fleet(self, now: datetime) -> dict[str, int]:
        """Return how many presses of each reason came within 24 hours, up to the last full hour."""
        until = to_the_hour(now)
        span = {"since": rfc3339(until - timedelta(days=1)), "until": rfc3339(until)}
        return {
            reason: int(self._ledger.execute(_FLEET, self._reason(reason) | span).fetchone()[0])
            for reason in REMEDIES
        }

    def _of_device(
        self, device_id: str, values: Mapping[str, Any], reason: str
    ) -> list[RefusalCount]:
        query = _RECORDS.format(why=_WHY if reason else "")
        rows = self._ledger.execute(query, {**values, "device_id": device_id})
        by_day: dict[date, Counter[str]] = {}
        for row in rows:
            by_day.setdefault(self._day(row), Counter())[row["reason"] or UNKNOWN] += 1
        return [
            RefusalCount(device_id, day, {one: found[one] for one in REMEDIES if found[one]})
            for day, found in by_day.items()
        ]

    def _day(self, row: Row) -> date:
        """Return the day of the press, or of the receipt if nobody knows the press's time."""
        received_at = from_rfc3339(row["received_at"])
        at = photos.believed_at(row) or received_at
        return min(at, received_at).astimezone(self._zone).date()

    def _values(self, first: date, reason: str) -> dict[str, Any]:
        """Return the values of a query of records that came since this day began."""
        begins = datetime(first.year, first.month, first.day, tzinfo=self._zone)
        return self._reason(reason) | {"since": rfc3339(begins)}

    def _reason(self, reason: str) -> dict[str, Any]:
        return {"reason": "" if reason == UNKNOWN else reason, "simulated": self._simulated}


def _containing(text: str) -> str:
    """Return the pattern of LIKE for what contains a text; `!` escapes the signs of LIKE."""
    for sign in "!%_":
        text = text.replace(sign, f"!{sign}")
    return f"%{text.lower()}%"
