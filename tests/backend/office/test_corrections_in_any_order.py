"""Records and corrections that are filed in any order end the same."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from agent.models import RecordKind
from doorstep_backend.engines.sql import Database
from doorstep_backend.office import corrections
from doorstep_backend.office.corrections import CannotBindError, State, Why
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR, ORDERS, RIGHT_DOOR
from doorstep_backend.office.families import Member, family_of
from doorstep_backend.office.filing import Filing
from tests.support.demo_office import NOON, PICTURE, WHO, DemoOffice
from tests.support.factory import Made, RecordMaker

DOORS: Final = (LEFT_DOOR, RIGHT_DOOR, ALLOWED)

STOPS: Final = {order.number: order.stop_id for order in ORDERS}

MOVES: Final = (*((number, State.SHOWN) for number in DOORS), (None, State.WITHDRAWN))

TRIES: Final = 250
"""Days that are compared; with so few, each of BROKEN is noticed."""


@dataclass(frozen=True)
class Photo:
    """A photo to be made: the order that its record names, and the photo that it retakes."""

    number: str | None
    retakes: int | None


@dataclass(frozen=True)
class Fix:
    """A correction of the photo of this place in the list."""

    photo: int
    to: str | None
    state: State


@dataclass(frozen=True)
class Day:
    """Photos, whether the first one is taken back, and corrections, in their order."""

    photos: tuple[Photo, ...]
    is_voided: bool
    fixes: tuple[Fix, ...]


Event = tuple[str, int]
"""A kind of event and its number: `photo`, `void` or `fix`."""


@st.composite
def days(draw: st.DrawFn) -> Day:
    """Draw a day; mostly one photo is corrected twice, and each photo retakes the one before."""
    photos = [Photo(LEFT_DOOR, None)]
    while len(photos) < 2 + draw(st.booleans()):
        number = draw(st.sampled_from([LEFT_DOOR, RIGHT_DOOR, RIGHT_DOOR, None]))
        photos.append(Photo(number, draw(st.sampled_from([len(photos) - 1, 0, None]))))
    is_voided = draw(st.sampled_from([False, False, True]))
    first, other = (draw(st.integers(int(is_voided), len(photos) - 1)) for _ in range(2))
    second = draw(st.sampled_from([first, first, other]))
    fixes = [Fix(photo, *draw(st.sampled_from(MOVES))) for photo in (first, second)]
    return Day(tuple(photos), is_voided, tuple(fixes))


@st.composite
def orders(draw: st.DrawFn, day: Day) -> list[Event]:
    """Draw an order in which no correction is before its photo or before an earlier correction."""
    events: list[Event] = [("photo", number) for number in range(len(day.photos))]
    events += [("void", 0)] * day.is_voided
    shuffled = draw(st.permutations(events))
    for number, fix in enumerate(day.fixes):
        after = shuffled.index(("photo", fix.photo))
        after = max(after, shuffled.index(("fix", number - 1)) if number else -1)
        soon = draw(st.booleans())
        place = after + 1 if soon else draw(st.integers(after + 1, len(shuffled)))
        shuffled.insert(place, ("fix", number))
    return shuffled


def made_of(day: Day, van: RecordMaker) -> tuple[list[Made], Made]:
    """Make the records of a day, and a void of the first photo."""
    made: list[Made] = []
    for photo in day.photos:
        stop = {"id": STOPS.get(photo.number or ""), "bound_by": "place"}
        retakes = None if photo.retakes is None else made[photo.retakes].label.capture_id
        record = {"stop": stop, "simulated": False, "retake_of": retakes}
        made.append(van.make(RecordKind.PHOTO, record, PICTURE))
    return made, van.make(RecordKind.VOID, {"simulated": False}, about=made[0].label.capture_id)


@dataclass(frozen=True)
class End:
    """The state of the office after all records and corrections.

    Attributes:
        accepted: the corrections that the office accepted.
        shown: the photos of each door, and how and when it was delivered.
        kept: whether each photo is still here.
    """

    accepted: list[int]
    shown: dict[str, object]
    kept: list[bool]


def end_of(day: Day, made: list[Made], void: Made, van: RecordMaker, order: Sequence[Event]) -> End:
    with TemporaryDirectory() as folder:
        office = DemoOffice(Path(folder), van=van)
        at, accepted = (NOON + timedelta(minutes=one) for one in count()), list[int]()
        for kind, number in order:
            match kind:
                case "photo":
                    office.receive(made[number])
                case "void":
                    office.receive(void)
                case _:
                    fix = day.fixes[number]
                    with suppress(CannotBindError):
                        _correct(office, made[fix.photo].label.capture_id, fix, next(at))
                        accepted.append(number)
        office.office.erasure.expire(NOON)  # what a late record joined to what was withdrawn
        shown: dict[str, object] = {
            door: (office.shown(door), office.office.filing.outcomes.of(door), office.is_done(door))
            for door in DOORS
        }
        kept = [office.kept(one.label.capture_id)[0] for one in made]
        return End(accepted, shown, kept)


def _correct(demo_office: DemoOffice, capture_id: str, fix: Fix, now: datetime) -> None:
    query = "SELECT version FROM captures WHERE capture_id = ?"
    (version,) = demo_office.office.ledger.execute(query, (capture_id,)).fetchone()
    demo_office.office.corrections.correct(
        capture_id, version, to=fix.to, state=fix.state, who=WHO, why=Why.WRONG_ORDER, now=now
    )


def check(tries: int = TRIES, *, shrinks: bool = True) -> None:
    """Compare two orders of as many days, each time the same ones.

    A correction that one of the orders refuses tells nothing.
    """
    phases = [Phase.generate, *[Phase.shrink] * shrinks]

    @settings(max_examples=tries, phases=phases, derandomize=True)
    @given(st.data())
    def each(data: st.DataObject) -> None:
        day = data.draw(days())
        one, other = (data.draw(orders(day)) for _ in range(2))
        van = RecordMaker()
        made, void = made_of(day, van)
        first, second = (end_of(day, made, void, van, order) for order in (one, other))
        assume(first.accepted == second.accepted)
        assert first == second

    each()


@pytest.mark.slow
def test_records_and_corrections_end_the_same_in_every_order() -> None:
    check()


def _joins_nothing(_: Filing, capture_id: str) -> set[str]:  # noqa: ARG001 - as the real one
    return set()


def _gives_nothing_back(_: Filing, capture_ids: Sequence[str]) -> None:
    del capture_ids


def _is_alone(ledger: Database, capture_id: str) -> list[Member]:
    return family_of(ledger, capture_id)[:1]


BROKEN: Final[Mapping[str, tuple[object, str, object]]] = {
    "late retakes follow nothing": (Filing, "_join", _joins_nothing),
    "nothing moves along": (corrections, "family_of", _is_alone),
    "what a retake took back stays so": (Filing, "_give_back", _gives_nothing_back),
}
"""Faults to put into the office: the owner and name of a function, and its replacement."""


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN)
def test_the_comparison_notices_a_broken_office(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(*BROKEN[broken])

    with pytest.raises(AssertionError):
        check(shrinks=False)
