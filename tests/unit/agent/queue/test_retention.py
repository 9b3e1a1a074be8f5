"""Prune deletes what a receipt covers, when its time has certainly come, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import RetentionSettings
from agent.errors import StorageFault
from agent.models import Item, rfc3339
from agent.queue.labels import newest_of_each_chain, read_labels
from agent.queue.retention import PAGE, Pruned, make_room, prune
from agent.record import receipt as receipts
from agent.record import signing
from tests.support.sending import NOON, DeviceQueue, device_queue
from tests.support.tusscript import receipt

HOUR = timedelta(hours=1)


@dataclass
class Shelf:
    """A device, and the backend's key."""

    device: DeviceQueue
    key: signing.PrivateKey

    def deliver(self, item: Item, when: datetime = NOON, **other: Any) -> None:
        """Put a receipt as capture does; `offer` has checked the digest."""
        said: dict[str, Any] = {"key": self.key, "capture_id": item.capture_id}
        said["content"] = b"its bytes"
        token = receipt(**said | {"received_at": rfc3339(when)} | other)
        self.device.layout.receipt(item.capture_id).write_text(token)

    def prune(self, now: datetime) -> Pruned:
        keys = receipts.signers_without_end(self.key.public_key())
        made = self.device
        newest = newest_of_each_chain(read_labels(made.layout))
        pages = prune(made.layout, RetentionSettings(), keys, now=now, newest=newest.values)
        return sum(pages, Pruned())

    def has_file(self, item: Item) -> bool:
        return self.device.layout.record(item.capture_id).exists()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with device_queue(tmp_path) as made:
        yield Shelf(made, signing.new_key())


def test_file_goes_72_hours_after_the_receipt_and_the_label_after_14_days(shelf: Shelf) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    content = shelf.device.content(item)
    shelf.deliver(item)
    layout, capture_id = shelf.device.layout, item.capture_id

    assert shelf.prune(NOON + 71.9 * HOUR) == Pruned(0, 0)
    assert shelf.prune(NOON + 72 * HOUR) == Pruned(1, 0)
    assert not shelf.has_file(item)
    assert layout.label(capture_id).read_bytes() == content[: content.index(b"\n") + 1]
    assert shelf.prune(NOON + timedelta(days=13.9)) == Pruned(0, 0)
    assert shelf.prune(NOON + timedelta(days=14)) == Pruned(0, 1)
    assert not layout.label(capture_id).exists()
    assert not layout.receipt(capture_id).exists()


def test_record_without_a_receipt_stays_at_any_clock(shelf: Shelf) -> None:
    items = [shelf.device.press() for _ in range(3)]

    for years in (-50, 0, 50):
        assert shelf.prune(NOON + timedelta(days=365 * years)) == Pruned(0, 0)

    assert all(shelf.has_file(item) for item in items)


@pytest.mark.parametrize(
    "other",
    [
        {"key": signing.new_key()},
        {"capture_id": "00000000-0000-4000-8000-000000000000"},
        {"sha256": ...},
        {"received_at": "yesterday"},
        {"refused_at": "2026-12-01T09:15:07.412Z", "reason": "no", "received_at": ...},
    ],
)
def test_receipt_is_verified_again_before_a_record_is_deleted(
    shelf: Shelf, other: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The receipt is deleted, so that sync offers its own again."""
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.deliver(item, **other)

    for _ in range(2):
        assert shelf.prune(NOON + timedelta(days=400)) == Pruned(0, 0)
    assert shelf.has_file(item)
    assert not shelf.device.layout.receipt(item.capture_id).exists()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "event=prune_refused" in caplog.text


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 100_000])
def test_garbled_receipt_deletes_no_record(shelf: Shelf, content: bytes) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.device.layout.receipt(item.capture_id).write_bytes(content)

    assert shelf.prune(NOON + timedelta(days=400)) == Pruned(0, 0)
    assert shelf.has_file(item)


def test_record_that_was_garbled_after_its_delivery_is_deleted(shelf: Shelf) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.deliver(item)
    shelf.device.layout.record(item.capture_id).write_bytes(b"\0" * 3000)

    assert shelf.prune(NOON + 72 * HOUR) == Pruned(1, 0)
    assert shelf.device.layout.label(item.capture_id).read_bytes() == b""
    assert shelf.prune(NOON + timedelta(days=14)) == Pruned(0, 1)


def test_label_goes_though_its_receipt_counts_no_more(
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


def test_label_that_a_power_cut_left_with_a_photo_behind_it_is_cut(shelf: Shelf) -> None:
    """The newest label, too: it stays, but not the photo."""
    items, layout = [shelf.device.press(), shelf.device.press()], shelf.device.layout
    for item in items:
        shelf.deliver(item)
        layout.record(item.capture_id).rename(layout.label(item.capture_id))

    assert shelf.prune(NOON) == Pruned(0, 0)
    for item in items:
        assert layout.label(item.capture_id).stat().st_size < 1_500


def test_record_that_cannot_be_deleted_is_reported(shelf: Shelf) -> None:
    item, _newest = shelf.device.press(), shelf.device.press()
    shelf.deliver(item)
    shelf.device.layout.record(item.capture_id).unlink()
    shelf.device.layout.record(item.capture_id).mkdir()

    with pytest.raises(StorageFault, match="cannot delete delivered records: Is a directory"):
        shelf.prune(NOON + 72 * HOUR)


def test_more_than_a_page_is_pruned_and_never_the_newest_label(shelf: Shelf) -> None:
    """The next label builds on it."""
    items = [shelf.device.press(10) for _ in range(PAGE + 5)]
    for item in items:
        shelf.deliver(item)

    assert shelf.prune(NOON + 80 * HOUR) == Pruned(PAGE + 5, 0)
    assert shelf.prune(NOON + timedelta(days=20)) == Pruned(0, PAGE + 4)
    assert shelf.prune(NOON + timedelta(days=400)) == Pruned(0, 0)
    assert shelf.device.layout.label(items[-1].capture_id).exists()


def test_room_is_made_of_the_oldest_page_of_delivered_records(shelf: Shelf) -> None:
    """Receipts that do not verify do not take the place of those that do."""
    items = [shelf.device.press(10) for _ in range(2 * PAGE + 2)]
    for number, item in enumerate(items):
        other = {"key": signing.new_key()} if number >= PAGE + 2 else {}
        shelf.deliver(item, NOON - number * HOUR, **other)
    keys = receipts.signers_without_end(shelf.key.public_key())

    assert make_room(shelf.device.layout, keys, 10**15) == PAGE
    has_file = [shelf.has_file(item) for item in items]
    assert has_file == [True] * 2 + [False] * PAGE + [True] * PAGE
