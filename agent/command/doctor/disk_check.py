"""Doctor's checks of the card: its free space, and how long a write takes."""

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.command.doctor.finding import Level
from agent.config import Config
from agent.errors import StorageFault
from agent.queue import disk
from agent.queue.paths import Layout

EXT4_POOL_SHARE: Final = 50
EXT4_POOL_BLOCKS: Final = 4096
"""Most blocks that ext4 keeps back, a fiftieth of all or these: they are no reserve for root.

Source: Linux, fs/ext4/super.c, ext4_set_resv_clusters.
"""

SLOW_FLUSH_MS: Final = 200.0
"""A flush slower than this makes the driver wait; worn cards take seconds."""

AS_WHOM: Final = "run this as root"
"""Remedy for things that this user may not read."""

_PROBES: Final = 5

DiskResult = tuple[Level, str]
"""A level, and the remedy."""


def findings(config: Config) -> Iterator[DiskResult]:
    """Check the card that holds the state; a probe is written to it, and deleted."""
    layout = Layout.of(config.state)
    folder = layout.state
    if not folder.exists():
        words = f"{folder} does not exist; `doorstep capture` makes it at its first start"
        yield Level.NOTE, words
        return
    try:
        free_mb = max(disk.room_bytes(folder, layout.ballast), 0) // 1_000_000
        flush_ms = _flush_ms(folder / "doctor.probe") if _is_ours(folder) else None
    except StorageFault as error:
        yield Level.FAILED, f"{error}; presses are refused until it is repaired"
        return
    reserve_mb = config.state.reserve_mb
    if free_mb < reserve_mb:
        words = (
            f"{free_mb} MB free, less than the reserve of {reserve_mb} MB: presses are refused; "
        )
        words += "bring it to a network: what was sent makes room; delete what is not Doorstep's"
        yield Level.FAILED, words
    yield _result(folder, free_mb, flush_ms)
    yield from _of_its_own(folder)


def _of_its_own(folder: Path) -> Iterator[DiskResult]:
    """Report if other programs can fill the card so that presses leave no records."""
    try:
        is_mounted, found = folder.is_mount(), os.statvfs(folder)
    except OSError:  # the card fails just now: the next doctor tells
        return
    reserve_bytes = root_reserve_bytes(found)
    lost = "without a record" if is_ballast_useless(reserve_bytes) else "without its photo"
    if not is_mounted:
        words = (
            f"{folder} is on no file system of its own: what else fills it leaves a press {lost}"
        )
        yield Level.NOTE, f"{words}; `scripts/provision` makes one"
    elif is_ballast_useless(reserve_bytes):
        words = (
            f"{reserve_bytes / 1e6:.0f} MB are root's alone: what root fills leaves a press {lost}"
        )
        yield Level.NOTE, f"{words}; `tune2fs -m 0` with the device that `findmnt {folder}` names"


def root_reserve_bytes(found: os.statvfs_result) -> int:
    """Return the bytes, at least, that only root can still write once all else is full."""
    pool = min(found.f_blocks // EXT4_POOL_SHARE, EXT4_POOL_BLOCKS)
    return max(found.f_bfree - found.f_bavail - pool, 0) * found.f_frsize


def is_ballast_useless(reserve_bytes: int) -> bool:
    """Return True if root, and no press, would get the space of a ballast that is given up."""
    return disk.BALLAST_BYTES - reserve_bytes < disk.LEAST_BYTES


def _is_ours(folder: Path) -> bool:
    """Return True if this user may write there; others of the group only read."""
    with disk.disk_errors(f"cannot look at {folder}"):
        return folder.stat().st_uid == os.geteuid() or os.geteuid() == 0


def _result(folder: Path, free_mb: int, flush_ms: float | None) -> DiskResult:
    if flush_ms is None:
        return Level.NOTE, f"{free_mb} MB free; how long it takes to write was not tried: {AS_WHOM}"
    slow = flush_ms > SLOW_FLUSH_MS
    advice = "; slow: where it says so at rest too, the card is worn, replace it" if slow else ""
    flushes = "1 flush" if disk.flushes_names(folder) else "2 flushes"
    words = f"{free_mb} MB free, {flushes} for each file, {flush_ms:.1f} ms together{advice}"
    return Level.NOTE if slow else Level.OK, words


def _flush_ms(probe: Path) -> float:
    times_ms = []
    for _ in range(_PROBES):
        began_s = time.perf_counter()
        disk.write_durably(probe, bytes(4096))
        times_ms.append((time.perf_counter() - began_s) * 1000)
        with disk.disk_errors("cannot delete the probe"):
            probe.unlink()
    return statistics.median(times_ms)
