"""What several commands share: whose process it is, the queue, the time floor, POSIX signals."""

import argparse
import os
import pwd
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from agent.config import Config, load, path_of
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.trust.store import TrustStore
from hardware.clock_system import boot_id
from hardware.floor import as_kept


def configured(arguments: argparse.Namespace) -> Config:
    """The configuration that the command line names; goes on as the owner of its queue.

    Raises:
        ConfigError: it is wrong.
    """
    config = load(path_of(arguments.config))
    become_owner(Layout.of(config.state).queue)
    return config


def become_owner(*places: Path) -> None:
    """As root, go on as the owner of the first of these, so that no file of root's gets in there.

    Root stays root where there is none of them, or where it is root's own, as in a container.
    """
    if os.geteuid() != 0:
        return
    owner = next((place.lstat() for place in places if os.path.lexists(place)), None)
    if owner is None or owner.st_uid == 0:
        return
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:  # a card of another machine
        os.setgroups([owner.st_gid])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


@contextmanager
def open_queue(config: Config) -> Iterator[Outbox]:
    """The queue as every process but capture opens it."""
    with closing(Database(Layout.of(config.state))) as database:
        yield Outbox(database, boot_id())


def floor(layout: Layout) -> datetime:
    """The latest time that is certainly past, as capture has kept it."""
    return as_kept(TrustStore(layout).time().floor)


@contextmanager
def signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """End cleanly at SIGTERM and SIGINT; yields a list that holds which one it was."""
    kinds = (signal.SIGTERM, signal.SIGINT)
    told: list[int] = []

    def end(kind: int, _frame: object) -> None:
        if not told:  # a second one may come in the midst of the first
            told.append(kind)
            stop()

    before = [signal.signal(kind, end) for kind in kinds]
    try:
        yield told
    finally:
        for kind, old in zip(kinds, before, strict=True):
            signal.signal(kind, old)
