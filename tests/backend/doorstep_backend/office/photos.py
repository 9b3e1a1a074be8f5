"""A photo as people may know it: when it was left, and how exactly the place is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.models import BoundBy
from doorstep_backend.engines.sql import Row
from doorstep_backend.languages import ENGLISH, Language
from hardware.clock import ClockSource
from hardware.floor import AGREES_WITHIN

BY_DISPATCH: Final = "dispatch"
"""`bound_by` of a photo that a person bound; the device's own words are in `BoundBy`."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as people may know it.

    Attributes:
        number: its order; None until it is bound.
        left_at: when the button was pressed; None when the device did not know the time.
        bound_by: a `BoundBy`, one of `LABEL_ELSEWHERE` and `LABEL_UNPLACED`, or `dispatch` if a
            correction put it on its order.
        named_by: the device's own word, without `dispatch`.
        ring: as the record says, where known.
        distance_m: from the stop's position in the manifest, where known.
        accuracy_m: of the device's position, where known.
        verdict: of the quality check, a `Verdict`.
        simulated: made with a simulated part: a page shows it under a banner.
        state: `shown`, `hidden` or `withdrawn` (corrections.py).
        version: of the latest correction, which the next one must name; 0 without any.
    """

    capture_id: str
    number: str | None
    device_id: str
    left_at: datetime | None
    received_at: datetime
    bound_by: str
    named_by: str
    ring: str | None
    distance_m: float | None
    accuracy_m: float | None
    verdict: str
    simulated: bool
    state: str
    version: int

    def how_placed(self, language: Language = ENGLISH) -> str:
        """Return how exactly the place is known, in one sentence for the customer."""
        match self.bound_by:
            case BoundBy.CODE:
                return language.gettext(
                    "The label of the parcel was read before the photo was taken."
                )
            case BoundBy.PLACE if self.accuracy_m is not None:
                place = language.gettext("The place is known by satellite to about %(metres)s m.")
                return place % {"metres": language.number(self.accuracy_m)}
            case BoundBy.PLACE:
                return language.gettext("The place is known by satellite.")
            case _:
                return language.gettext("Our dispatch assigned this photo to your order.")


@dataclass(frozen=True, slots=True)
class HandOver:
    """A press by which the driver says that a person took the parcel.

    Attributes:
        number: its order; None until it is bound.
        at: time of the press; None if the device did not know the time.
        named_by, version: as of a `Photo`.
    """

    capture_id: str
    number: str | None
    device_id: str
    at: datetime | None
    received_at: datetime
    named_by: str
    version: int


@dataclass(frozen=True, slots=True)
class Original:
    """A photo as its device made it.

    Attributes:
        sha256: of photo.jpg, which its record.json says too; None where nothing of it is here.
        can_be_shown: it may be, and is a picture: a receipt says that the bytes came, and not what
            they are.
    """

    sha256: str | None
    can_be_shown: bool


@dataclass(frozen=True, slots=True)
class Void:
    """A record that took another back.

    Attributes:
        number: the order of what was taken back, as long as that is kept.
    """

    capture_id: str
    about: str
    number: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Filed:
    """A record that was received and filed, shown or not.

    Attributes:
        number: its order; None where it has none, or its body was erased.
        named_by: how the device named its order, as of a `Photo`; None if it is no press.
        is_unopened: sealed to nobody here.
        is_revoked: its key was not believed any more when it came.
    """

    number: str | None
    named_by: str | None
    received_at: str
    erased_at: str | None
    erased_why: str | None
    taken_back_at: str | None
    is_unopened: bool
    is_revoked: bool
    simulated: bool


def from_rows(rows: Iterable[Row]) -> list[Photo]:
    """Make photos of rows of `captures`, with the `dated_` columns of their boot's time record."""
    return [
        Photo(
            capture_id=row["capture_id"],
            number=row["number"],
            device_id=row["device_id"],
            left_at=left_at(row),
            received_at=_instant(row["received_at"]),
            bound_by=_bound_by(row),
            named_by=row["bound_by"],
            ring=row["ring"],
            distance_m=row["distance_m"],
            accuracy_m=row["accuracy_m"],
            verdict=row["verdict"],
            simulated=bool(row["simulated"]),
            state=row["state"],
            version=row["version"],
        )
        for row in rows
    ]


def hand_overs_from(rows: Iterable[Row]) -> list[HandOver]:
    """Make hand-overs of rows as `from_rows` takes them."""
    return [
        HandOver(
            capture_id=row["capture_id"],
            number=row["number"],
            device_id=row["device_id"],
            at=left_at(row),
            received_at=_instant(row["received_at"]),
            named_by=row["bound_by"],
            version=row["version"],
        )
        for row in rows
    ]


def _bound_by(row: Row) -> str:
    """Return how the photo came to its order: the device's word, or dispatch's if that is another.

    A photo that was moved and then moved back is where the device put it.
    """
    is_moved = row["version"] > 0 and row["number"] not in {None, row["own_number"]}
    return BY_DISPATCH if is_moved else str(row["bound_by"])


def void(row: Row) -> Void:
    """Make a void of a row of `captures`, with `taken`: the order of the record it took back."""
    return Void(row["capture_id"], row["about"], row["taken"], _instant(row["received_at"]))


def left_at(row: Row) -> datetime | None:
    """Return the time of a press by its own clock, or by its boot's `time` record; else None.

    That record counts if its source is better, or as good and contradicts the label: a device
    writes it once its source has changed its mind.
    """
    clock = ClockSource(row["clock"])
    own = None if clock is ClockSource.UNSYNCED else _instant(row["utc"])
    if row["dated_by"] is None or clock.beats(by := ClockSource(row["dated_by"])):
        return own
    since_us = (row["monotonic_ns"] - row["dated_ns"]) // 1000
    try:
        dated = _instant(row["dated_utc"]) + timedelta(microseconds=since_us)
    except OverflowError:
        return own
    is_contrary = own is not None and abs(dated - own) > AGREES_WITHIN
    return dated if by.beats(clock) or is_contrary else own


def believed_at(row: Row) -> datetime | None:
    """Return `left_at`, but None if that is later than the receipt: it was never true then.

    The clocks of device and backend may differ by AGREES_WITHIN.
    """
    at = left_at(row)
    is_ahead = at is not None and at - _instant(row["received_at"]) > AGREES_WITHIN
    return None if is_ahead else at


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
