"""Uploads without a receipt at the backend: how many of one device, and for how long."""

import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from doorstep_backend.engines.objects import REFUSED
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office import expiry
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.wire import quota
from doorstep_backend.wire.failure_budget import MOST_FAILURES, FailureBudget
from doorstep_backend.wire.quota import UnfinishedUploadsQuota
from doorstep_backend.wire.store import IntakeVerdict, Store, Upload
from tests.support.demo_office import DemoOffice
from tests.support.engines import has, only_folder
from tests.support.factory import new_id
from tests.support.live_pages import Live, live_pages
from tests.support.waiting import until
from tests.support.wire import Wire, record, speaking_to, stranger

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Live]:
    """Run a backend with a quota of three uploads."""
    monkeypatch.setattr(quota, "MOST_OPEN", 3)
    monkeypatch.setattr(quota, "MOST_REFUSED", 3)
    with live_pages(tmp_path) as live:
        yield live


@pytest.fixture
def wire(live: Live) -> Iterator[Wire]:
    with speaking_to(live.url, live.ca_file) as wire:
        yield wire


def begun(store: Store, owner: str = "device van-7", length: int = 10) -> str:
    capture_id = new_id()
    store.create(Upload(capture_id, length, "0" * 64, ""), owner)
    return capture_id


def refused(store: Store, at: str = "2026-12-01T09:00:00.000Z") -> str:
    capture_id = begun(store)
    store.objects.put(capture_id, REFUSED, b"")
    store.settle(IntakeVerdict(capture_id, at, "damaged", "jws"))
    return capture_id


def test_a_device_has_so_many_open_uploads_and_another_has_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MOST_OPEN", 2)
    begun(store)
    assert UnfinishedUploadsQuota(store).admits("device van-7", 10)
    last = begun(store)

    assert not UnfinishedUploadsQuota(store).admits("device van-7", 10)
    assert UnfinishedUploadsQuota(store).admits("device van-8", 10)
    store.settle(IntakeVerdict(last, "2026-12-01T09:00:00.000Z", None, "jws"))
    assert UnfinishedUploadsQuota(store).admits("device van-7", 10)


def test_a_device_has_so_many_open_bytes(store: Store) -> None:
    begun(store, length=quota.MOST_OPEN_BYTES - 100)

    assert UnfinishedUploadsQuota(store).admits("device van-7", 100)
    assert not UnfinishedUploadsQuota(store).admits("device van-7", 101)


