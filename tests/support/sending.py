"""Common parts of tests of sending: a device with records in its queue, and a clock that is set."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from agent.config import BackendSettings
from agent.models import Item
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import receipt, signing
from agent.sync.batches import Batches
from agent.sync.blocked_reason import Connectivity
from agent.sync.delivery import Delivery
from agent.sync.downloads import Download, Downloads
from agent.sync.loop import Sync
from agent.sync.outcome import Outcome
from agent.wire.http import Backend, Limits
from agent.wire.tls import ClientTls
from tests.support.device import Reachable
from tests.support.factory import RecordMaker, add

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
QUICK = Limits(connect_s=2.0, read_s=2.0, progress_s=2.0, attempt_s=20.0)


@dataclass
class SetClock:
    """CLOCK_BOOTTIME as the test sets it."""

    now_s: float = 1000.0

    def boottime_s(self) -> float:
        return self.now_s


@dataclass
class DeviceQueue:
    """A state folder with a queue; `press` puts a valid record into both."""

    folder: Path
    boot_id: str = "boot-1"

    def __post_init__(self) -> None:
        self.layout = Layout(self.folder / "state", self.folder / "run")
        self.layout.make()
        with closing(Database(self.layout, migrates=True)) as first, first.look():
            pass  # as capture does; all others wait for the schema
        self.database = Database(self.layout)
        self.outbox = Outbox(self.database, self.boot_id)
        self.maker = RecordMaker(f"van-{uuid4()}", boot_id=self.boot_id)  # a backend pins its key
        self.key = self.maker.key

    def press(self, photo_bytes: int = 3000, *, adopted: bool = False) -> Item:
        seq = self.maker.seq + 1
        photo = random.Random(seq).randbytes(photo_bytes)
        made = self.maker.make(record={"seq": seq}, photo=photo)
        made.into(self.layout.records)
        add(self.outbox, made, adopted=adopted)
        return self.outbox.get(made.label.capture_id)

    def content(self, item: Item) -> bytes:
        return self.layout.record(item.capture_id).read_bytes()

    def state(self, item: Item) -> str:
        return self.outbox.get(item.capture_id).state


@contextmanager
def device_queue(folder: Path, boot_id: str = "boot-1") -> Iterator[DeviceQueue]:
    made = DeviceQueue(folder, boot_id)
    try:
        yield made
    finally:
        made.database.close()


@dataclass(frozen=True)
class Sender:
    """A device's sending side, towards one backend; the clock stands unless the test moves it."""

    device: DeviceQueue
    backend: Backend
    delivery: Delivery
    sync: Sync
    clock: SetClock

    def attempt(self, item: Item) -> Outcome:
        """Claim the item and makes one attempt, without the loop around it."""
        self.device.outbox.retry(None, 0.0)
        claimed = self.device.outbox.claim(0.0, due_s=self.clock.now_s)
        assert claimed is not None
        assert claimed.capture_id == item.capture_id
        self.device.outbox.schedule_retry(claimed, 0.0, "tried by the test")
        return self.delivery.send(claimed, self.device.content(claimed))


@contextmanager
def sender(
    device: DeviceQueue,
    to: Reachable,
    *,
    url: str | None = None,
    limits: Limits = QUICK,
    downloads: Sequence[Download] = (),
    own: Path | None = None,
    connectivity: Connectivity | None = None,
    on_upload: Callable[[], None] = lambda: None,
    batches: Batches | None = None,
) -> Iterator[Sender]:
    """Make a sender to a backend; `own` is the key and certificate that it shows.

    The others are those of Downloads, of Delivery and of Sync.
    """
    settings = BackendSettings(url or to.base_url, (to.receipt_key_file,), to.ca_file)
    key = signing.read_public_key(to.receipt_key_file)
    with closing(Backend(settings, limits, tls=ClientTls(to.ca_file, own=own))) as backend:
        keys = receipt.signers_without_end(key)
        keep_url = device.outbox.set_upload_url
        delivery = Delivery(backend, lambda: keys, keep_url, on_upload=on_upload)
        clock, asked = SetClock(), Downloads(downloads, connectivity=connectivity)
        rng, queue = random.Random(1), device.outbox
        sync = Sync(device.layout, queue, delivery, clock, rng, downloads=asked, batches=batches)
        yield Sender(device, backend, delivery, sync, clock)
