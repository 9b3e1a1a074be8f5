"""Sync offers each receipt until capture has it, and forgets the records that capture deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.models import Item, RecordState
from agent.process import control
from agent.process.offer_result import MOST_RECEIPTS
from agent.record import receipt as receipts
from agent.record import signing
from agent.record.receipt import Keys, claimed_id
from agent.sync.document_fetch import AGAIN_S
from agent.sync.receipt_offers import GATHER_S, LOOK_EVERY_S, ReceiptOffers
from tests.support.sending import NOON, DeviceQueue, device_queue
from tests.support.tusscript import receipt

KEY = signing.new_key()


@dataclass
class Capture:
    """A process that takes receipts.

    Attributes:
        offers: the number of receipts in each offer.
        refuses: whether it refuses them all.
    """

    device: DeviceQueue
    offers: list[int] = field(default_factory=list)
    refuses: bool = False

    def answer(self, request: control.Line, _user: str) -> control.Line:
        tokens = request["text"].split()
        self.offers.append(len(tokens))
        if self.refuses:
            return {"refused": [claimed_id(token) for token in tokens]}
        for token in tokens:
            self.device.layout.receipt(claimed_id(token)).write_text(token)
        return {"refused": []}

    @contextmanager
    def running(self) -> Iterator[None]:
        with control.serve(self.device.layout.capture_socket, self.answer):
            yield


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Capture]:
    with device_queue(tmp_path) as device:
        yield Capture(device)


def deliver(capture: Capture, count: int = 1) -> list[Item]:
    items = [capture.device.press(10) for _ in range(count)]
    for item in items:
        token = receipt(KEY, item.capture_id, capture.device.content(item))
        capture.device.outbox.mark_delivered(item, token, NOON)
    return items


def offers_of(capture: Capture) -> ReceiptOffers:
    return ReceiptOffers(capture.device.layout, capture.device.outbox)


def test_receipts_of_a_backlog_share_an_offer(capture: Capture) -> None:
    offers = offers_of(capture)
    offers.tick(0.0)
    with capture.running():
        for item in deliver(capture, 3):
            offers.add(item.capture_id, 10.0)
        offers.tick(10.0)
        at_once = list(capture.offers)
        offers.tick(10.0 + GATHER_S)
        offers.tick(20.0)

    assert (at_once, capture.offers) == ([], [3])


def test_receipts_that_capture_does_not_have_are_offered_after_a_start(capture: Capture) -> None:
    deliver(capture, MOST_RECEIPTS + 1)
    offers = offers_of(capture)
    offers.tick(0.0)  # capture does not run
    with capture.running():
        for now_s in (AGAIN_S - 1, AGAIN_S, AGAIN_S + 1, AGAIN_S + 2):
            offers.tick(now_s)
        offers_of(capture).tick(0.0)

    assert capture.offers == [MOST_RECEIPTS, 1]


def test_refused_receipt_is_asked_for_once_in_an_hour(capture: Capture) -> None:
    (item,) = deliver(capture)
    offers, capture.refuses = offers_of(capture), True
    with capture.running():
        offers.tick(0.0)
        state = capture.device.state(item)
        token = receipt(KEY, item.capture_id, capture.device.content(item))
        capture.device.outbox.mark_delivered(item, token, NOON)
        offers.add(item.capture_id, 1.0)
        offers.tick(LOOK_EVERY_S - 1)
        before = list(capture.offers)
        offers.tick(LOOK_EVERY_S)

    assert state == RecordState.PENDING
    assert (before, capture.offers) == ([1], [1, 1])


def test_row_follows_its_record_and_its_label(capture: Capture) -> None:
    (item,) = deliver(capture)
    offers, layout = offers_of(capture), capture.device.layout
    layout.receipt(item.capture_id).write_text("kept")
    layout.record(item.capture_id).rename(layout.label(item.capture_id))
    offers.tick(0.0)
    pruned = capture.device.state(item)
    layout.label(item.capture_id).unlink()
    offers.tick(LOOK_EVERY_S)

    assert pruned == RecordState.PRUNED
    assert capture.device.outbox.states() == {}


def test_receipts_are_verified_again_by_changed_keys(capture: Capture) -> None:
    keys: list[Keys] = [receipts.signers_without_end(KEY.public_key())]
    (item,) = deliver(capture)
    offers = ReceiptOffers(capture.device.layout, capture.device.outbox, lambda: keys[-1])
    offers.tick(0.0)
    before = capture.device.state(item)
    keys.append(receipts.signers_without_end(signing.new_key().public_key()))
    offers.tick(1.0)

    assert (before, capture.device.state(item)) == (RecordState.DELIVERED, RecordState.PENDING)
