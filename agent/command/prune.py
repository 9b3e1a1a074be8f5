"""`doorstep prune`: deletes what a receipt covers and is old enough."""

import argparse

from agent.command.shared import configured
from agent.command.state_access import floor, open_queue
from agent.errors import ExitCode
from agent.queue import retention
from agent.queue.paths import Layout
from agent.queue.retention import Pruned
from agent.trust.certain import certain_now
from agent.trust.keys import receipt_keys
from agent.trust.store import TrustStore
from hardware.clock_system import SystemClock

_NOT_CERTAIN = (
    "nothing was deleted for its age: no receipt of this boot has agreed with the clock yet; "
    "that comes by itself when a record is delivered while `doorstep capture` runs and the time "
    "is known"
)


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep prune`."""
    config = configured(arguments)
    layout = Layout.of(config.state)
    clock = SystemClock(floor(layout))
    with open_queue(config) as outbox:
        outbox.due_s()  # before capture's first run there is no queue: try again later
        keys = receipt_keys(config)
        now = certain_now(TrustStore(layout).time().agreed, clock.now(), clock.boottime_s())
        pruned = Pruned(0, 0)
        if now is not None:
            pruned = retention.prune(outbox, layout, config.retention, keys, now)
        reserve_bytes = config.state.reserve_mb * 1_000_000
        early = 0
        while files := retention.make_room(outbox, layout, keys, reserve_bytes):
            early += files
    print(f"{pruned.files + early} files and {pruned.rows} rows deleted")
    if now is None:
        print(_NOT_CERTAIN)
    return ExitCode.DONE
