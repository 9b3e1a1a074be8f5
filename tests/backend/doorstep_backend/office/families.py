"""Families: presses that belong together, a photo and the photos that retake it.

Two photos are joined if one retakes the other, unless their records name two different orders. A
hand-over is a family of one. What joins two records never changes, so a family is the same in
whatever order they come.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from doorstep_backend.engines.sql import Database, Row

MOST: Final = 100
"""Most members that are found: a driver retakes a photo once, and a hostile device without end."""

IS_HANDED_OVER: Final = "{0}.kind = 'no_photo' AND {0}.reason = 'handed_over'"
"""Condition: the driver says that the parcel went into somebody's hands."""

_BESIDE: Final = f"""SELECT c.* FROM captures c WHERE c.device_id || '' = ?
    AND (c.capture_id IN ({{0}}) OR c.retake_of IN ({{0}}))
    AND (c.kind = 'photo' OR {IS_HANDED_OVER.format("c")}) ORDER BY c.capture_id LIMIT {MOST}"""
"""These records and those that retake them; `|| ''` keeps the planner off the index by device."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a family, as filed.

    Attributes:
        retake_of: the press that it retakes.
        number: its order after corrections; None once its body is erased.
        own_number: the order that its record names for certain.
        version: of the latest correction, 0 without any.
    """

    capture_id: str
    device_id: str
    is_photo: bool
    retake_of: str | None
    bound_by: str
    number: str | None
    own_number: str | None
    state: str
    version: int
    is_erased: bool


def family_of(ledger: Database, capture_id: str) -> list[Member]:
    """Return all members, this record first; empty if it is no photo and no hand-over."""
    query = f"""SELECT c.* FROM captures c WHERE c.capture_id = ?
        AND (c.kind = 'photo' OR {IS_HANDED_OVER.format("c")})"""
    found = {row["capture_id"]: _member(row) for row in ledger.execute(query, (capture_id,))}
    new = list(found.values())
    while new and len(found) < MOST:
        near = {one.capture_id: one for one in _beside(ledger, new)} | found
        new = [one for one in near.values() if one.capture_id not in found and _joins(one, found)]
        found |= {one.capture_id: one for one in new}
    return list(found.values())


def of_same_order(ledger: Database, capture_id: str) -> list[str]:
    """Return the ids of this record, known or not, and of its family on the same order."""
    family = family_of(ledger, capture_id)
    same = [one.capture_id for one in family if one.number == family[0].number]
    return same or [capture_id]


def kin_of(ledger: Database, members: Collection[Member]) -> list[Member]:
    """Return the members, and what they retake or what retakes them, also of another order."""
    return list({one.capture_id: one for one in (*members, *_beside(ledger, members))}.values())


def _beside(ledger: Database, members: Collection[Member]) -> Iterator[Member]:
    ids = [one.capture_id for one in members]
    ids += [one.retake_of for one in members if one.retake_of is not None]
    marks = ", ".join("?" * len(ids))
    device_id = next(iter(members)).device_id
    return map(_member, ledger.execute(_BESIDE.format(marks), (device_id, *ids, *ids)))


def _joins(one: Member, found: dict[str, Member]) -> bool:
    return any(
        (one.retake_of == other.capture_id or other.retake_of == one.capture_id)
        and (None in {one.own_number, other.own_number} or one.own_number == other.own_number)
        for other in found.values()
    )


def _member(row: Row) -> Member:
    return Member(
        capture_id=row["capture_id"],
        device_id=row["device_id"],
        is_photo=row["kind"] == "photo",
        retake_of=row["retake_of"],
        bound_by=row["bound_by"],
        number=row["number"],
        own_number=row["own_number"],
        state=row["state"],
        version=row["version"],
        is_erased=row["erased_at"] is not None,
    )
