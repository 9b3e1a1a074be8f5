"""Pruning at once, while no capture process does it by and by."""

from collections.abc import Collection

from agent.command.state_access import floor
from agent.config import Config
from agent.models import CaptureId
from agent.queue import retention
from agent.queue.paths import Layout
from agent.queue.retention import Pruned
from agent.trust.certain import certain_now
from agent.trust.keys import receipt_keys
from agent.trust.store import TrustStore
from hardware.clock_system import SystemClock


def prune_now(config: Config, newest: Collection[CaptureId]) -> tuple[Pruned, bool]:
    """Delete all that receipts allow; return it, and whether a time is certain.

    The caller holds `capture.lock`. Without a certain time only a lack of room lets records go.

    Raises:
        NotNow: there is no fleet document.
        StorageFault: the disk failed.
    """
    layout = Layout.of(config.state)
    clock, keys = SystemClock(floor(layout)), receipt_keys(config)
    now = certain_now(TrustStore(layout).time().agreed, clock.now(), clock.boottime_s())
    pruned = Pruned()
    if now is not None:
        pages = retention.prune(layout, config.retention, keys, now=now, newest=lambda: newest)
        pruned = sum(pages, pruned)
    wanted_bytes = config.state.reserve_mb * 1_000_000
    while files := retention.make_room(layout, keys, wanted_bytes):
        pruned += Pruned(files=files)
    return pruned, now is not None
