"""Corrections of what devices and people decided: which order a press is of, and who may see it.

A correction is a row of its own, and the device's record stays as it was signed. A press and its
retakes are a family (families.py): its latest correction decides for all of them, also for those
that come later.
`captures.number` is the order after corrections, so that no other rule has to know of them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from agent.models import rfc3339
from agent.rule.manifest import PhotoRule
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.languages import translatable
from doorstep_backend.office import claims, view_log
from doorstep_backend.office.cases import CUSTOMER
from doorstep_backend.office.erasure import Erasure
from doorstep_backend.office.families import Member, family_of, kin_of
from doorstep_backend.office.filing import Filing
from doorstep_backend.office.orders import Orders
from doorstep_backend.office.view_log import OF_HAND_OVER, OFFICE, Act, because
from doorstep_backend.wire.store import Store


class State(StrEnum):
    """The state of a press after corrections."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    """Neither the customer nor customer service sees the photo; the order stays done."""
    WITHDRAWN = "withdrawn"
    """The press is on no order and due to be erased; no correction brings it back."""


class Why(StrEnum):
    """The reason of a correction; a closed list."""

    BOUND = "bound"
    """Reason of a binding: the press waited, and a dispatcher found its order."""
    DISCARDED = "discarded"
    """Reason of a deletion: the press waited, and has no order."""
    WRONG_ORDER = "wrong_order"
    """The press belongs to another order."""
    NOT_OF_DELIVERY = "not_of_delivery"
    """The photo does not show a delivery."""
    SHOWS_PERSON = "shows_person"
    """The photo shows a person, or something that is not meant for the customer."""
    NOT_MY_DOOR = "not_my_door"
    """The customer says that it is not their door."""
    NOT_HANDED_OVER = "not_handed_over"
    """The hand-over was pressed by mistake, or the customer did not get the parcel."""
    CHECKED = "checked"
    """A dispatcher looked at the photo, and it is where it belongs."""


REASONS: Final[Mapping[Why, str]] = {
    Why.BOUND: translatable("Nobody knew its order before."),
    Why.DISCARDED: translatable("It is of no order."),
    Why.WRONG_ORDER: translatable("It was with the wrong order."),
    Why.NOT_OF_DELIVERY: translatable("It does not show a delivery."),
    Why.SHOWS_PERSON: translatable("It shows a person, or something else that is not for you."),
    Why.NOT_MY_DOOR: translatable("A customer reported it."),
    Why.NOT_HANDED_OVER: translatable("The parcel was not handed over."),
}
"""Reasons of corrections, as customers read them; CHECKED says no more than the decision."""


class CannotBindError(ValueError):
    """A correction that would show a photo to the wrong person, or that comes too late."""


class NotWaitingError(CannotBindError):
    """A press that does not wait for an order: it has one, or it is gone."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction, as the log of corrections has it.

    Attributes:
        version: rises over all corrections.
        who: as in the view log, such as `dispatch ana`, or `customer`.
        from_number: the order before; None if it waited for one.
        number: the order from then on; None if it was withdrawn.
    """

    version: int
    capture_id: str
    at: datetime
    who: str
    why: Why
    state: State
    from_number: str | None
    number: str | None


class StaleCorrectionError(CannotBindError):
    """A correction on an outdated page: another person was faster; nothing was changed.

    Attributes:
        latest: says who, and when.
    """

    def __init__(self, latest: Correction) -> None:
        super().__init__(f"{latest.who} corrected it at {rfc3339(latest.at)}: look at it again")
        self.latest = latest


@dataclass(frozen=True, slots=True)
class _Change:
    """A correction that is asked for."""

    to: str | None
    state: State
    who: str
    why: Why
    now: datetime


def _nothing() -> None:
    """Change nothing else."""


class Corrections:
    """The corrections of presses, each durable when the call returns."""

    def __init__(
        self, ledger: Database, store: Store, orders: Orders, filing: Filing, erasure: Erasure
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._orders = orders
        self._filing = filing
        self._erasure = erasure

    def bind(self, capture_id: str, number: str, who: str, now: datetime) -> None:
        """Say which order a waiting press is of; a photo is shown there from then on.

        Raises:
            As `correct`; NotWaitingError: it has an order by now, or it is gone.
        """
        self._correct(capture_id, None, _Change(number, State.SHOWN, who, Why.BOUND, now))

    def discard(self, capture_id: str, who: str, now: datetime) -> None:
        """Erase a press that waits and has no order.

        Raise errors as `bind`, and CannotBindError if a photo that has an order would go with it:
        nobody looked at that one.
        """
        change = _Change(None, State.WITHDRAWN, who, Why.DISCARDED, now)
        self._correct(capture_id, None, change)

    def correct(
        self,
        capture_id: str,
        version: int,
        *,
        to: str | None,
        state: State,
        who: str,
        why: Why,
        now: datetime,
        also: Callable[[], None] = _nothing,
    ) -> None:
        """Put a press and its retakes on an order, hide or show it there, or withdraw it.

        One transaction takes the locks in the order of ledger.py, and reads everything after them.
        A later opt-out deletes the photo.

        Args:
            version: of the latest correction, as the page showed it (`Photo.version`).
            to: the order; also the same one, to hide or show it there. None to withdraw it.
            also: a change of the same database, which happens in the same transaction or not at
                all, such as closing a case.

        Raises:
            StaleCorrectionError: somebody was faster.
            NotWaitingError: it is gone, or cannot be opened.
            CannotBindError: the driver took it back; or its device did not carry the order that
                day, or the order takes no photo: then it can only be withdrawn.
            NoSuchOrder: there is none.
        """
        self._correct(capture_id, version, _Change(to, state, who, why, now), also)

    def orders_along(self, capture_id: str) -> list[str]:
        """Return the orders from which a correction of a waiting photo moves others along."""
        return sorted({one.number or "" for one in family_of(self._ledger, capture_id)} - {""})

    def of_record(self, capture_id: str) -> list[Correction]:
        """Return all corrections of a record and its retakes, the first one first."""
        ids = [one.capture_id for one in family_of(self._ledger, capture_id)] or [capture_id]
        query = f"""SELECT * FROM corrections WHERE capture_id IN ({", ".join("?" * len(ids))})
            ORDER BY version"""
        return [_correction(row) for row in self._ledger.execute(query, ids)]

    def _correct(
        self,
        capture_id: str,
        version: int | None,
        change: _Change,
        also: Callable[[], None] = _nothing,
    ) -> None:
        """Carry out a correction; `version` is None if the press must wait for an order."""
        query = "SELECT device_id FROM captures WHERE capture_id = ?"
        found = self._ledger.execute(query, (capture_id,)).fetchone()
        if found is None:
            raise NotWaitingError("it is not filed, or it is gone")
        with (
            self._store.upload_locked(capture_id),
            self._ledger.exclusive_transaction(found["device_id"]),
        ):
            members = family_of(self._ledger, capture_id)
            self._lock(members, change.to)
            self._check(members, version, change.to, change.state)
            made = self._add(capture_id, members[0].number, change)
            self._log(members, change)
            moved = self._filing.move(members, made, change.state, change.to)
            self._filing.outcomes.settle(moved)
            also()
        if change.state is State.WITHDRAWN:
            self._erasure.expire_family(capture_id, change.now)

    def _add(self, capture_id: str, before: str | None, change: _Change) -> int:
        """Write the correction down; return its version."""
        into = """INSERT INTO corrections
            (capture_id, at, who, reason, state, from_number, to_number)
            VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING version"""
        row = (rfc3339(change.now), change.who, change.why, change.state, before, change.to)
        (made,) = self._ledger.execute(into, (capture_id, *row)).fetchone()
        return int(made)

    def _log(self, members: Sequence[Member], change: _Change) -> None:
        """Write the correction into the view log, for each order before it and afterwards.

        A customer's report writes its own entry for the customer's order (casework.py).
        """
        before = {one.number: one for one in reversed(members) if one.number is not None}
        numbers = before.keys() | ({change.to} if change.to is not None else set())
        concerned: list[str | None] = [*sorted(numbers)] or [None]
        is_customers = change.who == CUSTOMER
        who = OFFICE if is_customers else change.who
        for number in concerned:
            if is_customers and number == change.to:
                continue
            one = before.get(number or "", members[0])
            act = _act(members[0], change, number)
            said = because(
                act if members[0].is_photo else OF_HAND_OVER.get(act, act),
                REASONS.get(change.why, ""),
            )
            view_log.write(self._ledger, who, number, one.capture_id, said, at=change.now)

    def _lock(self, members: Collection[Member], to: str | None) -> None:
        """Lock all orders that may change, together and in their order, then the address."""
        if not members:
            return
        kin = [one.capture_id for one in kin_of(self._ledger, members)]
        numbers = self._filing.outcomes.touched_by(kin)
        self._orders.lock(numbers | ({to} if to is not None else set()))
        if to is not None:
            self._orders.lock_address_of(to)

    def _check(
        self, members: list[Member], version: int | None, to: str | None, state: State
    ) -> None:
        """Raise an error if this correction is not to be made."""
        own = members[0] if members else None
        if own is None or own.is_erased or own.state == State.WITHDRAWN:
            raise NotWaitingError("the press is unknown, erased or withdrawn")
        latest = max(one.version for one in members)
        if version is None and own.number is not None:
            raise NotWaitingError("the press has an order, and does not wait for one")
        if version is not None and version != latest:
            raise self._stale(latest)
        if state is State.WITHDRAWN:
            if to is not None:
                raise CannotBindError("a withdrawn press has no order")
            if version is None and any(one.number is not None for one in members):
                raise CannotBindError("a photo that has an order would be erased with it")
            return
        if to is None:
            raise CannotBindError("a press without an order can only be withdrawn")
        if own.bound_by == claims.UNOPENED_BODY:
            raise NotWaitingError("nobody here can open the record: withdraw it")
        if state is State.SHOWN and self._filing.is_voided(own.capture_id):
            raise CannotBindError("the driver took it back: withdraw it")
        self._check_order(members, to)

    def _check_order(self, members: list[Member], to: str) -> None:
        own, rule = members[0], self._orders.find(to).photo
        moves = to not in {own.number, own.own_number}
        takes_none = rule is not PhotoRule.ALLOWED if moves else rule is PhotoRule.NO_PHOTO
        if takes_none and any(one.is_photo for one in members):
            raise CannotBindError("this order takes no photo: withdraw it, or take another order")
        if moves and not self._filing.was_carried_that_day(own.capture_id, to):
            raise CannotBindError("the device did not carry this order that day: withdraw it")

    def _stale(self, version: int) -> CannotBindError:
        query = "SELECT * FROM corrections WHERE version = ?"
        found = self._ledger.execute(query, (version,)).fetchone()
        if found is None:
            return CannotBindError("there is no such correction")
        return StaleCorrectionError(_correction(found))


def _act(own: Member, change: _Change, number: str | None) -> Act:
    """Return what a correction does for an order before it or afterwards; pure."""
    if number is None or number != change.to:
        return Act.WITHDREW if change.state is State.WITHDRAWN else Act.MOVED_AWAY
    if change.state is State.HIDDEN:
        return Act.HID
    return Act.LEFT if own.number == number else Act.MOVED_HERE


def _correction(row: Row) -> Correction:
    return Correction(
        version=row["version"],
        capture_id=row["capture_id"],
        at=datetime.fromisoformat(row["at"]).astimezone(UTC),
        who=row["who"],
        why=Why(row["reason"]),
        state=State(row["state"]),
        from_number=row["from_number"],
        number=row["to_number"],
    )