def test_oldest_refused_upload_makes_room_and_no_receipt_does(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = begun(store)
    store.settle(IntakeVerdict(kept, "2020-01-01T00:00:00.000Z", None, "jws"))
    monkeypatch.setattr(quota, "MOST_REFUSED", 10)
    first, *others = (refused(store, f"2026-12-01T09:00:{n:02}.000Z") for n in range(10))

    assert UnfinishedUploadsQuota(store).admits("device van-7", 10)

    assert store.find(first) is None
    assert not has(store.objects.get, first, REFUSED)
    assert all(store.find(one) for one in (kept, *others))


def test_upload_is_deleted_after_7_days_or_30_if_refused(
    tmp_path: Path,
) -> None:
    """A record with a receipt stays, whatever its age; a deleted upload can be sent again."""
    demo_office = DemoOffice(tmp_path)
    store, expire = demo_office.office.store, demo_office.office.erasure.expire
    delivered = demo_office.receive(demo_office.photo(ALLOWED), "2026-12-01T09:00:00.000Z")
    old, fresh = begun(store), begun(store)
    for capture_id, age in ((old, 7 * DAY + DAY / 100), (fresh, 7 * DAY - DAY / 100)):
        upload = store.find(capture_id)
        assert upload is not None
        store.append(upload, 0, b"x", NOW - age)
    since = refused(store, (NOW - 30 * DAY).isoformat(timespec="milliseconds")[:-6] + "Z")
    later = refused(store, (NOW - 29 * DAY).isoformat(timespec="milliseconds")[:-6] + "Z")

    expire(NOW)

    assert [store.find(one) for one in (old, since)] == [None, None]
    assert [row[0] for row in store.db.execute("SELECT capture_id FROM pieces")] == [fresh]
    assert not has(store.objects.get, since, REFUSED)
    assert all(store.find(one) for one in (fresh, later, delivered))
    store.create(Upload(old, 10, "0" * 64, ""))


def lie_lost(store: Store, lost: Collection[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the objects unreachable, and return the list of those that were tried."""
    erase, tried = store.objects.erase, list[str]()

    def erases(capture_id: str, line: bytes = b"") -> None:
        tried.append(capture_id)
        if capture_id in lost:
            raise Unavailable(capture_id)
        erase(capture_id, line)

    monkeypatch.setattr(store.objects, "erase", erases)
    return tried


def test_however_many_refused_uploads_cannot_be_dropped_no_device_is_kept_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MOST_REFUSED", 2)
    ids = [refused(store, f"2026-12-01T09:00:{n:02}.000Z") for n in range(MOST_FAILURES + 3)]
    lie_lost(store, ids[:MOST_FAILURES], monkeypatch)

    assert all(UnfinishedUploadsQuota(store).admits("device van-7", 10) for _ in range(100))

    assert list(store.begun.all()) == sorted([*ids[:MOST_FAILURES], ids[-1]])


def expire(store: Store) -> int:
    return sum(UnfinishedUploadsQuota(store).expire(NOW, 7, 30, FailureBudget(MOST_FAILURES)))


OLD = "2026-01-01T09:00:00.000Z"


def test_upload_that_cannot_be_deleted_delays_no_other_and_stays_due(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(quota, "ROWS_AT_ONCE", 2)
    ids = sorted(refused(store, OLD) for _ in range(6))
    with monkeypatch.context() as away:
        lie_lost(store, ids[::2], away)
        assert expire(store) == 3

    assert [store.find(one) is None for one in ids] == [False, True] * 3
    assert all(store.verdict(one) and has(store.objects.get, one, REFUSED) for one in ids[::2])
    assert caplog.text.count("record=not_erased") == 3
    assert expire(store) == 3
    assert list(store.objects.ids()) == list(store.begun.all()) == []


def test_however_many_cannot_be_dropped_the_others_go_in_the_next_rounds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    *lost, good = sorted(refused(store, OLD) for _ in range(3 * MOST_FAILURES))
    lie_lost(store, lost, monkeypatch)

    for _ in range(100):  # in a third of these it is among the first that are tried
        with suppress(Unavailable):
            expire(store)

    assert store.find(good) is None
    assert list(store.begun.all()) == lost


@only_folder
def test_a_file_that_cannot_be_removed_keeps_no_other(store: Store) -> None:
    ids = [refused(store, OLD) for _ in range(3)]
    stuck = store.folder / "refused" / f"{ids[0]}.rec"
    stuck.unlink()
    stuck.mkdir()

    assert expire(store) == 2

    assert list(store.begun.all()) == [ids[0]]
    stuck.rmdir()
    assert expire(store) == 1


def test_upload_locked_by_another_process_delays_no_other(store: Store) -> None:
    busy, _ = refused(store, OLD), refused(store, OLD)
    other = Store(store.folder)
    if other.db.engine == "sqlite":
        pytest.skip("it has one lock for all")

    with other.upload_locked(busy):
        assert expire(store) == 1

    assert list(store.begun.all()) == [busy]


def test_device_with_too_many_uploads_may_finish_those_it_has(live: Live, wire: Wire) -> None:
    """A further upload gets 429 with Retry-After; the device keeps the record and sends it then."""
    maker, ids = stranger(), [new_id() for _ in range(4)]
    contents = [record(maker, one) for one in ids]
    pairs = list(zip(ids, contents, strict=True))
    assert [wire.post(*pair).status_code for pair in pairs[:3]] == [201] * 3

    full = wire.post(ids[3], contents[3], contents[3])

    assert (full.status_code, full.headers["Retry-After"]) == (429, "600")
    assert "finish those first" in full.text
    assert wire.post(*pairs[0]).status_code == 409
    assert wire.patch(ids[0], 0, contents[0]).status_code == 204
    assert wire.post(ids[3], contents[3], contents[3]).status_code == 201
    assert live.demo_office.office.store.verdict(ids[3]) is not None


def test_empty_uploads_without_number_leave_a_few(live: Live, wire: Wire) -> None:
    statuses = {wire.post(new_id(), b"", b"x"[:0]).status_code for _ in range(20)}

    assert statuses == {422}
    assert len(list(live.demo_office.office.store.objects.ids())) == 3


@pytest.fixture
def erasing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Live]:
    """Run a backend that looks all the time for what is due."""
    for one in ("FIRST_S", "AGAIN_S", "EVERY_S", "PAUSE_AT_MOST_S"):
        monkeypatch.setattr(expiry, one, 0.05)
    with live_pages(tmp_path) as live:
        yield live


def test_due_upload_is_deleted_while_the_backend_runs(erasing: Live) -> None:
    store = erasing.demo_office.office.store
    old = refused(store, "2026-01-01T00:00:00.000Z")

    until(lambda: store.find(old) is None)


@pytest.mark.slow
def test_due_upload_is_deleted_after_an_outage_of_the_database(
    erasing: Live, caplog: pytest.LogCaptureFixture
) -> None:
    store = erasing.demo_office.office.store
    with erasing.demo_office.office.ledger.exclusive_transaction():
        until(lambda: "event=away" in caplog.text)
    old = refused(store, "2026-01-01T00:00:00.000Z")

    until(lambda: store.find(old) is None)


def test_uploads_that_begin_at_once_are_no_more_than_fit(live: Live) -> None:
    """48 began at once at two instances where 33 fitted: each counted before another one began."""
    begin = Barrier(12)

    def post(_: int) -> int:
        with speaking_to(live.url, live.ca_file) as wire:
            begin.wait(10)
            return int(wire.post(new_id(), b"a record").status_code)

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(post, range(12)))

    assert statuses == [201] * 3 + [429] * 9


def test_an_upload_of_the_same_device_waits_for_one_that_is_begun_elsewhere(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "MOST_OPEN", 1)
    first, second = (Upload(new_id(), 10, "0" * 64, "") for _ in range(2))
    other = Store(store.folder)

    with ThreadPoolExecutor(1) as elsewhere:
        with store.db.transaction():
            assert UnfinishedUploadsQuota(store).begin(first, "device van-7")
            begun = elsewhere.submit(UnfinishedUploadsQuota(other).begin, second, "device van-7")
            time.sleep(0.3)
        assert not begun.result()

    assert list(store.begun.all()) == [first.capture_id]
