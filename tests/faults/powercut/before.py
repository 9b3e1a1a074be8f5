"""The work of a device before a scenario; its process then died with everything open."""

import os
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from agent.models import Item, rfc3339
from agent.queue.database import Database
from agent.queue.labels import first_line
from agent.record import signing
from agent.record.receipt import Receipt, Refusal
from tests.faults.powercut.stage import RECEIPT_KEY, Stage, frames
from tests.support.benchtop import Bench

RECEIVED: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)
"""When the backend decided, whatever it did."""

FULL_FRAMES: Final = 975
"""Pages in the write-ahead log before a scenario; at 1000 SQLite empties it, in its midst."""


def grow(_stage: Stage, device: Bench) -> None:
    """A day's work: the write-ahead log was filled and emptied, and is nearly full again.

    While it grows, SQLite's own flushes would hide one that the product forgot.
    """
    device.press()
    wraps = before = 0
    with closing(Database(device.layout)) as database:
        while not wraps or before < FULL_FRAMES:
            with database.step() as sql:
                sql.execute("INSERT OR REPLACE INTO facts VALUES ('grown', ?)", (str(before),))
            now = frames(device.layout)
            wraps, before = wraps + (now < before), now


def with_records(stage: Stage, device: Bench) -> None:
    for _ in range(6):
        device.press()
    grow(stage, device)


def with_receipts(stage: Stage, device: Bench) -> None:
    for _ in range(5):
        device.press()
    for item in device.rows()[:5]:
        deliver(device, item)
    grow(stage, device)


def deliver(device: Bench, item: Item) -> None:
    """Do what sync and capture do with a receipt."""
    signed = receipt(item)
    device.outbox.mark_delivered(item, signed.token, signed.received)
    device.layout.receipt(item.capture_id).write_text(signed.token)


def with_answers(stage: Stage, device: Bench) -> None:
    """Rows in every state, at every stage of their way; two have lost their file to prune."""
    for _ in range(6):
        device.press()
    pruned = device.rows()[:2]
    delivered, refused, tried = device.rows()[2:5]
    for item in (*pruned, delivered):
        deliver(device, item)
    for item in pruned:
        label = device.layout.label(item.capture_id)
        device.layout.record(item.capture_id).rename(label)
        label.write_bytes((first_line(label) or b"") + b"\n")
        device.outbox.mark_pruned([item.capture_id])
        stage.lose(item.capture_id)
    answer = refusal(refused)
    device.outbox.mark_refused(refused, answer.token, answer.refused, answer.reason)
    device.outbox.set_upload_url(tried, f"https://127.0.0.1/files/{tried.capture_id}")
    device.outbox.schedule_retry(tried, 2000.0, "413", suspected=True)
    grow(stage, device)


def spoilt(stage: Stage, device: Bench) -> None:
    """Leave all that a sweep can find, as several power cuts at once might."""
    with_receipts(stage, device)
    delivered, other, *_ = device.rows()
    for _ in range(5):
        device.press()
    *_, lost, first, second, torn = device.rows()
    for item in (first, second, torn):
        with closing(Database(device.layout)) as database, database.step() as sql:
            sql.execute("DELETE FROM captures WHERE capture_id = ?", (item.capture_id,))
    for item in (delivered, other, lost):
        device.layout.record(item.capture_id).unlink()
        stage.lose(item.capture_id)
    (device.layout.records / f"{first.capture_id}.part").write_bytes(bytes(5000))
    (device.layout.records / "00000000-0000-4000-8000-000000000000.rec").write_bytes(b"torn")
    path = device.layout.record(torn.capture_id)
    os.truncate(path, path.stat().st_size // 2)


# What the backend signs


def receipt(item: Item) -> Receipt:
    return Receipt(_signed(item, received_at=rfc3339(RECEIVED)), RECEIVED)


def refusal(item: Item) -> Refusal:
    token = _signed(item, refused_at=rfc3339(RECEIVED), reason="too dark")
    return Refusal(token, RECEIVED, "too dark")


def _signed(item: Item, **more: str) -> str:
    about = {"capture_id": item.capture_id, "sha256": item.sha256, "bytes": item.bytes}
    return signing.sign({"v": 1, **about, **more}, RECEIPT_KEY)
