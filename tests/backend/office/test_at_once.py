"""Filing, binding, revoking, erasing and requests for a route at once: which one waits.

With `--database postgresql` as well as on SQLite, where everybody waits for everybody.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Barrier

import pytest

from agent.record import signing
from doorstep_backend.office import claims
from doorstep_backend.office.claims import FilingEntry
from doorstep_backend.office.delivery_routes import DayRoute, Issued
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR, ROUTE
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.office.orders import Order
from doorstep_backend.wire import manifest
from doorstep_backend.wire.asking import PEOPLES_THREADS
from doorstep_backend.wire.intake import MOST_JUDGED_AT_ONCE
from doorstep_backend.wire.store import Store
from tests.support.demo_office import KEY, KID, NOON, RECEIVED, DemoOffice
from tests.support.factory import Made, RecordMaker, new_id
from tests.support.waiting import waited


def said(demo_office: DemoOffice, made: Made) -> FilingEntry:
    return claims.read(demo_office.office.store.open(made.content))


@pytest.mark.slow
@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.parametrize("whose", ["van-8", None])
def test_record_on_postgresql_is_filed_despite_locks_of_others(
    demo_office: DemoOffice, elsewhere: ThreadPoolExecutor, whose: str | None
) -> None:
    said_of = said(demo_office, demo_office.photo(ALLOWED))
    other = open_office(Store(demo_office.folder))

    with demo_office.office.ledger.exclusive_transaction(whose):
        elsewhere.submit(other.filing.accept, said_of, RECEIVED).result(1)
        assert demo_office.shown(ALLOWED) == [said_of.columns["capture_id"]]


@pytest.mark.slow
@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.parametrize("whose", ["van-7", None])
def test_unchanged_manifest_on_postgresql_waits_for_no_lock(
    demo_office: DemoOffice, elsewhere: ThreadPoolExecutor, whose: str | None
) -> None:
    before = demo_office.manifest()

    with demo_office.office.ledger.exclusive_transaction(whose):
        assert elsewhere.submit(demo_office.manifest).result(1) == before


@pytest.mark.slow
@pytest.mark.usefixtures("on_postgresql")
def test_thread_with_a_connection_gets_another_one(demo_office: DemoOffice) -> None:
    """All threads that may ask at once get a connection without the wait of 2 s."""
    office, threads = (
        demo_office.office,
        MOST_JUDGED_AT_ONCE + PEOPLES_THREADS + len(("filing", "expiry")),
    )
    all_hold = Barrier(threads)

    def ask_inside() -> bool:
        with office.store.upload_locked(new_id()):
            all_hold.wait(5)
            return office.filing.is_filed(new_id())

    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(ask_inside) for _ in range(threads)]

    assert [one.result() for one in asked] == [False] * threads


def test_an_order_stays_done_while_two_devices_deliver_and_take_back_at_once(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    """A void is filed by the rows after the other delivery, not by those that it saw before."""
    first = demo_office.photo(ALLOWED)
    demo_office.receive(first)
    void = said(demo_office, demo_office.void(first.label.capture_id))
    stop = demo_office.office.orders.find(ALLOWED).stop_id
    demo_office.office.routes.assign(ROUTE, "van-8")
    record = {"stop": {"id": stop, "bound_by": "place"}, "simulated": False}
    second = said(demo_office, RecordMaker("van-8").make(first.label.kind, record, b"a picture"))

    with demo_office.office.ledger.exclusive_transaction("van-8"):
        demo_office.office.filing.accept(second, RECEIVED)
        took_back = waited(elsewhere, other.filing.accept, void, RECEIVED)
    took_back.result()

    assert demo_office.shown(ALLOWED) == [second.columns["capture_id"]]
    assert demo_office.office.orders.find(ALLOWED).done


def test_record_filed_while_its_key_is_revoked_is_not_believed(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    photo = said(demo_office, demo_office.photo(ALLOWED))
    kid = signing.thumbprint(demo_office.van.key.public_key())
    revoke = other.revoked_keys.add
    since = demo_office.manifest().begins

    with demo_office.office.ledger.exclusive_transaction(demo_office.van.device_id):
        demo_office.office.filing.accept(photo, RECEIVED)
        revoked = waited(elsewhere, revoke, kid, demo_office.van.device_id, since)
    revoked.result()

    assert not demo_office.office.orders.find(ALLOWED).done


def test_photo_filed_while_its_retake_is_bound_is_replaced(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    replaced = demo_office.photo(LEFT_DOOR)
    retake = demo_office.receive(demo_office.stray(retake_of=replaced.label.capture_id))
    late = said(demo_office, replaced)

    with demo_office.office.ledger.transaction():
        demo_office.bind(retake, LEFT_DOOR)
        filed = waited(elsewhere, other.filing.accept, late, RECEIVED)
    filed.result()

    assert demo_office.shown(LEFT_DOOR) == [retake]


def issued(office: Office) -> Issued:
    found = office.routes.manifest("van-7", NOON, lambda what: manifest.sign(what, KEY), KID)
    assert found is not None
    return found


def test_changed_manifest_is_made_once_for_two_requests_at_once(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    with demo_office.office.ledger.transaction():
        first = issued(demo_office.office)
        second = waited(elsewhere, issued, other)

    assert second.result() == first


def test_manifest_that_changes_while_it_is_made_gets_another_version(
    demo_office: DemoOffice, other: Office, elsewhere: ThreadPoolExecutor
) -> None:
    """With the same version a device would keep the first, and photograph a forbidden stop."""

    def changed() -> Issued:
        other.orders.set_opted_out(ALLOWED, opted_out=True)
        return issued(other)

    with demo_office.office.ledger.transaction():
        first = issued(demo_office.office)
        second = waited(elsewhere, changed)

    assert second.result().version == first.version + 1


@pytest.mark.slow
@pytest.mark.usefixtures("on_postgresql")
def test_erasure_on_postgresql_skips_records_locked_by_another_process(
    demo_office: DemoOffice, elsewhere: ThreadPoolExecutor
) -> None:
    later = NOON + timedelta(days=40)
    ids = demo_office.deliver(*[ALLOWED] * 5)
    other = open_office(Store(demo_office.folder))

    with demo_office.office.store.upload_locked(ids[2]):
        assert elsewhere.submit(other.erasure.expire, later).result(1) == 4

    assert other.erasure.expire(later) == 1


def test_a_manifest_has_times_and_orders_of_one_plan(
    demo_office: DemoOffice,
    other: Office,
    elsewhere: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A system plans the route again between the two questions for its times and its orders."""
    office, questions, again = demo_office.office, count(), list[Future[None]]()
    long = DayRoute("van-7", NOON.date(), NOON, NOON + timedelta(hours=8), (ALLOWED, LEFT_DOOR))
    short = replace(long, ends=NOON + timedelta(hours=4), numbers=(LEFT_DOOR,))
    office.routes.put(long, NOON)
    read_orders = office.orders.on_route

    def on_route(route: str) -> list[Order]:
        if next(questions) == 1:  # the first one only finds that the manifest has changed
            again.append(waited(elsewhere, other.routes.put, short, NOON))
        return read_orders(route)

    monkeypatch.setattr(office.orders, "on_route", on_route)
    made = demo_office.manifest()
    again[0].result()

    assert (made.ends, len(made.stops)) == (long.ends, 2)
