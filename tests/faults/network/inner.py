"""The reference backend in a thread of the test's own process; TLS ends before it, at a `Box`.

So thousands of cases cost no second handshake and no request to set a switch.
"""

import contextlib
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import uvicorn

from agent.models import Item, RecordState
from doorstep_backend import keys
from doorstep_backend.app import create_app
from doorstep_backend.serving import listen, server_config
from doorstep_backend.wire.store import IntakeVerdict
from tests.support.faulty.intake import FaultyIntake
from tests.support.faulty.store import FaultyStore
from tests.support.faulty.switches import Switches
from tests.support.faulty.wiring import Faulty
from tests.support.sending import DeviceQueue

ALLOWED: Final = frozenset({RecordState.PENDING, RecordState.REFUSED, RecordState.DELIVERED})
"""States of a record that is still to be sent, that the office has to look at, or that arrived."""


class CountedStore(FaultyStore):
    """Counts what must happen once.

    Attributes:
        times_accepted: how often a record was taken in, by capture_id.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.times_accepted: Counter[str] = Counter()

    def settle(self, verdict: IntakeVerdict) -> None:
        super().settle(verdict)
        self.times_accepted[verdict.capture_id] += verdict.accepted


class Inner:
    """A backend over one folder, on plain HTTP.

    Attributes:
        port: on 127.0.0.1.
        receipt_key_file: PEM of the public key that signs receipts and refusals.
        counts: what devices did since the start.
    """

    def __init__(self, data: Path) -> None:
        self.receipt_key_file = data / "receipt-key.pem"
        self._data = data
        self._faulty = Faulty()
        self.counts = self._faulty.counts
        self._listener = listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._started: Future[CountedStore] = Future()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.store = self._started.result()

    def set(self, **switches: Any) -> None:
        """Replace all switches, those of `Switches`; without any, it is healthy again."""
        self._faulty.panel.set(Switches.from_json(switches))

    def received(self, capture_id: str) -> bytes | None:
        """Return the bytes that were accepted under this id, or None."""
        path = self._data / "received" / f"{capture_id}.rec"
        return path.read_bytes() if path.exists() else None

    def misplaced(self, device: DeviceQueue, item: Item) -> list[str]:
        """Return each breach of the promise: accepted once, byte for byte, or still queued."""
        times = self.store.times_accepted[item.capture_id]
        wrong = misplaced(device, item, self.received(item.capture_id))
        return [*wrong, f"taken in {times} times"] if times > 1 else wrong

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def _run(self) -> None:
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        key = keys.receipt_key(self._data / "keys" / "receipt.pem", self.receipt_key_file)
        store = CountedStore(self._data)
        intake, around = FaultyIntake(store, key), self._faulty.middleware(store)
        app = create_app(store, intake, key, around=around)
        self._server = uvicorn.Server(server_config(app, protocol=self._faulty.protocol()))
        self._started.set_result(store)
        self._server.run(sockets=[self._listener])


def misplaced(device: DeviceQueue, item: Item, received: bytes | None) -> list[str]:
    """Return each fault of a record at the device and, byte for byte, at the backend."""
    row, content = device.outbox.get(item.capture_id), device.content(item)
    wrong = []
    if hashlib.sha256(content).hexdigest() != item.sha256:
        wrong.append("the device has other bytes")
    if row.state not in ALLOWED:
        wrong.append(f"its state is {row.state}: {row.answer}")
    if row.state == RecordState.DELIVERED and received is None:
        wrong.append("marked as delivered, and the backend does not have it")
    if received is not None and received != content:
        wrong.append("the backend has other bytes")
    return wrong


@contextlib.contextmanager
def inner_backend(data: Path) -> Iterator[Inner]:
    """Runs a backend over `data`; stops it in the end, whatever it was doing."""
    data.mkdir(parents=True, exist_ok=True)
    inner = Inner(data)
    try:
        yield inner
    finally:
        inner.close()
