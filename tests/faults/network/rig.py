"""A device behind a bad network, and the one question after every fault: where is the record?"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, assert_never

from agent.models import Item, RecordState
from agent.sync.backoff import BACK_OFF_CAP_S
from tests.faults.network.box import Box, Fault, Way
from tests.faults.network.inner import Inner, inner_backend
from tests.support.sending import DeviceQueue, Sender, device_queue, sender

MEMORY: Final = Path("/dev/shm")
"""The place of the folders, if it exists: it is in memory, since flushes are not tried here."""

NEVER_S: Final = 1e12
"""When a record is due that must not disturb the cases after it."""


class Exchange(StrEnum):
    """The requests of an attempt."""

    FIRST = "POST with the record"
    AGAIN = "HEAD, POST without the record, PATCH"
    RECEIPT = "HEAD, POST for the receipt"


@dataclass(frozen=True, slots=True)
class Extent:
    """An item that was sent, and the HTTP bytes of its attempt in each direction."""

    item: Item
    passed: dict[Way, int]

    @property
    def head_bytes(self) -> int:
        """Bytes of the requests without their body."""
        return self.passed["up"] - self.item.bytes


@dataclass(frozen=True, slots=True)
class Rig:
    """A device, the box before its backend, and the backend.

    Attributes:
        device: its folder and queue.
        sender: its sending side; the clock stands unless a test moves it.
        box: harms the line.
        inner: the backend; its switches harm the answers.
    """

    device: DeviceQueue
    sender: Sender
    box: Box
    inner: Inner

    def prepare(self, exchange: Exchange, photo_bytes: int = 3000) -> Item:
        """Presses, and brings the record to where its next attempt is `exchange`."""
        match exchange:
            case Exchange.FIRST:
                return self.device.press(photo_bytes)
            case Exchange.AGAIN:
                return self.device.press(photo_bytes, adopted=True)
            case Exchange.RECEIPT:
                self.inner.set(receipt="none")
                item = self.device.press(photo_bytes)
                self.sender.sync.step()
                self.inner.set()
                self.pass_time(item)
                return item
            case other:
                assert_never(other)

    def attempt(self, item: Item) -> None:
        """Run one turn of the loop, which must send this record."""
        before = self.row(item).attempts
        self.sender.sync.step()
        assert self.row(item).attempts == before + 1, "another record had the turn"

    def row(self, item: Item) -> Item:
        return self.device.outbox.get(item.capture_id)

    def pass_time(self, item: Item) -> None:
        """Until the record is due and the loop's rest is over."""
        clock = self.sender.clock
        clock.now_s = max(self.row(item).due_s, clock.now_s + BACK_OFF_CAP_S)

    def misplaced(self, item: Item) -> list[str]:
        """Return each breach of the promise now: accepted once, byte for byte, or still queued."""
        return self.inner.misplaced(self.device, item)

    def mended(self, item: Item) -> list[str]:
        """Return each fault that is left without the harm, after another attempt in time."""
        self.box.arm(None)
        self.inner.set()
        wrong = []
        if self.row(item).state == RecordState.PENDING:
            self.pass_time(item)
            self.attempt(item)
            wrong += self.misplaced(item)
        row = self.row(item)
        if row.state != RecordState.DELIVERED:
            wrong.append(f"not delivered afterwards, but {row.state}: {row.answer}")
        return wrong

    def harmed(self, fault: Fault, exchange: Exchange, photo_bytes: int = 3000) -> list[str]:
        """Harm the line during `exchange`, and return each fault."""
        item = self.prepare(exchange, photo_bytes)
        self.box.arm(fault)
        self.attempt(item)
        return self.outcome(item, [] if self.box.fault is None else ["the fault never came"])

    def outcome(self, item: Item, wrong: list[str]) -> list[str]:
        """Return each fault with and without the harm, after those that are known already."""
        wrong = [*wrong, *self.misplaced(item), *self.mended(item)]
        return wrong and self.set_aside(item, wrong)

    def set_aside(self, item: Item, wrong: list[str]) -> list[str]:
        """Keeps a record that went wrong, and the rest after it, out of the way of the next."""
        self.device.outbox.schedule_retry(item, NEVER_S, "set aside by the test")
        self.sender.clock.now_s += BACK_OFF_CAP_S
        return wrong

    def extent(self, exchange: Exchange, photo_bytes: int = 3000) -> Extent:
        """Return the extent of a whole attempt without a fault."""
        item = self.prepare(exchange, photo_bytes)
        self.box.arm(None)
        self.attempt(item)
        row = self.row(item)
        assert row.state == RecordState.DELIVERED, f"not delivered on a healthy line: {row.answer}"
        return Extent(item, dict(self.box.passed))


@contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    """Everything in this process; ends with the block."""
    with (
        inner_backend(folder / "backend") as inner,
        Box(folder, inner.port, inner.receipt_key_file) as box,
        device_queue(folder / "device") as made,
        sender(made, box) as sending,
    ):
        yield Rig(made, sending, box, inner)


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder that is gone with the block."""
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="badnetwork-", dir=place) as folder:
        yield Path(folder)
