"""Due records are erased in short steps, however many; a stopped process leaves the rest."""

import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from agent.models import RecordKind, rfc3339
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office import due, erasure, expiry
from doorstep_backend.office.access import Customer, CustomerService
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.model import open_office
from doorstep_backend.office.worker import Worker
from doorstep_backend.pages.accounts import Account, Accounts
from doorstep_backend.pages.limits import SignInLimit, Try
from doorstep_backend.pages.sessions import Sessions
from doorstep_backend.wire.store import Store
from tests.backend.office.interrupted import Interrupted
from tests.support.demo_office import NOON, PICTURE, DemoOffice
from tests.support.factory import new_id
from tests.support.live_pages import CHEAP
from tests.support.waiting import until

CAME = datetime(2026, 12, 1, 11, tzinfo=UTC)
DAY = timedelta(days=1)


def count(demo_office: DemoOffice, table: str) -> int:
    return int(demo_office.office.ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_step_of_the_erasure_erases_one_batch_and_the_rest_stays_due(
    demo_office: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "BATCH", 2)
    ids = demo_office.deliver(*[ALLOWED] * 5)

    steps = demo_office.office.erasure.steps(CAME + 30 * DAY)
    assert next(one for one in steps if one) == 2
    assert sum(demo_office.kept(one) == (True, True) for one in ids) == 3
    del steps

    assert [one for one in demo_office.office.erasure.steps(CAME + 30 * DAY) if one] == [2, 1]
    assert {demo_office.kept(one) for one in ids} == {(False, False)}


@pytest.mark.usefixtures("in_order")
def test_a_hold_that_comes_while_others_are_erased_holds(
    on_interrupted: DemoOffice, interrupted: Interrupted
) -> None:
    demo_office = on_interrupted
    gone = demo_office.receive(demo_office.photo(ALLOWED))
    held = demo_office.receive(demo_office.photo(CHANGES_MIND), "2026-12-01T11:30:00.000Z")
    interrupted.then = [lambda: demo_office.office.erasure.hold(CHANGES_MIND, "CASE-7", CAME)]

    assert demo_office.office.erasure.expire(CAME + 40 * DAY) == 1

    assert (demo_office.kept(gone), demo_office.kept(held)) == ((False, False), (True, True))


def test_a_hold_waits_for_what_is_being_erased_and_says_so(
    on_interrupted: DemoOffice, interrupted: Interrupted
) -> None:
    demo_office = on_interrupted
    gone = demo_office.receive(demo_office.photo(CHANGES_MIND))
    other, said = open_office(Store(demo_office.folder)).erasure, []
    thread = Thread(target=lambda: said.append(other.hold(CHANGES_MIND, "CASE-7", CAME)))

    def held_meanwhile() -> None:
        thread.start()
        until(lambda: demo_office.office.erasure.holds() != [])
        thread.join(0.5)
        said.append(-1)

    interrupted.then = [held_meanwhile]
    demo_office.office.erasure.expire(CAME + 40 * DAY)
    thread.join()

    assert (said, demo_office.kept(gone)) == ([-1, 1], (False, False))


@pytest.mark.usefixtures("in_order")
def test_record_erased_meanwhile_by_another_process_keeps_its_row(
    on_interrupted: DemoOffice, interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure does not lock the upload of such a record."""
    demo_office, first = on_interrupted, CAME + 40 * DAY
    one = demo_office.receive(demo_office.photo(ALLOWED))
    other = demo_office.receive(demo_office.photo(ALLOWED), "2026-12-01T11:30:00.000Z")
    hold, held = demo_office.office.store.upload_locked, []

    def noted(capture_id: str, *, waits: bool = True) -> AbstractContextManager[object]:
        held.append(capture_id)
        return hold(capture_id, waits=waits)

    monkeypatch.setattr(demo_office.office.store, "upload_locked", noted)
    interrupted.then = [lambda: demo_office.office.erasure.expire_one(other, first)]

    assert demo_office.office.erasure.expire(first + DAY) == 1

    assert held == [one, other]
    filed = demo_office.office.filing.filed(other)
    assert filed is not None
    assert filed.erased_at == "2027-01-10T11:00:00.000Z"
    assert demo_office.office.store.label(other)["seq"] == 2


def test_record_that_cannot_be_filed_is_erased_when_due(
    demo_office: DemoOffice,
) -> None:
    store, one = (
        demo_office.office.store,
        demo_office.keep(demo_office.photo(ALLOWED)).label.capture_id,
    )
    store.objects.put(one, store.sha256_of(one), b"another\nthing")
    Worker(demo_office.office).step()

    demo_office.office.erasure.expire(CAME + 30 * DAY - timedelta(milliseconds=1))
    assert (store.filing_backlog.has(one), list(store.objects.ids())) == (True, [one])

    assert demo_office.office.erasure.expire(CAME + 30 * DAY) == 1
    assert (store.filing_backlog.has(one), list(store.objects.ids())) == (False, [])


def test_record_that_no_worker_tried_to_file_is_not_erased(demo_office: DemoOffice) -> None:
    demo_office.keep(demo_office.photo(ALLOWED))

    assert demo_office.office.erasure.expire(CAME + 40 * DAY) == 0

    assert demo_office.office.store.filing_backlog.backlog().records == 1


def test_lag_of_the_erasure_counts_from_the_first_due_unheld_record(
    on_interrupted: DemoOffice, interrupted: Interrupted
) -> None:
    """The record may be due by any time of the table of retention."""
    demo_office = on_interrupted
    erasure, hour = demo_office.office.erasure, timedelta(hours=1)
    late = rfc3339(CAME - hour)
    practice = demo_office.receive(
        demo_office.van.make(RecordKind.TEST, {}, PICTURE), rfc3339(CAME + 29 * DAY)
    )
    taken = demo_office.receive(demo_office.photo(ALLOWED), rfc3339(CAME + 10 * DAY))
    demo_office.receive(demo_office.void(taken), rfc3339(CAME + 23 * DAY - 2 * hour))
    bound, held = (
        demo_office.receive(demo_office.photo(one), late) for one in (RIGHT_DOOR, CHANGES_MIND)
    )
    erasure.hold(CHANGES_MIND, "CASE-7", CAME)
    assert erasure.overdue_s(CAME + 23 * DAY) == 0.0

    def after(erased: str) -> float:
        interrupted.lost = {practice, taken, bound, held} - {erased}
        erasure.expire(CAME + 30 * DAY)
        return erasure.overdue_s(CAME + 30 * DAY + 3 * hour)

    assert erasure.overdue_s(CAME + 30 * DAY) == 2 * 3600
    assert [after(one) for one in (taken, bound, practice)] == [4 * 3600, 3 * 3600, 0.0]


def test_photo_after_an_opt_out_is_erased_although_its_process_died(
    demo_office: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order or its address may have opted out; a held order's photo stays."""
    monkeypatch.setattr(due, "KEYS", 1)
    ids = demo_office.deliver(ALLOWED, LEFT_DOOR, CHANGES_MIND, ALLOWED)
    by_order, by_address, held, stays = ids
    orders = demo_office.office.orders
    demo_office.office.erasure.hold(CHANGES_MIND, "CASE-7", NOON)
    demo_office.office.ledger.execute(
        "UPDATE captures SET number = ? WHERE capture_id = ?", (RIGHT_DOOR, stays)
    )
    for number in (ALLOWED, CHANGES_MIND):
        orders.set_opted_out(number, opted_out=True)
    orders.set_address_opted_out(orders.find(LEFT_DOOR).address, opted_out=True)

    assert demo_office.office.erasure.expire(NOON) == 2

    assert demo_office.kept(by_order) == demo_office.kept(by_address) == (False, False)
    assert demo_office.kept(held) == demo_office.kept(stays) == (True, True)


def test_orders_that_take_no_photo_are_looked_at_once_a_day_and_after_a_failure(
    on_interrupted: DemoOffice, interrupted: Interrupted
) -> None:
    """The number of such orders grows each day, and most have no record left."""
    demo_office = on_interrupted
    left, failed = demo_office.deliver(ALLOWED, RIGHT_DOOR)
    office, hour = demo_office.office, timedelta(hours=1)
    assert office.erasure.expire(NOON) == 0

    office.orders.set_opted_out(ALLOWED, opted_out=True)
    assert office.erasure.expire(NOON + hour) == 0
    assert office.erasure.expire(NOON + DAY) == 1

    interrupted.lost = [failed]
    with pytest.raises(Unavailable):
        office.opt_out_order(RIGHT_DOOR, True)
    interrupted.lost = ()
    assert office.erasure.expire(NOON + DAY + hour) == 1
    assert demo_office.kept(left) == demo_office.kept(failed) == (False, False)


def test_an_opt_out_erases_what_it_is_about_and_leaves_the_rest_to_its_time(
    demo_office: DemoOffice,
) -> None:
    """A customer waits for the page, and not for what is due of all others."""
    old = demo_office.receive(demo_office.photo(ALLOWED), "2020-01-01T00:00:00.000Z")
    mine = demo_office.deliver(RIGHT_DOOR, CHANGES_MIND)

    demo_office.office.opt_out_order(RIGHT_DOOR, True)
    assert [demo_office.kept(one)[0] for one in mine] == [False, True]
    demo_office.office.opt_out_address("a-7", True)

    assert {demo_office.kept(one) for one in mine} == {(False, False)}
    assert demo_office.kept(old) == (True, True)


def test_routes_and_looks_go_in_steps_too(
    demo_office: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 1)
    for number in range(3):
        demo_office.office.routes.plan(f"old-{number}", [ALLOWED], CAME, CAME + timedelta(hours=1))
    for _ in range(25):
        demo_office.office.access.log(Customer("c-1"), new_id(), "", CAME)

    steps = list(demo_office.office.erasure.steps(CAME + 366 * DAY))

    assert len(steps) >= 4 + 3
    assert (
        count(demo_office, "routes")
        == count(demo_office, "route_orders")
        == count(demo_office, "views")
        == 0
    )


def test_manifests_that_have_ended_are_wiped_in_steps_and_keep_their_versions(
    demo_office: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet's routes end together in the evening."""
    monkeypatch.setattr(erasure, "BATCH", 2)
    vans = [f"van-{number}" for number in range(5)]
    for van in vans:
        demo_office.office.routes.plan(f"r-{van}", [ALLOWED], NOON, NOON + timedelta(hours=1))
        demo_office.office.routes.assign(f"r-{van}", van)
    before = [demo_office.manifest(van).version for van in vans]
    whole = "manifests WHERE content IS NOT NULL OR token IS NOT NULL"

    left = {
        count(demo_office, whole)
        for _ in demo_office.office.erasure.steps(NOON + timedelta(hours=2))
    }

    assert left - {5} == {3, 1, 0}
    versions = "SELECT version FROM manifests ORDER BY device_id"
    assert [row[0] for row in demo_office.office.ledger.execute(versions)] == before


def test_the_thread_erases_a_tenth_of_its_time(
    on_interrupted: DemoOffice, interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread waits between two steps, and ends at once with its process."""
    monkeypatch.setattr(due, "BATCH", 1)
    demo_office = on_interrupted
    for _ in range(3):
        demo_office.receive(demo_office.photo(ALLOWED), "2020-01-01T00:00:00.000Z")
    interrupted.then = [lambda: time.sleep(0.1)]
    monkeypatch.setattr(expiry, "FIRST_S", 0.0)
    began_s = time.monotonic()

    with expiry.Expiry(demo_office.office.erasure).running():
        until(lambda: len(interrupted.tried) == 2)
        paused_s = time.monotonic() - began_s
        interrupted.then = [lambda: time.sleep(1)]
        until(lambda: len(interrupted.tried) == 3)
        ended_s = time.monotonic()

    assert paused_s >= 0.1 / expiry.SHARE
    assert time.monotonic() - ended_s < 0.5 / expiry.SHARE


def test_expired_sessions_codes_and_grants_are_deleted(demo_office: DemoOffice) -> None:
    ledger, access, later = (
        demo_office.office.ledger,
        demo_office.office.access,
        NOON + timedelta(minutes=25),
    )
    accounts = Accounts(ledger, CHEAP)
    accounts.add(Account("customer", "c-1", "x"))
    by, sessions, limit = accounts.find("c-1"), Sessions(ledger), SignInLimit(ledger)
    assert by is not None
    for at in (NOON, later):
        sessions.open(by, at)
    limit.book(Try("c-1", "192.0.2.1", ""), NOON)
    code = access.make_one_time_code(ALLOWED, NOON)
    assert access.verify(CustomerService("17"), ALLOWED, code, "", NOON)
    access.make_one_time_code(LEFT_DOOR, NOON)
    access.make_one_time_code(RIGHT_DOOR, later)

    demo_office.office.erasure.expire(NOON + timedelta(minutes=31))

    left = {"sessions": 1, "sign_in_tries": 0, "grants": 0, "one_time_codes": 1}
    assert {table: count(demo_office, table) for table in left} == left
