"""A record with a receipt is filed once, by any process, whatever happens meanwhile."""

import logging
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from agent.models import CaptureId, rfc3339
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office import claims
from doorstep_backend.office.demo import ALLOWED, RIGHT_DOOR
from doorstep_backend.office.inbox import MOST_KEPT, Inbox
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.office.worker import TRIED_S, Worker
from doorstep_backend.wire.filing_backlog import AGAIN, LEASE, MOST, OWN
from doorstep_backend.wire.store import Store
from tests.support.demo_office import RECEIVED, DemoOffice
from tests.support.engines import only_sqlite
from tests.support.waiting import until

NOW = datetime.now(UTC)


@pytest.fixture
def beside(demo_office: DemoOffice) -> Iterator[Office]:
    """Run a backend that files in a thread."""
    office = open_office(Store(demo_office.folder))
    with Worker(office).running():
        yield office


def received(demo_office: DemoOffice, number: str = ALLOWED) -> CaptureId:
    """Store a record with a receipt, as a process does that ends before it files the record."""
    made = demo_office.photo(number)
    demo_office.keep(made)
    return made.label.capture_id


def test_unfiled_record_counts_as_received_once(demo_office: DemoOffice, other: Office) -> None:
    """The end of a chain is final, although its last record may have come a moment ago."""
    made = demo_office.photo(ALLOWED)
    demo_office.keep(made)
    device_id, capture_id = made.label.device_id, made.label.capture_id
    upload = other.store.find(capture_id)
    assert upload is not None
    other.store.own(upload, device_id)  # as the intake does, where certificates say whose it is

    before = other.received_of(device_id)
    Worker(other).step()

    assert before == other.received_of(device_id) == [capture_id]


def test_record_just_received_is_left_to_its_process_at_first(
    demo_office: DemoOffice, other: Office
) -> None:
    """The other process has the record in memory; a second worker would fetch the object again."""
    worker = Worker(other)
    worker.step()
    its_own, own = demo_office.photo(ALLOWED), demo_office.photo(RIGHT_DOOR)
    demo_office.keep(its_own)
    demo_office.keep(own)
    other.accept(other.store.open(own.content))

    worker.step()

    assert (demo_office.shown(ALLOWED), demo_office.shown(RIGHT_DOOR)) == (
        [],
        [own.label.capture_id],
    )
    Worker(other).step()
    assert demo_office.shown(ALLOWED) == [its_own.label.capture_id]


def test_fresh_record_is_due_to_other_processes_later(
    demo_office: DemoOffice, other: Office
) -> None:
    """A record waits for its own process if there are others, also if its process died."""
    made, now = demo_office.photo(ALLOWED), datetime.now(UTC)
    demo_office.keep(made, rfc3339(now - timedelta(seconds=1)))
    its_own = OWN[demo_office.office.store.db.engine]

    before = other.store.filing_backlog.take(now) if its_own else []
    after = other.store.filing_backlog.take(now + its_own)

    assert (before, after) == ([], [made.label.capture_id])


def test_worker_with_more_than_one_batch_goes_on_without_a_wait(
    demo_office: DemoOffice, other: Office
) -> None:
    worker = Worker(other)
    worker.step()
    for _ in range(MOST + 1):
        made = demo_office.photo(ALLOWED)
        demo_office.keep(made)
        other.accept(other.store.open(made.content))

    assert worker.step() == 0.0
    worker.step()

    assert other.store.filing_backlog.backlog().records == 0


def test_inbox_keeps_a_limited_number_of_records_in_memory(
    demo_office: DemoOffice,
) -> None:
    said = claims.read(demo_office.office.store.open(demo_office.photo(ALLOWED).content))
    inbox = Inbox()
    for number in range(MOST_KEPT + 1):
        inbox.put(replace(said, columns=said.columns | {"capture_id": str(number)}))

    assert inbox.take("0") is None
    assert inbox.take("1") == replace(said, columns=said.columns | {"capture_id": "1"})
    assert inbox.came(2 * MOST_KEPT) == [str(number) for number in range(1, MOST_KEPT + 1)]


