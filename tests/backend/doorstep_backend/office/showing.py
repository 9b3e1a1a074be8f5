"""Which photos may be shown, and the lists that dispatch looks through."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from agent.models import QualityVerdict
from doorstep_backend.engines.objects import Missing
from doorstep_backend.engines.sql import Database, Result
from doorstep_backend.office import claims, photos, picture
from doorstep_backend.office.families import IS_HANDED_OVER
from doorstep_backend.office.orders import TAKES_NO_PHOTO
from doorstep_backend.office.photos import HandOver, Original, Photo, Void
from doorstep_backend.wire.store import Store

log = logging.getLogger(__name__)

IS_REVOKED: Final = """coalesce((SELECT TRUE FROM revoked_keys r WHERE r.device_id = {0}.device_id
    AND {0}.kid = r.kid AND {0}.received_at >= r.since LIMIT 1), FALSE)"""
"""Condition: the key that signed this capture was no longer believed when it came (revoked.py).

Asked of one row after the other: of EXISTS PostgreSQL makes a join, and reads all before a LIMIT.
"""

REVOKED: Final = IS_REVOKED.format("c")

MAY_BE_SHOWN: Final = (
    "c.erased_at IS NULL AND c.taken_back_at IS NULL AND c.state <> 'withdrawn'"
    " AND (:simulated OR NOT c.simulated)"
    f" AND NOT {REVOKED}"
)
"""Condition: shown to a customer, or hidden from one until dispatch decides."""

_SHOWN: Final = f"{MAY_BE_SHOWN} AND c.state = 'shown'"

LISTED: Final = 50
"""Photos or voids in one of dispatch's lists: more than one person looks through at once."""

COUNTED: Final = 1_000
"""Greatest count of such a list: counting a fleet's month would take a page's whole time.

Each `how_many` is up to one more.
"""

_WAITS: Final = "c.kind = 'photo' AND c.number IS NULL"
_HANDED_OVER: Final = IS_HANDED_OVER.format("c")
_FLAGGED: Final = f"c.kind = 'photo' AND c.verdict <> '{QualityVerdict.OK}'"

_UNTRUSTED: Final = (
    "c.device_id = :device_id AND c.received_at >= :since AND c.kind = 'photo'"
    f" AND c.erased_at IS NULL AND {REVOKED}"
)

_VOIDS: Final = "v.kind = 'void' AND (:simulated OR NOT v.simulated) AND v.erased_at IS NULL"
_BELIEVED_VOIDS: Final = f"{_VOIDS} AND NOT {IS_REVOKED.format('v')}"


class WaitingOrder(StrEnum):
    """The order in which waiting photos are listed."""

    LONGEST = "longest"
    LATEST = "latest"
    DEVICE = "device"


_ORDERS: Final[Mapping[WaitingOrder, str]] = {
    WaitingOrder.LONGEST: "c.received_at, c.monotonic_ns",
    WaitingOrder.LATEST: "c.received_at DESC, c.monotonic_ns DESC",
    WaitingOrder.DEVICE: "c.device_id, c.received_at, c.monotonic_ns",
}


@dataclass(frozen=True, slots=True)
class WaitingQuery:
    """A choice of waiting photos; an index finds each (ledger.py).

    Attributes:
        bound_by: values of `captures.bound_by`, of which one must be the photo's; empty for any.
        device_id: the photo's device; empty for any.
    """

    bound_by: tuple[str, ...] = ()
    device_id: str = ""
    order: WaitingOrder = WaitingOrder.LONGEST

    def condition(self) -> tuple[str, dict[str, str]]:
        """Return the condition in SQL, and its values."""
        where, values = [_WAITS, _SHOWN], {}
        if self.bound_by:
            values = {f"by_{'x' * place}": one for place, one in enumerate(self.bound_by, 1)}
            where.append(f"c.bound_by IN ({', '.join(f':{name}' for name in values)})")
        if self.device_id:
            where.append("c.device_id = :device_id")
            values["device_id"] = self.device_id
        return " AND ".join(where), values


ALL_WAITING: Final = WaitingQuery()


