"""Stored things that several commands open: the queue, and the time floor."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

from agent.config import Config
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.trust.store import TrustStore
from hardware.clock_system import boot_id
from hardware.floor import as_kept


@contextmanager
def open_queue(config: Config) -> Iterator[Outbox]:
    """Open the queue as every process except capture does."""
    with closing(Database(Layout.of(config.state))) as database:
        yield Outbox(database, boot_id())


def floor(layout: Layout) -> datetime:
    """Return the latest time that is certainly past, as capture has kept it."""
    return as_kept(TrustStore(layout).time().floor)
