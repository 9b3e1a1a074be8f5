"""The rig sees what it is for: senders that break the promise are caught, faults come as told."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent.models import Item, RecordState
from agent.record.receipt import Receipt
from agent.sync.delivery import Delivery
from agent.sync.loop import Sync
from agent.sync.outcome import Deferred, NoService, Outcome
from tests.faults.network.box import Ending, Fault
from tests.faults.network.rig import Exchange, Rig, in_memory, rig
from tests.support.sending import Sender
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def one() -> Iterator[Rig]:
    with in_memory() as folder, rig(folder) as made:
        yield made


class Gullible(Delivery):
    """Takes for delivered whatever was answered without an error."""

    def send(self, item: Item, content: bytes) -> Outcome:
        outcome = super().send(item, content)
        if isinstance(outcome, Deferred | NoService) and " answered 2" in outcome.answer:
            return Receipt("", datetime.now(UTC))
        return outcome


class Impatient(Delivery):
    """Takes a record for delivered once all its bytes are on the way."""

    def send(self, item: Item, content: bytes) -> Outcome:
        outcome = super().send(item, content)
        return Receipt("", datetime.now(UTC)) if isinstance(outcome, NoService) else outcome


class Forgetful(Delivery):
    """A sender that begins each attempt at the first byte, and never asks for the offset."""

    def send(self, item: Item, content: bytes) -> Outcome:
        return NoService("posted again") if item.attempts > 1 else super().send(item, content)


def sends_by(sender: Sender, variant: type[Delivery]) -> None:
    """Puts a broken sender in the place of the product's."""
    right = sender.delivery
    broken = variant(right._backend, right._keys, right._keep_url)  # noqa: SLF001 - the same parts
    assert isinstance(sender.sync, Sync)
    sender.sync._delivery = broken  # noqa: SLF001 - in the product's own loop


@pytest.mark.parametrize("variant", [Gullible, Impatient, Forgetful])
def test_sender_that_breaks_the_promise_is_caught(one: Rig, variant: type[Delivery]) -> None:
    sends_by(one.sender, variant)
    one.inner.set(portal=True)
    item = one.prepare(Exchange.FIRST)
    one.attempt(item)

    assert one.outcome(item, [])


@pytest.mark.parametrize("kept_bytes", [0, 1, 1000, 3000])
def test_cut_is_exact_to_the_byte(one: Rig, kept_bytes: int) -> None:
    """Bytes of HTTP, not of TLS: the backend keeps what was relayed before the cut."""
    head_bytes = one.extent(Exchange.FIRST).head_bytes
    item = one.prepare(Exchange.FIRST)
    before_bytes = one.inner.counts.body_bytes
    one.box.arm(Fault("up", head_bytes + kept_bytes))
    one.attempt(item)
    until(lambda: one.inner.counts.body_bytes >= before_bytes + kept_bytes)

    one.pass_time(item)
    one.box.arm(None)
    before_bytes += kept_bytes
    one.attempt(item)

    assert one.row(item).state == RecordState.DELIVERED
    assert one.inner.counts.body_bytes - before_bytes == item.bytes - kept_bytes


def test_rig_reports_a_fault_that_never_comes(one: Rig) -> None:
    assert "the fault never came" in one.harmed(Fault("up", 10**9, Ending.CUT), Exchange.FIRST)


def test_rig_reports_a_record_that_arrived_altered_or_twice(one: Rig) -> None:
    item = one.prepare(Exchange.FIRST)
    one.attempt(item)
    one.inner.store.times_accepted[item.capture_id] += 1
    path = one.inner.store.folder / "received" / f"{item.capture_id}.rec"
    path.write_bytes(path.read_bytes()[:-1])

    assert one.misplaced(item) == ["the backend has other bytes", "taken in 2 times"]
