"""`doorstep prune`: deletes what a receipt covers and is old enough."""

import argparse

from agent.command.shared import configured, floor, open_queue
from agent.errors import ExitCode
from agent.queue import retention
from agent.queue.paths import Layout
from agent.trust.keys import receipt_keys
from hardware.clock_system import SystemClock


def run(arguments: argparse.Namespace) -> int:
    """`doorstep prune`."""
    config = configured(arguments)
    layout = Layout.of(config.state)
    with open_queue(config) as outbox:
        moment = SystemClock(floor(outbox)).now()
        keys = receipt_keys(config)
        pruned = retention.prune(outbox, layout, config.retention, keys, moment)
        reserve_bytes = config.state.reserve_mb * 1_000_000
        early = 0
        while files := retention.make_room(outbox, layout, keys, reserve_bytes):
            early += files
    print(f"{pruned.files + early} files and {pruned.rows} rows deleted")
    return ExitCode.DONE