def test_inbox_drops_a_record_that_another_process_filed(
    demo_office: DemoOffice, other: Office
) -> None:
    made = demo_office.photo(ALLOWED)
    demo_office.office.accept(demo_office.keep(made))
    Worker(other).step()

    Worker(demo_office.office).step()

    assert demo_office.office.inbox.take(made.label.capture_id) is None


def test_claims_in_memory_stay_small_for_a_large_record(demo_office: DemoOffice) -> None:
    opened = demo_office.office.store.open(demo_office.photo(ALLOWED).content)
    much: dict[str, Any] = {
        "note": "x" * 100_000,
        "stop": {"id": "9" * 100_000},
        "reason": "y" * 100_000,
    }

    said = claims.read(replace(opened, record=opened.record | much))

    assert len(pickle.dumps(said)) < 4000


def test_a_bug_in_reading_what_a_record_says_takes_no_receipt_away(
    demo_office: DemoOffice, other: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that is None causes the bug; a worker fetches the record again."""
    made = demo_office.photo(ALLOWED)
    opened: Any = demo_office.keep(made)

    demo_office.office.accept(replace(opened, record=None))

    capture_id = made.label.capture_id
    assert f"record=not_read capture_id={capture_id}" in caplog.text
    Worker(other).step()
    assert demo_office.shown(ALLOWED) == [capture_id]


@pytest.mark.parametrize("ends_before", ["filed", "told so"])
def test_record_of_a_worker_that_died_is_filed_once_by_the_next(
    demo_office: DemoOffice, other: Office, ends_before: str
) -> None:
    capture_id = received(demo_office)
    assert demo_office.office.store.filing_backlog.take(NOW) == [capture_id]
    if ends_before == "told so":
        demo_office.office.file(capture_id)

    assert other.store.filing_backlog.take(NOW) == []
    assert other.store.filing_backlog.take(NOW + LEASE + timedelta(seconds=1)) == [capture_id]
    other.file(capture_id)

    assert demo_office.shown(ALLOWED) == [capture_id]


@only_sqlite
def test_record_is_due_at_once_when_its_only_process_starts(
    demo_office: DemoOffice, other: Office
) -> None:
    capture_id = received(demo_office)
    demo_office.office.store.filing_backlog.take(NOW)

    other.store.filing_backlog.free()

    assert other.store.filing_backlog.take(NOW) == [capture_id]


def test_a_record_that_cannot_be_filed_stops_no_other_and_is_logged_once(
    demo_office: DemoOffice, other: Office, caplog: pytest.LogCaptureFixture
) -> None:
    lost, there = received(demo_office), received(demo_office, RIGHT_DOOR)
    store = demo_office.office.store
    name, content = store.sha256_of(lost), store.received(lost)
    store.objects.remove(lost, name)

    with caplog.at_level(logging.WARNING):
        Worker(other).step()
        again = datetime.now(UTC) + AGAIN
        assert other.store.filing_backlog.take(again - timedelta(seconds=5)) == []
        assert other.store.filing_backlog.take(again) == [lost]
        other.store.filing_backlog.put_off(lost, "Missing", NOW - AGAIN)
        Worker(other).step()

    assert demo_office.shown(RIGHT_DOOR) == [there]
    assert [lost in one.message for one in caplog.records] == [True]

    other.store.filing_backlog.put_off(lost, "Missing", NOW - AGAIN)
    store.objects.put(lost, name, content)
    Worker(other).step()

    assert demo_office.shown(ALLOWED) == [lost]


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the captures whose objects the store withholds, as if some of its disks had failed."""
    ids = set[str]()
    given = Store.received

    def get(store: Store, capture_id: str) -> bytes:
        if capture_id in ids:
            raise Unavailable("denied here")
        return given(store, capture_id)

    monkeypatch.setattr(Store, "received", get)
    return ids


def test_record_with_an_unavailable_object_stops_no_other(
    demo_office: DemoOffice, other: Office, denied: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    first, bad, worse, last = (received(demo_office) for _ in range(4))
    denied |= {bad, worse}

    assert Worker(other).step() != TRIED_S

    assert sorted(demo_office.shown(ALLOWED)) == sorted([first, last])
    assert [other.store.filing_backlog.has(one) for one in (first, bad, worse, last)] == [
        False,
        True,
        True,
        False,
    ]
    assert caplog.text.count("event=away") == 1
    denied.clear()
    assert sorted(other.store.filing_backlog.take(datetime.now(UTC) + AGAIN)) == sorted(
        [bad, worse]
    )


def test_worker_waits_while_no_object_is_available(
    demo_office: DemoOffice, other: Office, denied: set[str]
) -> None:
    denied |= {received(demo_office), received(demo_office)}

    assert Worker(other).step() == TRIED_S


def test_mark_of_a_filed_record_is_deleted_despite_a_later_outage(
    demo_office: DemoOffice, other: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its mark a filed record would count as waiting, and another worker would take it."""
    first, bad = received(demo_office), received(demo_office)
    file, unfiled = Office.file, other.store.filing_backlog

    def away(*_: object) -> bool:
        raise Unavailable("gone here")

    def fails(office: Office, capture_id: str) -> None:
        if capture_id == bad:
            raise Unavailable("gone here")
        file(office, capture_id)

    monkeypatch.setattr(Office, "file", fails)
    monkeypatch.setattr(unfiled, "put_off", away)

    assert Worker(other).step() == TRIED_S

    assert [unfiled.has(one) for one in (first, bad)] == [False, True]


@only_sqlite
def test_bug_in_the_filing_of_one_record_stops_no_other(
    demo_office: DemoOffice, other: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """A trigger in the database stands for the bug."""
    bad, good = received(demo_office), received(demo_office, RIGHT_DOOR)
    demo_office.office.ledger.execute(
        f"""CREATE TRIGGER odd BEFORE INSERT ON captures WHEN NEW.capture_id = '{bad}'
        BEGIN SELECT RAISE(ABORT, 'nobody reckoned with it'); END"""
    )

    Worker(other).step()

    assert demo_office.shown(RIGHT_DOOR) == [good]
    assert other.store.filing_backlog.has(bad)
    assert f"record=not_filed capture_id={bad} why=nobody reckoned with it" in caplog.text
    assert "Traceback" in caplog.text


def test_worker_goes_on_after_a_bug(
    demo_office: DemoOffice, beside: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise devices would get receipts for days while no photo is filed."""
    db = demo_office.office.store.db
    db.execute("ALTER TABLE unfiled RENAME TO elsewhere")
    beside.accept(beside.store.open(demo_office.photo(RIGHT_DOOR).content))
    until(lambda: "filing=failed" in caplog.text)
    db.execute("ALTER TABLE elsewhere RENAME TO unfiled")
    capture_id = received(demo_office)

    beside.inbox.wake()

    until(lambda: demo_office.shown(ALLOWED) == [capture_id])


def in_threads(*do: Callable[[], object]) -> None:
    """Do all this at once; raises what any of it raises."""
    with ThreadPoolExecutor(len(do)) as pool:
        for one in [pool.submit(each) for each in do]:
            one.result()


def test_workers_that_take_at_once_never_take_the_same(demo_office: DemoOffice) -> None:
    ids = [received(demo_office) for _ in range(2 * MOST)]
    taken: list[str] = []

    def take() -> None:
        unfiled = Store(demo_office.folder).filing_backlog
        while found := unfiled.take(NOW):
            taken.extend(found)

    in_threads(*[take] * 4)

    assert sorted(taken) == sorted(ids)


def test_record_that_two_workers_file_at_once_is_filed_once(
    demo_office: DemoOffice, other: Office
) -> None:
    ids = [received(demo_office) for _ in range(8)]

    def file(office: Office) -> None:
        for one in ids:
            office.file(one)

    in_threads(partial(file, demo_office.office), partial(file, other))

    assert sorted(demo_office.shown(ALLOWED)) == sorted(ids)


def test_record_whose_receipt_is_signed_again_is_not_filed_again(demo_office: DemoOffice) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    verdict = demo_office.office.store.verdict(capture_id)
    assert verdict is not None
    assert verdict.at == RECEIVED

    demo_office.office.store.settle(verdict)

    assert demo_office.office.store.filing_backlog.backlog().records == 0
