"""Two people decide about one photo, order, route or month at once: the second one sees the first.

With `--database postgresql` as well as on SQLite. Two processes: `tests/faults/races/`.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from doorstep_backend.office.archive import archive
from doorstep_backend.office.corrections import (
    CannotBindError,
    NotWaitingError,
    StaleCorrectionError,
    State,
    Why,
)
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.backend.office.interrupted import Interrupted
from tests.support.demo_office import NOON, WHO, DemoOffice
from tests.support.waiting import waited


def test_second_binding_of_a_photo_at_once_changes_no_order(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    """The second request sees the order of the first, and learns that the photo waits no more."""
    stray = demo_office.receive(demo_office.stray())

    with demo_office.office.ledger.transaction():
        demo_office.bind(stray, LEFT_DOOR)
        bound = waited(elsewhere, other.corrections.bind, stray, RIGHT_DOOR, WHO, NOON)

    with pytest.raises(NotWaitingError):
        bound.result()
    assert (demo_office.shown(LEFT_DOOR), demo_office.shown(RIGHT_DOOR)) == ([stray], [])
    done = [demo_office.office.orders.find(number).done for number in (LEFT_DOOR, RIGHT_DOOR)]
    assert done == [True, False]


def test_second_correction_of_a_photo_at_once_names_the_first_person(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    """Two people who looked at the same page lock the two orders in the same sequence."""
    photo = demo_office.receive(demo_office.photo(LEFT_DOOR))

    def correct(office: Office, to: str, who: str) -> None:
        said: dict[str, Any] = {"state": State.SHOWN, "why": Why.WRONG_ORDER, "now": NOON}
        office.corrections.correct(photo, 0, to=to, who=who, **said)

    with demo_office.office.ledger.transaction():
        correct(demo_office.office, RIGHT_DOOR, WHO)
        corrected = waited(elsewhere, correct, other, ALLOWED, "dispatch ben")

    with pytest.raises(StaleCorrectionError, match=f"{WHO} corrected it"):
        corrected.result()
    assert (demo_office.shown(RIGHT_DOOR), demo_office.shown(ALLOWED)) == ([photo], [])


@pytest.mark.parametrize("of", ["order", "address"])
def test_a_photo_is_not_bound_to_an_order_that_opts_out_meanwhile(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor, of: str
) -> None:
    """A photo that stayed there would be shown when the customer opts in again."""
    stray = demo_office.receive(demo_office.stray())
    office = demo_office.office

    def opt_out(opted_out: bool) -> None:
        if of == "order":
            office.opt_out_order(LEFT_DOOR, opted_out)
        else:
            office.opt_out_address(office.orders.find(LEFT_DOOR).address, opted_out)

    with office.ledger.exclusive_transaction(demo_office.van.device_id):
        bound = waited(elsewhere, other.corrections.bind, stray, LEFT_DOOR, WHO, NOON)
        opt_out(True)

    with pytest.raises(CannotBindError, match="takes no photo"):
        bound.result()
    opt_out(False)
    assert (demo_office.shown(LEFT_DOOR), demo_office.kept(stray)) == ([], (True, True))


@pytest.mark.parametrize("of", ["order", "address"])
def test_an_opt_out_waits_for_who_binds_and_erases_what_was_bound(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor, of: str
) -> None:
    stray, order = (
        demo_office.receive(demo_office.stray()),
        demo_office.office.orders.find(LEFT_DOOR),
    )
    opt_out = other.opt_out_order if of == "order" else other.opt_out_address
    whose = LEFT_DOOR if of == "order" else order.address

    with demo_office.office.ledger.transaction():
        demo_office.bind(stray, LEFT_DOOR)
        opted_out = waited(elsewhere, opt_out, whose, True)
    opted_out.result()

    assert demo_office.kept(stray) == (False, False)


def test_a_photo_that_is_being_erased_is_not_bound(
    demo_office: DemoOffice, interrupted: Interrupted, tmp_path: Path, elsewhere: ThreadPoolExecutor
) -> None:
    """A person who binds a photo whose time is over waits for its erasure, and then reads of it."""
    stray = demo_office.receive(demo_office.stray())
    erasing = open_office(Store(tmp_path, interrupted))
    bound: list[Future[Any]] = []
    bind = demo_office.bind
    interrupted.then.append(lambda: bound.append(waited(elsewhere, bind, stray, LEFT_DOOR)))

    erasing.erasure.expire(NOON + timedelta(days=40))

    with pytest.raises(NotWaitingError):
        bound[0].result()


@pytest.mark.parametrize("cases", [("CASE-7", "CASE-8"), ("CASE-7", "CASE-7")])
def test_second_hold_of_an_order_at_once_names_the_first_case(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor, cases: tuple[str, str]
) -> None:
    with demo_office.office.ledger.exclusive_transaction():
        demo_office.office.erasure.hold(ALLOWED, cases[0], NOON)
        held = waited(elsewhere, other.erasure.hold, ALLOWED, cases[1], NOON)

    if cases[0] == cases[1]:
        assert held.result() == 0
    else:
        with pytest.raises(NotDone, match="held for CASE-7 already"):
            held.result()
    assert [one.case_number for one in other.erasure.holds()] == ["CASE-7"]


def test_two_routes_handed_to_one_device_at_once_are_both_kept(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    """The second one goes behind the first, as if they came one after the other."""
    routes, begins = demo_office.office.routes, NOON - timedelta(hours=1)
    for van, number in (("van-1", LEFT_DOOR), ("van-2", RIGHT_DOOR)):
        routes.plan(f"r-{van}", [number], begins, NOON + timedelta(hours=8))
        routes.assign(f"r-{van}", van)

    with demo_office.office.ledger.exclusive_transaction():
        handed_on = waited(elsewhere, other.routes.hand_on, "van-1", "van-9", NOON)
        routes.hand_on("van-2", "van-9", NOON)
    handed_on.result()

    (route,) = demo_office.office.ledger.execute(
        "SELECT route FROM assignments WHERE device_id = 'van-9'"
    ).fetchone()
    assert [one.number for one in demo_office.office.orders.on_route(route)] == [
        RIGHT_DOOR,
        LEFT_DOOR,
    ]


def test_a_route_that_is_planned_again_is_not_dropped_as_an_old_one(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    long_ago = NOON - timedelta(days=60)
    routes, find = demo_office.office.routes, "SELECT 1 FROM routes WHERE route = 'daily'"
    routes.plan("daily", [ALLOWED], long_ago, long_ago + timedelta(hours=8))

    with demo_office.office.ledger.exclusive_transaction():
        routes.plan("daily", [ALLOWED], NOON, NOON + timedelta(hours=8))
        forgot = waited(elsewhere, other.routes.forget, NOON - timedelta(days=30), 10)

    assert forgot.result() == 0
    assert demo_office.office.ledger.execute(find).fetchone() is not None


def test_a_month_is_archived_into_one_of_two_folders_at_once(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Otherwise half of the month's labels would be in a file that no row names."""
    folder = tmp_path / "second"

    with demo_office.office.ledger.transaction():
        archive(demo_office.office, "2026-05", tmp_path / "first", NOON)
        archived = waited(elsewhere, archive, other, "2026-05", folder, NOON)

    with pytest.raises(NotDone, match=r"put 2026-05.jsonl back"):
        archived.result()
    assert not list(folder.glob("*.jsonl"))
