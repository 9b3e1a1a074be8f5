"""The end of a device: no route is lost, and the ends of its chains are recorded."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from doorstep_backend.identity.closings import (
    ITSELF,
    MOST_GAPS,
    THE_OFFICE,
    ChainEnd,
    DeviceEnd,
    EndKind,
    chain_end_lines,
    chain_ends,
    summary,
)
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.demo import LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.support.demo_office import NOON, DemoOffice
from tests.support.waiting import waited


class Interrupted(Register):
    """A register that runs another act once, as soon as a process has read the state of `van-2`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.then: list[Callable[[], object]] = []

    def state(self, device_id: str) -> DeviceState | None:
        found = super().state(device_id)
        while device_id == "van-2" and self.then:
            self.then.pop()()
        return found


@dataclass
class Desks:
    """Two desks of one office; at `first` something comes in between."""

    demo_office: DemoOffice
    pool: ThreadPoolExecutor
    begun: list[Future[DeviceEnd]] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.demo_office.folder
        self.register = Interrupted(folder)
        self.first = DeviceEnding(self.register, self.demo_office.office)
        self.second = DeviceEnding(Register(folder), open_office(Store(folder)))

    def meanwhile(self, do: Callable[..., DeviceEnd], *args: Any, **more: Any) -> None:
        """Begin this at the other desk in between, and go on once it is done or has to wait."""
        self.register.then.append(
            lambda: self.begun.append(waited(self.pool, do, *args, **more)),
        )

    def carried(self) -> dict[str, list[str]]:
        query = "SELECT device_id, route FROM assignments WHERE route IS NOT NULL"
        rows = self.demo_office.office.ledger.execute(query).fetchall()
        on_route = self.demo_office.office.orders.on_route
        return {van: [one.number for one in on_route(route)] for van, route in rows}


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    """Let three devices in; `van-1` and `van-2` have a route of one order."""
    with ThreadPoolExecutor(1) as pool:
        desks = Desks(DemoOffice(tmp_path), pool)
        routes = desks.demo_office.office.routes
        routes.unassign(desks.demo_office.van.device_id)
        for van, number in (("van-1", LEFT_DOOR), ("van-2", RIGHT_DOOR)):
            routes.plan(f"r-{van}", [number], NOON - timedelta(hours=1), NOON + timedelta(hours=8))
            routes.assign(f"r-{van}", van)
        for van in ("van-1", "van-2", "van-3"):
            desks.register.let_in(van)
        yield desks


def test_a_route_is_not_lost_to_a_device_that_hands_on_its_own_meanwhile(desks: Desks) -> None:
    """The second one waits, and takes both routes along."""
    desks.meanwhile(desks.second.now, "van-2", EndKind.GONE, THE_OFFICE, NOON, to="van-3")

    desks.first.now("van-1", EndKind.GONE, THE_OFFICE, NOON, to="van-2")

    desks.begun[0].result()
    assert desks.carried() == {"van-3": [RIGHT_DOOR, LEFT_DOOR]}


def test_a_route_is_on_no_device_that_ended_while_it_was_handed_there(desks: Desks) -> None:
    """The result is as if the route was handed on first, and then went back."""
    retire = desks.second.while_serving
    desks.meanwhile(lambda: asyncio.run(retire("van-2", EndKind.RETIRED, ITSELF, NOON)))

    desks.first.now("van-1", EndKind.GONE, THE_OFFICE, NOON, to="van-2")

    desks.begun[0].result()
    assert desks.carried() == {}


def test_a_route_stays_where_it_is_if_its_heir_has_just_ended(desks: Desks) -> None:
    """The command can be repeated, with another heir."""
    desks.second.now("van-2", EndKind.GONE, THE_OFFICE, NOON, to="van-3")

    with pytest.raises(LookupError, match="van-2 is not let in: nothing was changed"):
        desks.first.now("van-1", EndKind.GONE, THE_OFFICE, NOON, to="van-2")
    assert desks.register.state("van-1") is DeviceState.IN

    desks.first.now("van-1", EndKind.GONE, THE_OFFICE, NOON, to="van-3")

    assert desks.carried() == {"van-3": [RIGHT_DOOR, LEFT_DOOR]}


def records(chain: str, *seqs: int) -> list[tuple[str, int]]:
    return [(chain, seq) for seq in seqs]


def test_an_end_counts_what_came_and_names_what_did_not() -> None:
    ends = chain_ends([*records("a", 4, 2, 9, 5), *records("b", 1)])

    assert ends == (ChainEnd("a", 9, 4, ((1, 1), (3, 3), (6, 8))), ChainEnd("b", 1, 1, ()))
    assert [one.missing for one in ends] == [5, 0]


def test_a_number_that_came_twice_counts_once() -> None:
    """A fork: two records have it."""
    assert chain_ends(records("a", 1, 2, 2)) == (ChainEnd("a", 2, 2, ()),)


def test_a_chain_of_holes_names_a_hundred_and_counts_all() -> None:
    (end,) = chain_ends(records("a", *range(2, 1002, 2)))

    assert len(end.gaps) == MOST_GAPS
    assert (end.last_seq, end.missing) == (1000, 500)


def test_end_of_a_chain_counts_the_records_that_came_since() -> None:
    before = chain_ends(records("a", 1, 4))
    closing = DeviceEnd("van-7", NOON, EndKind.GONE, "the office", before)

    after = chain_end_lines(closing, chain_ends([*records("a", 1, 2, 4, 5), *records("b", 1)]))

    assert summary(closing) == "gone since 2026-12-01 12:00 UTC, by the office"
    assert after == [
        "last record seen: chain a, seq 5; 1 missing below; closed at seq 4; 2 came since",
        "last record seen: chain b, seq 1; 0 missing below; not known when it closed; 1 came since",
    ]
    assert chain_end_lines(closing, ()) == ["no record of it was seen"]


def test_the_first_end_counts_and_a_technicians_name_goes(tmp_path: Path) -> None:
    register = Register(tmp_path)
    for device_id in ("van-7", "van-8"):
        register.let_in(device_id)
    first = DeviceEnd("van-7", NOON, EndKind.RETIRED, "ada", chain_ends(records("a", 1, 3)))

    kept = register.note_end(first)
    again = register.note_end(
        DeviceEnd("van-7", NOON + timedelta(1), EndKind.GONE, "the office", ())
    )
    register.note_end(DeviceEnd("van-8", NOON, EndKind.RETIRED, "the device itself", ()))
    register.forget_names(NOON - timedelta(seconds=1))
    early = register.device_end("van-7")
    register.forget_names(NOON)
    late, other = register.device_end("van-7"), register.device_end("van-8")

    assert kept == again == early == first
    assert late is not None
    assert (late.by, late.chains) == ("a technician", first.chains)
    assert other is not None
    assert other.by == "the device itself"
