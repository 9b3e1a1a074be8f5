"""`doorstep sync`: how its process is put together, and what sending once tells."""

import argparse
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from tqdm import tqdm

from agent.command.shared import become_owner, signals
from agent.config import Config, ManifestPolicy, load, path_of
from agent.errors import ExitCode
from agent.process import sd_notify
from agent.queue.database import Database
from agent.queue.manifests import ManifestStore
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.sync.delivery import Delivery
from agent.sync.http import Backend
from agent.sync.loop import Sync
from agent.sync.manifest_fetch import ManifestFetch
from agent.trust.keys import receipt_keys
from hardware.clock import BUILT
from hardware.clock_system import SystemClock, boot_id

_BAR: Final = "{desc} |{bar}| {n_fmt} of {total_fmt} records, {elapsed}"


def run(arguments: argparse.Namespace) -> int:
    """`doorstep sync [--once]`."""
    config = load(path_of(arguments.config))
    layout = Layout.of(config.state)
    become_owner(layout.sync_keys, layout.queue)
    with sync_loop(config) as loop:
        if not arguments.once:
            stop = threading.Event()
            with signals(stop.set):
                loop.run(stop)
            return ExitCode.DONE
        with _progress_bar() as progress:
            sent = loop.send_once(progress)
            progress(sent.tried, sent.tried)  # it may have been too quick to be seen
    told = f"{sent.delivered} delivered, {sent.waiting} waiting"
    if sent.tried > sent.delivered:
        told += f"; {sent.tried - sent.delivered} tried in vain, `doorstep queue` says why"
    print(f"{told}; paused: {sent.paused}" if sent.paused else told)
    return ExitCode.LATER if sent.waiting or sent.paused else ExitCode.DONE


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    bars: list[tqdm[Any]] = []

    def show(done: int, total: int) -> None:
        if total and not bars:
            bars.append(tqdm(total=total, desc="sending", bar_format=_BAR))
        for bar in bars:
            bar.total = total
            bar.update(done - bar.n)

    yield show
    for bar in bars:
        bar.close()


@contextmanager
def sync_loop(config: Config) -> Iterator[Sync]:
    """The sending process, ready to run."""
    layout, dice = Layout.of(config.state), random.Random()  # noqa: S311 - jitter
    with closing(Database(layout)) as database:
        outbox, clock = Outbox(database, boot_id()), SystemClock(BUILT)
        with closing(Backend(config.backend, alive=sd_notify.alive)) as backend:
            delivery = Delivery(backend, receipt_keys(config), outbox.set_upload_url)
            fetch = ManifestFetch(backend, ManifestStore(database), config.device.id, dice)
            is_off = config.policy.manifest is ManifestPolicy.OFF
            yield Sync(layout, outbox, delivery, clock, dice, fetch=None if is_off else fetch)
