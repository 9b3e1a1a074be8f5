"""Draining a queue over TLS on loopback: requests, handshakes and memory."""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from agent.models import RecordState
from tests.bench.device import door_jpeg, memory_of, new_device, running
from tests.bench.frame import Figure, Rig
from tests.bench.queues import OurQueue
from tests.support.backend import Counted
from tests.support.waiting import until

REQUESTS_PER_RECORD: Final = 1.0
HANDSHAKES_PER_RECORD: Final = 0.05
SYNC_MB: Final = 60.0
"""A record is one request, twenty share a handshake, and a Zero 2 W has 512 MB for everything;
MB of 1,000,000 bytes."""

SENT_WITHIN_S: Final = 600.0

DOCUMENTS: Final = ("GET /fleet", "GET /manifest")
"""Requests for documents, as the backend counts them."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Fill the queue, and let `sync` send all of it."""
    device, records = new_device(rig.folder / "drain", rig.backend), rig.times(1_000, 100)
    image = door_jpeg()
    with closing(OurQueue(device.layout, "bench-drain")) as queue:
        for _ in range(records):
            queue.add(image)
        rig.backend.restart()  # its counts begin at zero
        with running(device, "sync"):
            until(lambda: queue.outbox.counts().waiting == 0, SENT_WITHIN_S, every_s=0.1)
            counts, memory = rig.backend.counts(), memory_of(device.pid("sync"))
        delivered = len(queue.outbox.items(RecordState.DELIVERED, 0, records))
    if delivered != records:
        raise RuntimeError(f"of {records} records {delivered} were delivered")
    note = "counted by the backend, over mutual TLS as an enrolled device"
    name = f"HTTP requests per record, sending {records:,}"
    each = [requests_for_records(counts) / records]
    yield Figure(name, "", each, REQUESTS_PER_RECORD, digits=3, note=note)
    each = [counts.handshakes / records]
    yield Figure("TLS handshakes per record", "", each, HANDSHAKES_PER_RECORD, digits=3)
    yield Figure("memory of sync after it: peak (VmHWM)", "MB", [memory.peak_mb], SYNC_MB)


def requests_for_records(counts: Counted) -> int:
    """Return them without those for documents, which follow the clock and not the record."""
    return counts.requests - sum(counts.by_method.get(one, 0) for one in DOCUMENTS)
