"""The status document: for a terminal, for clients of `doorstep serve`, and for the backend.

It stays within 1,500 bytes and takes the same time however long the queue is.
It has no places and no codes. It reveals no more of a person's pace than a client sees who asks
each second for the waiting records: no count of delivered ones, times to the hour, free space to
two digits, and no state of the camera.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from agent import __version__
from agent.config import Config, IdentityMode, Seal
from agent.errors import DoorstepError
from agent.models import Item, RecordState, rfc3339
from agent.queue.disk import disk_errors, room_bytes
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.status import causes, kept, reading
from agent.status.fitting import fitting
from agent.status.reading import MOST, CaptureReport, SyncReport
from agent.status.values import (
    Alarm,
    DiskPart,
    IdentityPart,
    PartFailed,
    QueueFailed,
    QueuePart,
    Status,
)
from hardware.clock import BUILT, ClockSource

VERSION: Final = 1

LIMIT_BYTES: Final = 1_500
"""Largest document, as compact JSON: 2,000 characters in a header."""

MOST_NEEDS: Final = 12
"""Number of troubles that are named, the worst first: repaired, they make room for the others."""

ALARMS: Final = 1
"""Number of items that are named; `doorstep queue` and `/v1/captures` name all."""

_TORN_COUNTED: Final = 1_000
"""Counting more would take time; a person looks at the first."""


def document(
    config: Config,
    queue: QueuePart | QueueFailed,
    *,
    sync: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Status:
    """Put together the status; parts that do not answer are None or say why.

    Args:
        config: the whole of it.
        queue: from `queue_part`, or kept.
        sync: sync's report on itself, if sync composes the document.
        now: the time; by default this machine's.
    """
    layout, now = Layout.of(config.state), now or datetime.now(UTC)
    by_capture = reading.ask_capture(layout)
    by_sync = reading.ask_sync(layout) if sync is None else reading.sync_report(sync)
    made = Status(
        v=VERSION,
        device=config.device.id,
        agent=__version__,
        utc=rfc3339(now.replace(second=0, microsecond=0)),
        needs=(),
        identity=identity(config, by_capture, by_sync, now),
        manifest=config.policy.manifest,
        bench_mode=config.device.bench_mode,
        sealed=config.policy.seal is Seal.REQUIRED,
        queue=queue,
        torn=torn(layout),
        disk=_disk(config, layout),
        clock_wrong=wrong_clock(now) is not None,
        capture=by_capture.part if isinstance(by_capture, CaptureReport) else by_capture,
        sync=by_sync.part if isinstance(by_sync, SyncReport) else by_sync,
        doctor=kept.read_doctor(layout),
    )
    made = replace(made, queue=replace(queue, why=causes.why_waits(made)))
    is_due = isinstance(by_sync, SyncReport) and by_sync.renewal_due
    needs = causes.needs(made, now, is_renewal_due=is_due)
    made = replace(made, needs=tuple(needs[:MOST_NEEDS]))
    return fitting(made, LIMIT_BYTES)


def queue_part(outbox: OutboxReader) -> QueuePart | QueueFailed:
    """Return what the document says of the queue, or why it cannot."""
    try:
        counts, alarms = outbox.counts(), outbox.alarms(ALARMS)
        oldest = outbox.items(RecordState.PENDING, 0, 1) if counts.waiting else []
    except DoorstepError as error:
        return QueueFailed(str(error))
    dated = [item.utc for item in oldest if item.clock != ClockSource.UNSYNCED]
    return QueuePart(
        waiting=min(counts.waiting, MOST),
        suspected=min(counts.suspected, MOST),
        refused=min(counts.refused, MOST),
        damaged=min(counts.damaged, MOST),
        oldest_utc=reading.to_hour(dated[0]) if dated else None,
        oldest_suspect=any(item.suspected for item in oldest),
        alarms=tuple(_alarm(item) for item in alarms),
    )


def identity(
    config: Config,
    capture: CaptureReport | PartFailed | None,
    sync: SyncReport | PartFailed | None,
    now: datetime | None = None,
) -> IdentityPart:
    """Return the part about certificates; a process that does not run says nothing.

    Capture has verified the evidence and the serve certificate; the rest is sync's.
    """
    if config.identity.mode is IdentityMode.OFF:
        return IdentityPart(config.identity.mode)
    by_capture = capture if isinstance(capture, CaptureReport) else CaptureReport()
    by_sync = sync if isinstance(sync, SyncReport) else SyncReport()
    return IdentityPart(
        config.identity.mode,
        tls_until=by_sync.tls_until,
        evidence_until=by_capture.evidence_until,
        serve_until=by_capture.serve_until,
        trouble=wrong_clock(now) or by_sync.identity_trouble,
    )


def wrong_clock(now: datetime | None = None) -> str | None:
    """Return what to say of a clock that is certainly wrong; None of any other."""
    found = now or datetime.now(UTC)
    if found >= BUILT:
        return None
    return f"the clock says {found:%Y-%m-%d}, which is past: no certificate can be judged by it"


def torn(layout: Layout) -> int | None:
    """Count the files that did not verify, at most 1,000; None if this user may not look."""
    try:
        with os.scandir(layout.torn) as entries:  # `iterdir` would read all names first
            return sum(1 for _ in islice(entries, _TORN_COUNTED))
    except FileNotFoundError:
        return 0
    except OSError:
        return None


def _alarm(item: Item) -> Alarm:
    state = "SUSPECT" if item.suspected and item.state == "PENDING" else str(item.state)
    return Alarm(item.capture_id, state, item.answer or "")


def _disk(config: Config, layout: Layout) -> DiskPart:
    """Measure the disk as capture does before a press."""
    reserve_mb = config.state.reserve_mb
    try:
        with disk_errors("cannot ask for the free space"):
            free_mb = max(room_bytes(layout.state, layout.ballast), 0) // 1_000_000
    except DoorstepError as error:
        return DiskPart(None, reserve_mb, str(error))
    return DiskPart(shown_mb(free_mb, reserve_mb), reserve_mb)


def shown_mb(free_mb: int, reserve_mb: int) -> int:
    """Round free space down to two digits: a photo takes half a megabyte, and could be counted.

    Never round across the reserve: a card that has just enough must not look full.
    """
    unit = int(10 ** max(len(str(free_mb)) - 2, 0))
    rounded_mb = free_mb // unit * unit
    return max(rounded_mb, reserve_mb) if free_mb >= reserve_mb else rounded_mb
