"""The reference backend in a thread of the test's own process; TLS ends before it, at a `Box`.

So thousands of cases cost no second handshake and no request to set a switch.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import uvicorn

from doorstep_backend import keys
from doorstep_backend.app import create_app
from doorstep_backend.serving import server_config
from doorstep_backend.wire.store import Verdict
from tests.support.faulty.intake import FaultyIntake
from tests.support.faulty.store import FaultyStore, forget
from tests.support.faulty.switches import Switches
from tests.support.faulty.wiring import Faulty


class CountedStore(FaultyStore):
    """Counts what must happen once.

    Attributes:
        times_accepted: how often a record was taken in, by capture_id.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.times_accepted: Counter[str] = Counter()

    def settle(self, verdict: Verdict) -> None:
        super().settle(verdict)
        self.times_accepted[verdict.capture_id] += verdict.accepted


class Inner:
    """One backend over one folder, on plain HTTP.

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
        # asyncio turns Nagle's delay off only where the protocol is named: 40 ms per answer.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self._started: Future[tuple[CountedStore, asyncio.AbstractEventLoop]] = Future()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.store, self._loop = self._started.result()

    def set(self, **switches: Any) -> None:
        """Replace all switches, those of `Switches`; without any, it is healthy again."""
        self._faulty.panel.set(Switches.from_json(switches))

    def forget(self) -> None:
        """Loses every upload and its receipt."""
        done: Future[None] = Future()

        def drop() -> None:
            forget(self.store)
            self.store.times_accepted.clear()
            done.set_result(None)

        self._loop.call_soon_threadsafe(drop)
        done.result()

    def received(self, capture_id: str) -> bytes | None:
        """What was taken in under this id; None when nothing was."""
        path = self._data / "received" / f"{capture_id}.rec"
        return path.read_bytes() if path.exists() else None

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        key = keys.receipt_key(self._data / "keys" / "receipt.pem", self.receipt_key_file)
        store = CountedStore(self._data)
        intake, around = FaultyIntake(store, key), self._faulty.middleware(store)
        app = create_app(store, intake, key, around=around)
        self._server = _Server(server_config(app, protocol=self._faulty.protocol()))
        self._started.set_result((store, asyncio.get_running_loop()))
        await self._server.serve(sockets=[self._listener])


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the test's: a thread cannot take them."""
        yield


@contextlib.contextmanager
def inner_backend(data: Path) -> Iterator[Inner]:
    """Runs a backend over `data`; stops it in the end, whatever it was doing."""
    data.mkdir(parents=True, exist_ok=True)
    inner = Inner(data)
    try:
        yield inner
    finally:
        inner.close()
