"""Uses of the network by sync in a shift, with batches and without.

The product's own loop, its documents and its uploads run over HTTPS; only the clock is set.
"""

import itertools
import random
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from agent.config import BackendSettings
from agent.sync.batches import Batches
from agent.sync.blocked_reason import Connectivity
from agent.sync.document_fetch import FLEET_EVERY_S, MANIFEST_EVERY_S, Document, DocumentFetch
from agent.wire.http import Backend
from agent.wire.tls import ClientTls
from tests.bench.policy.area import STOPS
from tests.support.rawserver import RawServer, Request, raw_server, whole
from tests.support.sending import Sender, SetClock, device_queue, sender
from tests.support.tusscript import TusScript

SHIFT_S: Final = 9 * 3600.0
"""A driver's day."""

IDLE_CONNECTION_S: Final = 5.0
"""Time after which a backend hangs up. Source: the defaults of uvicorn and of Node."""

AWAKE_S: Final = (0.5, 1.5)
"""Time for which a contact keeps the radio awake: three to five round trips of 0.1 to 0.25 s with
power save (raspberrypi/linux issue #7533), and 0.2 s until the radio sleeps again
(PM2_SLEEP_RET_MS_DEFAULT of Broadcom's driver). Low and high, an estimate.
"""

AWAKE_W: Final = (0.11, 0.21)
"""Power of a radio that is awake, above one that sleeps: 0.12 against 0.09 A at 5.3 V, on a Zero 2
W, by a meter of 0.01 A. Source: OpenTrafficCam/OTCamera issue #70.
"""


@dataclass(frozen=True, slots=True)
class Contacts:
    """A shift's use of the network.

    Attributes:
        minutes: the setting `sync.batch_minutes`.
        requests: requests that were answered.
        contacts: times that the radio woke up: requests less than five seconds apart are one.
        cpu_ms: processor time of the loop for one contact, on this machine.
        late_s: longest time between two requests for the route.
    """

    minutes: int
    requests: int
    contacts: int
    cpu_ms: float
    late_s: float

    @property
    def energy_wh(self) -> tuple[float, float]:
        """Energy of the radio for these contacts, low and high."""
        low, high = (self.contacts * s * w / 3600 for s, w in zip(AWAKE_S, AWAKE_W, strict=True))
        return low, high


@dataclass
class _Network:
    """The server's answers, and when each was asked for."""

    clock: SetClock
    tus: TusScript
    times: list[float] = field(default_factory=list)
    routes: list[float] = field(default_factory=list)

    def answer(self, request: Request) -> Iterable[bytes]:
        self.times.append(self.clock.now_s)
        if request.path == "/manifest":
            self.routes.append(self.clock.now_s)
        return whole(304) if request.method == "GET" else self.tus(request)

    def is_asleep(self) -> bool:
        return bool(self.times) and self.clock.now_s - self.times[-1] > IDLE_CONNECTION_S

    def contacts(self) -> int:
        return 1 + sum(b - a > IDLE_CONNECTION_S for a, b in itertools.pairwise(self.times))


def shift(minutes: int, pace_s: float, *, lasts_s: float = SHIFT_S, seed: int = 4) -> Contacts:
    """Run sync for `lasts_s`, with a press each `pace_s` until there were as many as stops."""
    batches, rng = Batches(minutes * 60.0, rng=random.Random(seed)), random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as made,
        raw_server(Path(made)) as server,
        device_queue(Path(made) / "device") as device,
        closing(Backend(settings := _settings(server), tls=ClientTls(settings.ca))) as backend,
    ):
        noted, socket = Connectivity(), device.layout.capture_socket
        fetches = [DocumentFetch(one, backend, socket, rng, noted) for one in _documents(backend)]
        with sender(
            device, server, downloads=fetches, connectivity=noted, batches=batches
        ) as sending:
            network = _Network(sending.clock, TusScript(server))
            server.script = network.answer
            cpu_s = _run(sending, backend, network, pace_s, lasts_s)
    contacts, routes = network.contacts(), itertools.pairwise(network.routes)
    cpu_ms, late_s = cpu_s * 1000 / contacts, max(b - a for a, b in routes)
    return Contacts(minutes, len(network.times), contacts, cpu_ms, late_s)


def _run(
    sending: Sender, documents: Backend, network: _Network, pace_s: float, lasts_s: float
) -> float:
    """Press and let the loop make its turns; return its processor time in seconds."""
    clock = sending.clock
    began_s, pressed, cpu_s = clock.now_s, 0, 0.0
    while clock.now_s < began_s + lasts_s:
        if pressed < STOPS and clock.now_s - began_s >= pressed * pace_s:
            sending.device.press()
            pressed += 1
        if network.is_asleep():
            for one in (documents, sending.backend):
                one.hang_up()
        began_ns = time.thread_time_ns()
        wait_s = sending.sync.step()
        cpu_s += (time.thread_time_ns() - began_ns) / 1e9
        clock.now_s += wait_s
    return cpu_s


def _settings(server: RawServer) -> BackendSettings:
    return BackendSettings(server.base_url, (server.receipt_key_file,), server.ca_file)


def _documents(backend: Backend) -> list[Document]:
    ask = partial(backend.manifest, device_id="van-7")
    return [
        Document("fleet", FLEET_EVERY_S, backend.fleet, "none"),
        Document("manifest", MANIFEST_EVERY_S, ask, "none"),
    ]
