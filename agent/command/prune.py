"""`doorstep prune`."""

# ruff: noqa: PLC0415, T201 - only this command needs them; commands print

import argparse

from agent.command import shared
from agent.config import Config
from agent.errors import ExitCode
from agent.queue.paths import Layout


def prune(config: Config, _arguments: argparse.Namespace) -> int:
    """`doorstep prune`."""
    from agent.queue import retention
    from hardware.clock_system import SystemClock

    with shared.queue(config) as outbox:
        moment = SystemClock(shared.floor(outbox)).now()
        keys = shared.receipt_keys(config)
        layout = Layout.of(config.state)
        pruned = retention.prune(outbox, layout, config.retention, keys, moment)
        reserve_bytes = config.state.reserve_mb * 1_000_000
        early = 0
        while files := retention.make_room(outbox, layout, keys, reserve_bytes):
            early += files
    print(f"{pruned.files + early} files and {pruned.rows} rows deleted")
    return ExitCode.DONE
