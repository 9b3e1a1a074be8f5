"""The memory of our processes, each and together, in MB of 1,000,000 bytes."""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle, islice
from typing import Final

from agent.models import RecordState
from agent.queue.database import Database
from tests.bench import day
from tests.bench.device import door_jpeg, memory_of, new_device, running
from tests.bench.frame import Figure, Rig
from tests.bench.queues import OurQueue
from tests.bench.rows import insert, waiting_rows
from tests.support.served import served
from tests.support.waiting import until

CAPTURE_MB: Final = 180.0
SYNC_MB: Final = 60.0
SERVE_MB: Final = 35.0
"""Leave a Zero 2 W's 512 MB room for the system and the camera."""

SENT_WITHIN_S: Final = 600.0

DOOR_S: Final = 4.5
"""From door to door: the simulated camera draws the next scene in 2.5 s, a second after a press."""

ROWS: Final = 100_000
"""The queue of a device that sent nothing for two years."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Press at several doors, for a whole day, send a full queue, and ask `serve`."""
    yield from _capture_memory(rig)
    yield day.memory_of_all(rig)
    yield _sync_memory(rig)
    yield _serve_memory(rig)


def _capture_memory(rig: Rig) -> Iterator[Figure]:
    doors = rig.times(6, 2)
    device = new_device(rig.folder / "memory-capture", rig.backend)
    device.set_world("".join(f"[[at]]\npress = {n}\ndoor = {n}\n" for n in range(1, doors + 1)))
    found = []
    with running(device, "capture"):
        for _ in range(doors):
            device.press()
            found.append(memory_of(device.pid("capture")))
            time.sleep(DOOR_S)
    peak_mb = max(one.peak_mb for one in found)
    note = f"{doors} doors, 2304x1296"
    yield Figure("capture: peak (VmHWM)", "MB", [peak_mb], CAPTURE_MB, note=note)
    resident_mb = [one.resident_mb for one in found]
    yield Figure("capture: resident (VmRSS)", "MB", resident_mb, CAPTURE_MB)


def _sync_memory(rig: Rig) -> Figure:
    device, records = new_device(rig.folder / "memory-sync", rig.backend), rig.times(1_000, 100)
    image = door_jpeg()
    with closing(OurQueue(device.layout, "bench-memory-sync")) as queue:
        for _ in range(records):
            queue.add(image)
        with running(device, "sync"):
            until(lambda: queue.outbox.counts().waiting == 0, SENT_WITHIN_S, every_s=0.1)
            peak_mb = memory_of(device.pid("sync")).peak_mb
        delivered = len(queue.outbox.items(RecordState.DELIVERED, 0, records))
    if delivered != records:
        raise RuntimeError(f"of {records} records {delivered} were delivered")
    note = f"after {records:,} records of 300 KB"
    return Figure("sync: peak (VmHWM)", "MB", [peak_mb], SYNC_MB, note=note)


def _serve_memory(rig: Rig) -> Figure:
    targets = ("/v1/status", "/v1/captures?limit=100", "/metrics")
    asked = rig.times(300, 30)
    with served(rig.folder / "memory-serve") as one:
        one.device.start("capture")  # it makes the queue
        with closing(Database(one.device.layout)) as database:
            insert(database, islice(waiting_rows(), ROWS))
        with closing(one.line(one.client_file)) as line:
            for target in islice(cycle(targets), asked):
                line.request("GET", target)
                answer = line.getresponse()
                if not answer.read() or answer.status != 200:
                    raise RuntimeError(f"{target}: {answer.status}")
        resident_mb = [memory_of(one.pid).resident_mb]
    note = f"{ROWS:,} rows; after {asked} requests for status, a page of 100 records and /metrics"
    return Figure("serve: resident (VmRSS)", "MB", resident_mb, SERVE_MB, note=note)
