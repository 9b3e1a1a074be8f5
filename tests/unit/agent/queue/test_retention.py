"""Prune deletes what a receipt covers, when its time has certainly come, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import RetentionSettings
from agent.errors import StorageFault, UnknownItem
from agent.models import Item, RecordState, rfc3339
from agent.queue.labels import newest_of_each_chain, read_labels
from agent.queue.retention import PAGE, Pruned, prune
from agent.record import receipt as receipts
from agent.record import signing
from tests.support.sending import NOON, DeviceQueue, device_queue
from tests.support.tusscript import receipt, refusal

HOUR = timedelta(hours=1)


@dataclass
class Shelf:
    """A device, and the backend's key."""

    device: DeviceQueue
    key: signing.PrivateKey

    def deliver(self, item: Item, when: datetime = NOON, **other: Any) -> None:
        content = self.device.content(item)
        told = {"received_at": rfc3339(when)} | other
        token = receipt(self.key, item.capture_id, content, **told)
        self.device.outbox.mark_delivered(item, token, when)

    def prune(self, now: datetime) -> Pruned:
        keys = receipts.signers_without_end(self.key.public_key())
        made = self.device
        newest = newest_of_each_chain(read_labels(made.layout))
        settings = RetentionSettings()
        pages = prune(made.outbox, made.layout, settings, keys, now=now, newest=newest.values)
        return sum(pages, Pruned())

    def has_file(self, item: Item) -> bool:
        return self.device.layout.record(item.capture_id).exists()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with device_queue(tmp_path) as made:
        yield Shelf(made, signing.new_key())


def test_file_goes_72_hours_after_the_receipt_and_the_row_after_14_days(shelf: Shelf) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.deliver(item)

    assert shelf.prune(NOON + 71.9 * HOUR) == Pruned(0, 0)
    assert shelf.prune(NOON + 72 * HOUR) == Pruned(1, 0)
    assert (shelf.device.state(item), shelf.has_file(item)) == (RecordState.PRUNED, False)
    assert shelf.prune(NOON + timedelta(days=13.9)) == Pruned(0, 0)
    assert shelf.prune(NOON + timedelta(days=14)) == Pruned(0, 1)
    with pytest.raises(UnknownItem):
        shelf.device.outbox.get(item.capture_id)


def test_record_without_a_receipt_stays_at_any_clock(shelf: Shelf) -> None:
    pending, refused, damaged, _newest = (shelf.device.press() for _ in range(4))
    token = refusal(shelf.key, refused, shelf.device.content(refused))
    shelf.device.outbox.mark_refused(refused, token, NOON, "no")
    shelf.device.outbox.mark_damaged(damaged, "bytes")

    for years in (-50, 0, 50):
        assert shelf.prune(NOON + timedelta(days=365 * years)) == Pruned(0, 0)

    assert all(shelf.has_file(item) for item in (pending, refused, damaged))


@pytest.mark.parametrize(
    "other",
    [{"sha256": "0" * 64}, {"key": signing.new_key()}],
)
def test_receipt_is_verified_again(
    shelf: Shelf, other: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    said = {"capture_id": item.capture_id, "content": shelf.device.content(item)}
    shelf.device.outbox.mark_delivered(item, receipt(**{"key": shelf.key} | said | other), NOON)

    assert shelf.prune(NOON + timedelta(days=400)) == Pruned(0, 0)
    assert shelf.has_file(item)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "event=prune_refused" in caplog.text


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c"])
def test_row_with_garbage_for_a_receipt_is_asked_again(shelf: Shelf, token: str) -> None:
    item, gone, _newest = (shelf.device.press() for _ in range(3))
    for one in (item, gone):
        shelf.device.outbox.mark_delivered(one, token, NOON)
    shelf.device.layout.record(gone.capture_id).unlink()

    assert shelf.prune(NOON + timedelta(days=400)) == Pruned(0, 0)
    assert shelf.has_file(item)
    rows = [shelf.device.outbox.get(one.capture_id) for one in (item, gone)]
    assert {(row.state, row.adopted, row.decision) for row in rows} == {
        (RecordState.PENDING, True, None)
    }


def test_a_row_whose_file_is_gone_goes_though_its_receipt_counts_no_more(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    """Its key was revoked since then; there is no file that it could be asked again for."""
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.deliver(item)
    shelf.prune(NOON + 72 * HOUR)
    shelf.key = signing.new_key()

    assert shelf.prune(NOON + timedelta(days=3000)) == Pruned(0, 1)
    assert shelf.prune(NOON + timedelta(days=3000)) == Pruned(0, 0)
    assert caplog.text == ""


def test_cut_between_delete_and_mark_is_made_good(shelf: Shelf) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.deliver(item)
    shelf.device.layout.record(item.capture_id).unlink()

    assert shelf.prune(NOON) == Pruned(0, 0)
    assert shelf.device.state(item) == RecordState.PRUNED


def test_record_that_cannot_be_deleted_is_reported(shelf: Shelf) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.deliver(item)
    shelf.device.layout.record(item.capture_id).unlink()
    shelf.device.layout.record(item.capture_id).mkdir()

    with pytest.raises(StorageFault, match="cannot delete delivered records: Is a directory"):
        shelf.prune(NOON + 72 * HOUR)


def test_more_than_a_page_is_pruned_and_never_the_newest_record(shelf: Shelf) -> None:
    """The next label builds on it."""
    items = [shelf.device.press(10) for _ in range(PAGE + 5)]
    for item in items:
        shelf.deliver(item)

    assert shelf.prune(NOON + 80 * HOUR) == Pruned(PAGE + 4, 0)
    assert shelf.prune(NOON + timedelta(days=20)) == Pruned(0, PAGE + 4)
    assert shelf.prune(NOON + timedelta(days=400)) == Pruned(0, 0)
    assert shelf.has_file(items[-1])