class Showing:
    """The photos that may be shown of what is filed; Filing files it.

    Args:
        show_simulated: whether records made with simulated parts count; else they are kept, shown
            to nobody, and deliver nothing.
    """

    def __init__(self, ledger: Database, store: Store, *, show_simulated: bool) -> None:
        self._ledger = ledger
        self._store = store
        self.show_simulated = show_simulated

    def photos_of(self, number: str) -> list[Photo]:
        """Return an order's photos that may be shown, by time of arrival; none if it takes none."""
        where = f"c.kind = 'photo' AND c.number = :number AND NOT {TAKES_NO_PHOTO} AND {_SHOWN}"
        return self._photos(where, number=number)

    def photo(self, capture_id: str) -> Photo | None:
        """Return this photo if it may be shown: bound and visible, or waiting for dispatch."""
        return self._photo(capture_id, _SHOWN)

    def _photo(self, capture_id: str, condition: str) -> Photo | None:
        found = self._photos(
            f"c.kind = 'photo' AND c.capture_id = :id AND {condition} "
            f"AND (c.number IS NULL OR NOT {TAKES_NO_PHOTO})",
            id=capture_id,
        )
        return found[0] if found else None

    def waiting(self, asked: WaitingQuery = ALL_WAITING) -> list[Photo]:
        """Return photos without a certain order, or of a foreign stop: for dispatch alone.

        It returns the first LISTED, by default those that wait longest; `how_many_wait` counts
        the rest too.
        """
        where, values = asked.condition()
        return self._photos(where, LISTED, _ORDERS[asked.order], **values)

    def how_many_wait(self, asked: WaitingQuery = ALL_WAITING) -> int:
        """Return how many photos wait for dispatch, counted up to COUNTED and one."""
        where, values = asked.condition()
        return self._count(where, **values)

    def hand_overs_of(self, number: str) -> list[HandOver]:
        """Return the hand-overs of an order that were not taken back, by time of arrival."""
        return self._hand_overs(f"{_HANDED_OVER} AND c.number = :number", number=number)

    def hand_over(self, capture_id: str) -> HandOver | None:
        """Return this hand-over unless it was taken back or withdrawn."""
        found = self._hand_overs(f"{_HANDED_OVER} AND c.capture_id = :id", id=capture_id)
        return found[0] if found else None

    def is_hand_over(self, capture_id: str) -> bool:
        """Return whether this is a hand-over, also one that was taken back."""
        query = f"SELECT 1 FROM captures c WHERE c.capture_id = ? AND {_HANDED_OVER}"
        return self._ledger.execute(query, (capture_id,)).fetchone() is not None

    def waiting_hand_overs(self) -> list[HandOver]:
        """Return hand-overs without a certain order, for dispatch: the LISTED that wait longest."""
        return self._hand_overs(f"{_HANDED_OVER} AND c.number IS NULL", LISTED)

    def how_many_hand_overs_wait(self) -> int:
        """Return how many hand-overs wait for dispatch, counted up to COUNTED and one."""
        return self._count(f"{_HANDED_OVER} AND c.number IS NULL AND {_SHOWN}")

    def flagged(self) -> list[Photo]:
        """Return photos with a finding of the quality check; dispatch may not see the picture.

        It returns the oldest LISTED; `how_many_flagged` counts the rest too.
        """
        return self._photos(f"{_FLAGGED} AND {_SHOWN}", LISTED)

    def how_many_flagged(self) -> int:
        """Return how many photos are flagged, counted up to COUNTED and one."""
        return self._count(f"{_FLAGGED} AND {_SHOWN}")

    def revoked(self) -> list[Photo]:
        """Return photos by a key that was no longer believed when they came: shown to nobody.

        It returns the oldest LISTED; `how_many_revoked` counts the rest too.
        """
        each = (self._photos(_UNTRUSTED, LISTED, **dict(one)) for one in self._mistrusted())
        found = [photo for photos_of_one in each for photo in photos_of_one]
        return sorted(found, key=lambda photo: photo.received_at)[:LISTED]

    def how_many_revoked(self) -> int:
        """Return how many photos there are by keys not believed, up to COUNTED and one."""
        each = (self._count(_UNTRUSTED, **dict(one)) for one in self._mistrusted())
        return min(sum(each), COUNTED + 1)

    def _mistrusted(self) -> Result:
        """Return devices with a key that is no longer believed, and the earliest time of that."""
        query = "SELECT device_id, min(since) AS since FROM revoked_keys GROUP BY device_id"
        return self._ledger.execute(query)

    def voids(self) -> list[Void]:
        """Return the latest LISTED that drivers took back, latest first. See `how_many_voids`."""
        query = f"""SELECT v.*, c.number AS taken FROM captures v
            LEFT JOIN captures c ON c.capture_id = v.about AND c.device_id = v.device_id
            WHERE {_BELIEVED_VOIDS} ORDER BY v.received_at DESC LIMIT :listed"""
        values = {"simulated": self.show_simulated, "listed": LISTED}
        return [photos.void(row) for row in self._ledger.execute(query, values)]

    def how_many_voids(self) -> int:
        """Return how many voids are believed, counted up to COUNTED and one."""
        return self._count(_BELIEVED_VOIDS, "v")

    def original(self, capture_id: str) -> Original:
        """Return what is left of a photo; its record is read once, which takes a while from S3.

        It may be hidden from its customer, because a case can show it too.
        """
        found = self._photo(capture_id, MAY_BE_SHOWN)
        may_be_shown = found is not None and found.bound_by != claims.UNOPENED_BODY
        try:
            content = self._store.photo(capture_id)
        except Missing as error:
            if may_be_shown:
                log.warning("photo=not_shown why=%s", error)
            return Original(None, can_be_shown=False)
        is_picture = may_be_shown and picture.is_picture(content)
        return Original(hashlib.sha256(content).hexdigest(), can_be_shown=is_picture)

    def _count(self, where: str, name: str = "c", **values: Any) -> int:
        """Count rows in order, by the list's own index, whatever the planner expects."""
        some = f"""SELECT 1 FROM captures {name} WHERE {where}
            ORDER BY {name}.received_at LIMIT {COUNTED + 1}"""
        query = f"SELECT count(*) FROM ({some}) AS counted"
        (row,) = self._ledger.execute(query, {"simulated": self.show_simulated, **values})
        return int(row[0])

    def _photos(
        self,
        where: str,
        most: int | None = None,
        order: str = _ORDERS[WaitingOrder.LONGEST],
        **values: Any,
    ) -> list[Photo]:
        return photos.from_rows(self._rows(where, most, order, **values))

    def _hand_overs(self, where: str, most: int | None = None, **values: Any) -> list[HandOver]:
        return photos.hand_overs_from(self._rows(f"{where} AND {_SHOWN}", most, **values))

    def _rows(
        self,
        where: str,
        most: int | None,
        order: str = _ORDERS[WaitingOrder.LONGEST],
        **values: Any,
    ) -> Result:
        query = f"""SELECT c.*, t.utc AS dated_utc, t.monotonic_ns AS dated_ns,
            t.source AS dated_by FROM captures c
            LEFT JOIN orders o USING (number) LEFT JOIN times t USING (device_id, boot_id)
            WHERE {where} ORDER BY {order}"""
        if most is not None:
            query += f" LIMIT {most}"
        return self._ledger.execute(query, {"simulated": self.show_simulated, **values})
