"""Draining a queue over TLS on loopback, and records that come minutes apart."""

import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Final

from agent.models import State
from agent.sync.loop import LOOK_S
from tests.bench.device import Running, new_device, running
from tests.bench.frame import Figure, Rig
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

_ALL: Final = 10**6


def measure(rig: Rig) -> Iterator[Figure]:
    """Drain the queue, then add single records after gaps."""
    device = new_device(rig.folder / "drain", rig.backend)
    gaps = rig.times(4, 1)
    with stock(device) as queue:
        for _ in range(rig.times(1_000, 100)):
            queue.add()
        rig.backend.restart()  # its counts begin at zero
        began_s = time.monotonic()
        with running(device, "sync") as sync:
            yield from _drained(sync, rig, queue, began_s)
            apart = [_after_gap(rig, queue, LOOK_S * n / gaps) for n in range(gaps)]
    requests, handshakes, took_ms = zip(*apart, strict=True)
    note = (
        f"presses 3 minutes apart, stood for by gaps of {GAP_S:.0f} s and more: the server "
        "closes an idle connection after 5 s, so it closed every one in between"
    )
    yield Figure("apart: HTTP requests per record", "", requests, digits=2, note=note)
    yield Figure("apart: TLS handshakes per record", "", handshakes, digits=2)
    note = f"sync looks at the queue every {LOOK_S:g} s"
    yield Figure("apart: from the row to the receipt", "ms", took_ms, digits=0, note=note)


def requests_for_records(counts: Counted) -> int:
    """Return them without those for documents, which follow the clock and not the record."""
    return counts.requests - sum(counts.by_method.get(one, 0) for one in DOCUMENTS)


def _drained(sync: Running, rig: Rig, queue: Stock, began_s: float) -> Iterator[Figure]:
    """Let a `sync` that was started at `began_s` send all that waits."""
    records = len(queue.outbox.items(None, 0, _ALL))
    told = sync.ask({"send": True}, DRAIN_WITHIN_S)
    seconds = time.monotonic() - began_s
    items = queue.outbox.items(State.DELIVERED, 0, _ALL)
    if len(items) != records:
        raise RuntimeError(f"of {records} records {len(items)} were delivered; sync said {told}")
    counts = rig.backend.counts()
    requests = requests_for_records(counts)
    size_kb = sum(item.bytes for item in items) / records / 1e3
    yield Figure(
        "HTTP requests per record",
        "",
        [requests / records],
        at_most=REQUESTS_PER_RECORD,
        exactly=True,
        digits=3,
        note=f"{records:,} records of {size_kb:.0f} KB, counted by the backend, over mutual TLS "
        f"as an enrolled device; besides {counts.requests - requests} for the fleet document",
    )
    per_record = [counts.handshakes / records]
    yield Figure("TLS handshakes per record", "", per_record, HANDSHAKES_PER_RECORD, digits=3)
    note = "start of the process included; device and backend share the cores and the disk"
    yield Figure(f"time to drain {records:,} records", "s", [seconds], note=note)
    moments = sorted(datetime.fromisoformat(item.decided_utc or "") for item in items)
    each_ms = [(after - before).total_seconds() * 1e3 for before, after in pairwise(moments)]
    yield Figure("  from receipt to receipt", "ms", each_ms)
    yield Figure("  sync after it: peak (VmHWM)", "MB", [sync.memory().peak_mb], SYNC_MB)


def _after_gap(rig: Rig, queue: Stock, more_s: float) -> tuple[int, int, float]:
    """Return requests, handshakes and ms of a record that comes after the connection was closed."""
    time.sleep(GAP_S + more_s)
    before = rig.backend.counts()
    queue.add()
    began_s = time.monotonic()
    while queue.outbox.counts().waiting:
        time.sleep(0.02)
    took_ms, after = (time.monotonic() - began_s) * 1e3, rig.backend.counts()
    requests = requests_for_records(after) - requests_for_records(before)
    return requests, after.handshakes - before.handshakes, took_ms
