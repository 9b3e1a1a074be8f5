"""Records that have an order, as dispatch sees them: the facts, without a picture."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agent.models import BoundBy, RecordKind, rfc3339
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.office import photos
from doorstep_backend.office.families import IS_HANDED_OVER, of_same_order
from doorstep_backend.office.orders import TAKES_NO_PHOTO
from doorstep_backend.office.photos import Photo
from doorstep_backend.office.showing import LISTED, MAY_BE_SHOWN

LISTED_FOR: Final = timedelta(days=7)
"""Age up to which records are listed: a wrong door is noticed within days, if ever."""

PLACE: Final = re.compile(r"[0-9T:.Z-]+ \S+")
"""Form of a `place` in the list."""

_BOUND: Final = f"""(c.kind = 'photo' OR {IS_HANDED_OVER.format("c")})
    AND NOT {TAKES_NO_PHOTO} AND {MAY_BE_SHOWN}"""
"""Condition: a press that has an order; never of an order that takes no photo."""

_SELECT: Final = """SELECT c.*, a.line AS door, t.utc AS dated_utc, t.monotonic_ns AS dated_ns,
    t.source AS dated_by FROM captures c JOIN orders o ON o.number = c.number
    JOIN addresses a ON a.address = o.address
    LEFT JOIN times t ON t.device_id = c.device_id AND t.boot_id = c.boot_id"""


@dataclass(frozen=True, slots=True)
class BoundRecord:
    """A photo or a hand-over that has an order.

    Attributes:
        photo: what is known of it; a hand-over has no picture.
        door: the line of the order's address.
    """

    photo: Photo
    door: str
    is_hand_over: bool

    @property
    def label_was_read(self) -> bool:
        """True if the device read the parcel label, and its stop was in reach."""
        return self.photo.named_by == BoundBy.CODE

    @property
    def is_hidden(self) -> bool:
        """True if it is hidden from its customer until dispatch decides."""
        return self.photo.state == "hidden"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A choice of bound records.

    Attributes:
        number: of the order; empty for all.
        device_id: empty for all.
        before: `place` of the record after which the list continues; empty for its beginning.
    """

    number: str = ""
    device_id: str = ""
    before: str = ""


class BoundRecords:
    """The records that have an order, for dispatch."""

    def __init__(self, ledger: Database, *, show_simulated: bool) -> None:
        self._ledger = ledger
        self._show_simulated = show_simulated

    def latest(self, asked: Narrowed, now: datetime) -> list[BoundRecord]:
        """Return what came within LISTED_FOR, the latest first: LISTED, and maybe one more."""
        where = "c.received_at > :since"
        values = {"since": rfc3339(now - LISTED_FOR)}
        if asked.number:
            where += " AND c.number = :number"
            values["number"] = asked.number
        if asked.device_id:
            where += " AND c.device_id = :device_id"
            values["device_id"] = asked.device_id
        if asked.before:
            where += " AND (c.received_at, c.capture_id) < (:at, :id)"
            values["at"], _, values["id"] = asked.before.partition(" ")
        return self._found(where, LISTED + 1, **values)

    def find(self, capture_id: str) -> BoundRecord | None:
        """Return this record, however old; None if dispatch may not know of it."""
        found = self._found("c.capture_id = :id", 1, id=capture_id)
        return found[0] if found else None

    def current(self, capture_id: str) -> BoundRecord | None:
        """Return this record, or the retake that replaced it on the same order; None as `find`."""
        found = map(self.find, of_same_order(self._ledger, capture_id))
        return next((one for one in found if one is not None), None)

    def of_order(self, number: str) -> list[BoundRecord]:
        """Return those of an order, the latest first; none if the order takes no photo."""
        return self._found("c.number = :number", LISTED, number=number)

    def _found(self, where: str, most: int, **values: Any) -> list[BoundRecord]:
        query = f"""{_SELECT} WHERE {where} AND {_BOUND}
            ORDER BY c.received_at DESC, c.capture_id DESC LIMIT {most}"""
        rows = self._ledger.execute(query, {"simulated": self._show_simulated, **values})
        return [_record(row) for row in rows]


def place(record: BoundRecord) -> str:
    """Return this record's place in the list, for `Narrowed.before`."""
    return f"{rfc3339(record.photo.received_at)} {record.photo.capture_id}"


def _record(row: Row) -> BoundRecord:
    (photo,) = photos.from_rows([row])
    return BoundRecord(photo, row["door"], is_hand_over=row["kind"] != RecordKind.PHOTO)
