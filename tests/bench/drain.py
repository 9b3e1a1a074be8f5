"""Draining a queue over TLS on loopback, and records that come minutes apart."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from agent.models import RecordState
from agent.queue.outbox import Outbox
from agent.sync.loop import LOOK_S
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

GAP_S: Final = 6.0
"""Stands for 3 minutes: uvicorn and Node.js close idle connections after 5 s by default."""

SENT_WITHIN_S: Final = 600.0

DOCUMENTS: Final = ("GET /fleet", "GET /manifest")
"""Requests for documents, as the backend counts them."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Drain the queue, then add single records after gaps."""
    device, records = new_device(rig.folder / "drain", rig.backend), rig.times(1_000, 100)
    gaps = rig.times(4, 1)
    image = door_jpeg()
    with closing(OurQueue(device.layout, "bench-drain")) as queue:
        for _ in range(records):
            queue.add(image)
        rig.backend.restart()  # its counts begin at zero
        with running(device, "sync"):
            _await_sent(queue.outbox)
            drained, memory = rig.backend.counts(), memory_of(device.pid("sync"))
            for number in range(gaps):
                time.sleep(GAP_S + LOOK_S * number / gaps)
                queue.add(image)
                _await_sent(queue.outbox)
        after = rig.backend.counts()
        delivered = len(queue.outbox.items(RecordState.DELIVERED, 0, records + gaps))
    if delivered != records + gaps:
        raise RuntimeError(f"of {records + gaps} records {delivered} were delivered")
    note = "counted by the backend, over mutual TLS as an enrolled device"
    requests = requests_for_records(drained)
    yield Figure(
        f"HTTP requests per record, sending {records:,}",
        "",
        [requests / records],
        at_most=REQUESTS_PER_RECORD,
        exactly=True,
        digits=3,
        note=note,
    )
    each = [drained.handshakes / records]
    yield Figure("TLS handshakes per record", "", each, HANDSHAKES_PER_RECORD, digits=3)
    yield Figure("memory of sync after it: peak (VmHWM)", "MB", [memory.peak_mb], SYNC_MB)
    note = (
        f"presses 3 minutes apart, stood for by gaps of {GAP_S:.0f} s and more: the server "
        "closes an idle connection after 5 s, so it closed every one in between"
    )
    each = [(requests_for_records(after) - requests) / gaps]
    yield Figure("apart: HTTP requests per record", "", each, digits=2, note=note)
    each = [(after.handshakes - drained.handshakes) / gaps]
    yield Figure("apart: TLS handshakes per record", "", each, digits=2)


def requests_for_records(counts: Counted) -> int:
    """Return them without those for documents, which follow the clock and not the record."""
    return counts.requests - sum(counts.by_method.get(one, 0) for one in DOCUMENTS)


def _await_sent(outbox: Outbox) -> None:
    until(lambda: outbox.counts().waiting == 0, SENT_WITHIN_S, every_s=0.1)
