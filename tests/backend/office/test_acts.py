"""Acts on photos, of every role in random orders: each is in the customer's log, and a hold holds.

A void or a retake of the driver is no act of the office, nor is the end of a retention.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from agent.models import CaptureId, RecordKind
from doorstep_backend.api import addresses, orders
from doorstep_backend.api.problem import WrongDocumentError
from doorstep_backend.office.access import Customer, CustomerService, Dispatch, Viewer
from doorstep_backend.office.cases import REASONS, Closing, Report
from doorstep_backend.office.casework import (
    CaseOverError,
    Decision,
    NoCaseError,
    TooManyCasesError,
)
from doorstep_backend.office.corrections import CannotBindError, State, Why
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.due import DueErasures
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.orders import NoSuchOrder
from tests.support.demo_office import NOON, WHO, DemoOffice

DAY: Final = timedelta(days=1)
LONG_AFTER: Final = NOON + 400 * DAY
NUMBERS: Final = (LEFT_DOOR, RIGHT_DOOR, CHANGES_MIND, ALLOWED)
VIEWERS: Final[tuple[Viewer, ...]] = (
    *(Customer(f"c-{n}") for n in range(1, 5)),
    *(Dispatch("ana"), Dispatch("ben"), CustomerService("17")),
)
REFUSALS: Final = (CannotBindError, CaseOverError, NoCaseError, NoSuchOrder, NotDone)
OTHER_REFUSALS: Final = (TooManyCasesError, WrongDocumentError)
ROUNDS: Final = 6
"""Days of acts; with so few, each of the faults that were tried is noticed."""


@dataclass
class Town:
    """The demo's office with some records, and with dice that choose what is done to which."""

    demo_office: DemoOffice
    dice: Random
    ids: list[CaptureId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.office = self.demo_office.office
        self.dues = DueErasures(self.office.ledger, self.office.settings.retention)
        made = self.demo_office
        for number in NUMBERS:
            self.ids.append(made.receive(made.photo(number)))
        self.ids.append(made.receive(made.photo(LEFT_DOOR, retake_of=self.ids[0])))
        self.ids.append(made.receive(made.stray(retake_of=self.ids[-1])))
        self.ids.append(made.receive(made.photo(RIGHT_DOOR, retake_of=self.ids[-1])))
        self.ids.append(made.receive(made.stray()))
        stop = {"id": self.office.orders.find(LEFT_DOOR).stop_id, "bound_by": "place"}
        handed = {"reason": "handed_over", "stop": stop, "simulated": False}
        self.ids.append(made.receive(made.van.make(RecordKind.NO_PHOTO, handed)))

    def one(self) -> CaptureId:
        return self.dice.choice(self.ids)

    def number(self) -> str:
        return self.dice.choice(NUMBERS)

    def number_of(self, capture_id: str) -> str | None:
        filed = self.office.filing.filed(capture_id)
        return filed.number if filed else None

    def effects(self) -> dict[str, tuple[Any, ...]]:
        """Return who sees each record, and when it is due; of a hand-over, whose page has it."""
        filing, access = self.office.filing, self.office.access
        return {
            one: (
                self.number_of(one),
                [viewer for viewer in VIEWERS if access.may_see(viewer, one, NOON)],
                filing.hand_over(one) is not None,
                filing.is_erased(one),
                [bool(self.dues.one(one, NOON + days * DAY)) for days in (0, 8, 31, 34, 400)],
            )
            for one in self.ids
        }

    def lines(self) -> list[str | None]:
        """Return the orders of the lines in the view log."""
        found = self.office.ledger.execute("SELECT number FROM views ORDER BY id")
        return [row["number"] for row in found]


def open_case(town: Town) -> None:
    who = town.dice.choice((WHO, "dispatch ben"))
    town.office.casework.open(town.one(), town.dice.choice(list(REASONS)), who, NOON)


def close_case(town: Town) -> None:
    cases = town.office.cases.all_open_for(WHO, NOON, 9)
    if cases:
        case = town.dice.choice(cases)
        made = town.office.corrections.of_record(case.capture_id)
        closing, version = town.dice.choice(list(Closing)), made[-1].version if made else 0
        town.office.close_case(case, Decision(closing, town.number(), version), WHO, NOON)


def correct(town: Town) -> None:
    one, state = town.one(), town.dice.choice(list(State))
    to = None if state is State.WITHDRAWN else town.number()
    made, why = town.office.corrections.of_record(one), town.dice.choice(list(Why))
    version = made[-1].version if made else 0
    fix = town.office.corrections.correct
    fix(one, version, to=to, state=state, who=WHO, why=why, now=NOON)


def bind(town: Town) -> None:
    town.office.corrections.bind(town.one(), town.number(), WHO, NOON)


def discard(town: Town) -> None:
    town.office.corrections.discard(town.one(), WHO, NOON)


def report(town: Town) -> None:
    one = town.one()
    order = town.office.orders.find(town.number_of(one) or town.number())
    town.office.casework.report(order, one, town.dice.choice(list(Report)), NOON)


def opt_out_order(town: Town) -> None:
    town.office.opt_out_order(town.number(), town.dice.choice((True, False)))


def opt_out_address(town: Town) -> None:
    address = town.office.orders.find(town.number()).address
    town.office.opt_out_address(address, town.dice.choice((True, False)))


def give_code(town: Town) -> None:
    number = town.number()
    code = town.office.access.make_one_time_code(number, NOON)
    assert town.office.access.verify(CustomerService("17"), number, code, "Lost?", NOON)


def hold(town: Town) -> None:
    town.office.erasure.hold(town.number(), "CASE-7", NOON)


def release(town: Town) -> None:
    town.office.erasure.release(town.number(), NOON)


def put_order(town: Town) -> None:
    order = town.office.orders.find(town.number())
    place = {"lat_deg": order.lat_deg, "lon_deg": order.lon_deg}
    said: dict[str, Any] = {"address": order.address, "codes": list(order.codes), **place}
    said[town.dice.choice(("confidential", "gift", "opted_out"))] = town.dice.choice((True, False))
    orders.put(town.office, order.number, said, "system orders")


def put_address(town: Town) -> None:
    order = town.office.orders.find(town.number())
    said: dict[str, Any] = {
        "customer": {"id": order.customer, "name": "Name"},
        "line": "1 Example Street",
    }
    said |= {"opted_out": town.dice.choice((True, False))}
    addresses.put(town.office, order.address, said, "system orders")


def revoke(town: Town) -> None:
    (kid,) = town.office.ledger.execute("SELECT DISTINCT kid FROM captures").fetchone()
    town.office.revoked_keys.add(kid, town.demo_office.van.device_id, NOON - 9 * DAY)


def void(town: Town) -> None:
    town.demo_office.receive(town.demo_office.void(town.one()))


def retake(town: Town) -> None:
    made = town.demo_office
    town.ids.append(made.receive(made.photo(town.number(), retake_of=town.one())))


def expire(town: Town) -> None:
    town.office.erasure.expire(LONG_AFTER)


Act = Callable[[Town], None]
ACTS: Final[tuple[Act, ...]] = (
    *(open_case, close_case, correct, bind, discard, report, opt_out_order, opt_out_address),
    *(give_code, hold, release, put_order, put_address, revoke),
)
EVENTS: Final[tuple[Act, ...]] = (void, retake, expire)


def play(town: Town, *acts: Act) -> Iterator[Act]:
    """Do the acts in turn; one that is refused changes nothing."""
    for act in acts:
        with suppress(*REFUSALS, *OTHER_REFUSALS):
            act(town)
        yield act


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_each_act_on_a_photo_is_in_the_log_of_its_orders(
    demo_office: DemoOffice, seed: int
) -> None:
    """An effect needs a line for the order before it, and for the order after it."""
    town = Town(demo_office, Random(seed))
    before, lines = town.effects(), len(town.lines())

    for act in play(town, *town.dice.choices(ACTS[:-1], k=40), revoke):
        after, new = town.effects(), town.lines()[lines:]
        changed = [one for one in before if before[one] != after[one]]
        concerned = {found[one][0] for one in changed for found in (before, after)} - {None}
        assert concerned <= set(new), (act.__name__, concerned, new)
        before, lines = after, lines + len(new)


def test_a_report_is_in_the_log_of_an_order_that_loses_a_retake_by_it(
    demo_office: DemoOffice,
) -> None:
    """The other customer reads that the photo was moved, and not who reported it."""
    town = Town(demo_office, Random(0))
    order = town.office.orders.find(LEFT_DOOR)

    town.office.casework.report(order, town.ids[4], Report.NOT_MY_DOOR, NOON)

    (line,) = town.office.access.views_of(RIGHT_DOOR)
    assert line.viewer == "office"
    assert line.why == "Moved this photo to another order. Reason: A customer reported it."
    assert [one.viewer for one in town.office.access.views_of(LEFT_DOOR)] == ["customer"]


def held_by(town: Town, been: dict[CaptureId, set[str | None]]) -> set[CaptureId]:
    """Return what each hold covers, by the orders that a record has been on."""
    held = {one.number for one in town.office.erasure.holds()}
    return {one for one, numbers in been.items() if numbers & held}


def whatever_comes(town: Town, *acts: Act) -> None:
    been = {one: {town.number_of(one)} for one in town.ids}
    covered: set[CaptureId] = set()
    for act in play(town, *acts):
        still = covered & held_by(town, been)
        assert not any(town.office.filing.is_erased(one) for one in still), act.__name__
        for one in town.ids:
            been.setdefault(one, set()).add(town.number_of(one))
        covered = {one for one in held_by(town, been) if not town.office.filing.is_erased(one)}
        assert not any(town.dues.one(one, LONG_AFTER) for one in covered), act.__name__


@pytest.mark.parametrize("act", [*ACTS, *EVENTS])
def test_a_hold_covers_a_record_whatever_is_done_afterwards(
    demo_office: DemoOffice, act: Act
) -> None:
    """Each act comes some times after a hold, and a hold also after a move."""
    town = Town(demo_office, Random(act.__name__))

    whatever_comes(town, correct, hold, hold, act, correct, act, correct, act, expire)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_holds_and_all_other_acts_hold_in_any_order(demo_office: DemoOffice, seed: int) -> None:
    town = Town(demo_office, Random(seed))

    whatever_comes(town, hold, *town.dice.choices((*ACTS[:-1], hold, correct, *EVENTS), k=30))


@pytest.mark.slow
@pytest.mark.release
@pytest.mark.usefixtures("on_postgresql")
def test_acts_do_the_same_on_postgresql(tmp_path: Path) -> None:
    town = Town(DemoOffice(tmp_path), Random(1))

    whatever_comes(town, hold, *town.dice.choices((*ACTS, *EVENTS), k=60))
