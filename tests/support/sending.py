"""What tests of sending share: a device with records in its queue, and a clock that is set."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from agent.config import BackendSettings
from agent.models import CaptureId, Item, Label, rfc3339
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record import signing
from agent.sync.delivery import Delivery
from agent.sync.http import Backend, Limits
from agent.sync.loop import Errand, Sync
from agent.sync.outcome import Outcome

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
QUICK = Limits(connect_s=2.0, read_s=2.0, progress_s=2.0, attempt_s=20.0)


@dataclass
class SetClock:
    """CLOCK_BOOTTIME as the test sets it."""

    now_s: float = 1000.0

    def boottime_s(self) -> float:
        return self.now_s


@dataclass
class Device:
    """A state folder with a queue; `press` puts a valid record into both."""

    folder: Path
    boot_id: str = "boot-1"
    key: signing.PrivateKey = field(default_factory=signing.new_key)

    def __post_init__(self) -> None:
        self.layout = Layout(self.folder / "state", self.folder / "run")
        self.layout.make()
        with closing(Database(self.layout, migrates=True)) as first, first.look():
            pass  # as capture does; all others wait for the schema
        self.database = Database(self.layout)
        self.outbox = Outbox(self.database, self.boot_id)
        self.chain = str(uuid4())
        self._seq = 0
        self._prev: str | None = None

    def press(self, photo_bytes: int = 3000, *, adopted: bool = False) -> Item:
        self._seq += 1
        photo = random.Random(self._seq).randbytes(photo_bytes)
        body = recordfile.pack_body({"seq": self._seq}, photo, NOON)
        label = self._label(body)
        content = recordfile.sign(label, body, self.key)
        self._prev = recordfile.label_digest(content)
        self.layout.record(label.capture_id).write_bytes(content)
        file = len(content), hashlib.sha256(content).hexdigest()
        self.outbox.add(label, self._prev, file, adopted=adopted)
        return self.outbox.get(label.capture_id)

    def requeue(self, item: Item, content: bytes, *, adopted: bool = False) -> Item:
        """Queues other bytes under the item's id, as if they had been written so."""
        label, _ = recordfile.open_label(self.content(item).partition(b"\n")[0])
        with self.database.step() as sql:
            sql.execute("DELETE FROM captures WHERE capture_id = ?", (item.capture_id,))
        self.layout.record(item.capture_id).write_bytes(content)
        file = len(content), hashlib.sha256(content).hexdigest()
        self.outbox.add(label, item.label_sha256, file, adopted=adopted)
        return self.outbox.get(item.capture_id)

    def content(self, item: Item) -> bytes:
        return self.layout.record(item.capture_id).read_bytes()

    def state(self, item: Item) -> str:
        return self.outbox.get(item.capture_id).state

    def _label(self, body: bytes) -> Label:
        return Label(
            v=1,
            capture_id=CaptureId(str(uuid4())),
            device_id=f"van-{self.chain[:8]}",  # a backend pins the key of each
            chain=self.chain,
            seq=self._seq,
            prev=self._prev,
            boot_id=self.boot_id,
            kind="photo",
            about=None,
            utc=rfc3339(NOON),
            monotonic_ns=self._seq,
            clock="ntp",
            body=recordfile.describe(body),
        )


@contextmanager
def device(folder: Path, boot_id: str = "boot-1") -> Iterator[Device]:
    made = Device(folder, boot_id)
    try:
        yield made
    finally:
        made.database.close()


@dataclass(frozen=True)
class Sender:
    """A device's sending side, towards one backend; the clock stands unless the test moves it."""

    device: Device
    backend: Backend
    delivery: Delivery
    sync: Sync
    clock: SetClock

    def attempt(self, item: Item) -> Outcome:
        """Claims the item and makes one attempt, without the loop around it."""
        self.device.outbox.retry(None, 0.0)
        claimed = self.device.outbox.claim(0.0, due_s=self.clock.now_s)
        assert claimed is not None
        assert claimed.capture_id == item.capture_id
        self.device.outbox.book(claimed, 0.0, "tried by the test")
        return self.delivery.send(claimed, self.device.content(claimed))


class Reachable(Protocol):
    """What a device must know of a backend."""

    @property
    def base_url(self) -> str: ...

    @property
    def ca_file(self) -> Path: ...

    @property
    def receipt_key_file(self) -> Path: ...


@contextmanager
def sender(
    device: Device,
    to: Reachable,
    *,
    url: str | None = None,
    limits: Limits = QUICK,
    fetch: Errand | None = None,
) -> Iterator[Sender]:
    settings = BackendSettings(url or to.base_url, (to.receipt_key_file,), to.ca_file)
    key = signing.read_public_key(to.receipt_key_file)
    with closing(Backend(settings, limits)) as backend:
        keys = {signing.thumbprint(key): key}
        delivery = Delivery(backend, keys, device.outbox.set_upload_url)
        clock = SetClock()
        sync = Sync(device.layout, device.outbox, delivery, clock, random.Random(1), fetch=fetch)
        yield Sender(device, backend, delivery, sync, clock)
