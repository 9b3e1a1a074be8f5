"""Draining a queue over TLS on loopback, and records that come minutes apart."""

import time
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from agent.models import State
from agent.sync.loop import LOOK_S
from tests.bench.device import Memory, Running, new_device, running
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.bench.stock import Stock, stock
from tests.support.backend import Counted

REQUESTS_PER_RECORD: Final = 1.0
HANDSHAKES_PER_RECORD: Final = 0.05
SYNC_MB: Final = 60.0
"""A record is one request, twenty share a handshake, and a Zero 2 W has 512 MB for everything;
MB of 1,000,000 bytes."""

GAP_S: Final = 6.0
"""Stands for 3 minutes: uvicorn and Node.js close idle connections after 5 s by default."""

DRAIN_WITHIN_S: Final = 600.0

DOCUMENTS: Final = ("GET /fleet", "GET /manifest")
"""Requests for documents, as the backend counts them."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain took.

    Attributes:
        requests: for the records.
        others: for the fleet document.
        seconds: from the start of the `sync` process to the last receipt.
        each_ms: from receipt to receipt, by the backend's clock.
        memory: of the `sync` process, when all was sent.
        vision: which of cv2 and numpy it had mapped.
    """

    records: int
    record_bytes: int
    requests: int
    others: int
    handshakes: int
    seconds: float
    each_ms: list[float]
    memory: Memory
    vision: list[str]


def drain(sync: Running, rig: Rig, queue: Stock, began_s: float) -> Drained:
    """Lets a `sync` that was started at `began_s` send all that waits."""
    records = len(queue.outbox.items(None, 0, 10**6))
    told = sync.ask({"send": True}, DRAIN_WITHIN_S)
    seconds = time.monotonic() - began_s
    items = queue.outbox.items(State.DELIVERED, 0, 10**6)
    if len(items) != records:
        raise RuntimeError(f"of {records} records {len(items)} were delivered; sync said {told}")
    moments = sorted(datetime.fromisoformat(item.decided_utc or "") for item in items)
    counts = rig.backend.counts()
    others = counts.requests - requests_for_records(counts)
    return Drained(
        records=records,
        record_bytes=sum(item.bytes for item in items) // records,
        requests=counts.requests - others,
        others=others,
        handshakes=counts.handshakes,
        seconds=seconds,
        each_ms=[(after - before).total_seconds() * 1e3 for before, after in pairwise(moments)],
        memory=sync.memory(),
        vision=sync.mapped(["cv2", "numpy"]),
    )


def requests_for_records(counts: Counted) -> int:
    """Without those for documents, which go by the clock and not by the record."""
    return counts.requests - sum(counts.by_method.get(one, 0) for one in DOCUMENTS)


def measure(rig: Rig) -> list[Figure]:
    """Drains the queue, then adds single records after gaps."""
    device = new_device(rig.folder / "drain", rig.backend)
    with stock(device) as queue:
        for _ in range(rig.queued_records):
            queue.add()
        rig.backend.restart()  # its counts begin at zero
        began_s = time.monotonic()
        with running(device, "sync") as sync:
            drained = drain(sync, rig, queue, began_s)
            apart = [_after_gap(rig, queue, LOOK_S * n / rig.gaps) for n in range(rig.gaps)]
    return [*_drain_figures(drained), *_gap_figures(apart)]


@dataclass(frozen=True, slots=True)
class _Apart:
    """One record that came after the connection was closed."""

    requests: int
    handshakes: int
    seconds: float


def _after_gap(rig: Rig, queue: Stock, more_s: float) -> _Apart:
    time.sleep(GAP_S + more_s)
    before = rig.backend.counts()
    queue.add()
    began_s = time.monotonic()
    while queue.outbox.counts().waiting:
        time.sleep(0.02)
    seconds, after = time.monotonic() - began_s, rig.backend.counts()
    requests = requests_for_records(after) - requests_for_records(before)
    return _Apart(requests, after.handshakes - before.handshakes, seconds)


def _drain_figures(drained: Drained) -> list[Figure]:
    size_kb = drained.record_bytes / 1e3
    return [
        Figure(
            "HTTP requests per record",
            "",
            [drained.requests / drained.records],
            at_most=REQUESTS_PER_RECORD,
            exactly=True,
            digits=3,
            note=f"{drained.records:,} records of {size_kb:.0f} KB, counted by the backend, over "
            f"mutual TLS as an enrolled device; besides {drained.others} for the fleet document",
            pi="the same; on a mobile line cuts add HEAD and PATCH.",
        ),
        Figure(
            "TLS handshakes per record",
            "",
            [drained.handshakes / drained.records],
            at_most=HANDSHAKES_PER_RECORD,
            digits=3,
            note="one connection is kept; each handshake shows the device's certificate",
            pi="the same as long as the line holds.",
        ),
        Figure(
            f"time to drain {drained.records:,} records",
            "s",
            [drained.seconds],
            note="start of the process included; device and backend share the cores and the disk",
            pi="the line decides: 300 KB take 0.3 s at 8 Mbit/s.",
        ),
        Figure("  from receipt to receipt", "ms", drained.each_ms),
        Figure("  sync after it: peak (VmHWM)", "MB", [drained.memory.peak_mb], SYNC_MB),
    ]


def _gap_figures(apart: list[_Apart]) -> list[Figure]:
    return [
        Figure(
            "apart: HTTP requests per record",
            "",
            [float(one.requests) for one in apart],
            digits=2,
            note=f"presses 3 minutes apart, stood for by gaps of {GAP_S:.0f} s and more: the "
            "server closes an idle connection after 5 s, so it closed every one in between",
        ),
        Figure(
            "apart: TLS handshakes per record",
            "",
            [float(one.handshakes) for one in apart],
            digits=2,
            pi="the same; each costs two round trips of the line (TCP, TLS 1.3).",
        ),
        Figure(
            "apart: from the row to the receipt",
            "ms",
            [one.seconds * 1e3 for one in apart],
            digits=0,
            note=f"sync looks at the queue every {LOOK_S:g} s",
        ),
    ]
