"""Capture keeps the receipts that verify for its own records, and refuses the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.process.offer_result import MOST_RECEIPTS
from agent.record import signing
from tests.support.benchtop import Bench, Parts, bench

KEY = signing.new_key()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    key_file = tmp_path / "receipt.pem"
    key_file.write_bytes(signing.public_pem(KEY.public_key()))
    backend = {"url": "https://backend.example", "receipt_keys": [str(key_file)]}
    with bench(tmp_path, Parts(), backend=backend) as opened:
        opened.press()
        yield opened


def kept(device: Bench) -> list[str]:
    return sorted(path.stem for path in device.layout.receipts.iterdir())


def test_receipts_that_verify_are_kept_once(device: Bench) -> None:
    items = device.rows()

    for _ in range(2):
        assert device.deliver(items, KEY) == []
    assert kept(device) == sorted(item.capture_id for item in items)


@pytest.mark.parametrize(
    "told",
    [
        {"key": signing.new_key()},
        {"sha256": "0" * 64},
        {"bytes": 1},
        {"received_at": "yesterday"},
        {"refused_at": "2026-12-01T09:15:07.412Z", "reason": "no", "received_at": ...},
        {"capture_id": "00000000-0000-4000-8000-000000000000"},
        {"capture_id": "../capture"},
    ],
)
def test_receipt_that_is_for_something_else_is_refused(device: Bench, told: dict[str, Any]) -> None:
    said = {"key": KEY} | told
    refused = device.deliver(device.rows("photo"), **said)

    assert len(refused) == 1
    assert kept(device) == []


def test_receipt_of_a_deleted_record_is_kept_by_its_label(device: Bench) -> None:
    """A power cut may take the receipt of a record that was deleted for want of room."""
    (item,) = device.rows("photo")
    device.deliver([item], KEY)
    receipt = device.layout.receipt(item.capture_id)
    token = receipt.read_text()
    receipt.unlink()
    device.layout.record(item.capture_id).rename(device.layout.label(item.capture_id))

    assert device.loop.documents.receipts.offer(token) == {"refused": []}
    assert kept(device) == [item.capture_id]


def test_garbage_and_too_many_receipts_are_refused_or_ignored(device: Bench) -> None:
    answer = device.loop.documents.receipts.offer("garbage " * (MOST_RECEIPTS + 50))

    assert answer == {"refused": [""] * MOST_RECEIPTS}
    assert kept(device) == []
