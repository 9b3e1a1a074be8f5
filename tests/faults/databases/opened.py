"""Opens a hostile database in a process of its own, under the limit of a unit."""

import os
import resource
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import DoorstepError
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.queue.readonly import ReadOnlyDatabase

MORE_BYTES: Final = 96 * 2**20
"""Memory that the process may add: SQLite's share, its thread's stack, and a row."""


def _migrate(layout: Layout) -> None:
    with closing(Database(layout, migrates=True)) as database:
        Outbox(database, "boot").states()


def _step(layout: Layout) -> None:
    with closing(Database(layout)) as database:
        outbox = Outbox(database, "boot")
        outbox.claim(1e6, due_s=1e6)
        outbox.counts()
        outbox.dated_by()


def _look(layout: Layout) -> None:
    reader = OutboxReader(ReadOnlyDatabase(layout), "boot")
    reader.counts()
    reader.is_shut_out()
    reader.items(None, 0, 100)


WAYS: Final[dict[str, Callable[[Layout], None]]] = {
    "capture": _migrate,
    "sync": _step,
    "serve": _look,
}
"""The way in which each process opens the queue."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The result of opening a database.

    Attributes:
        said: the name of the error; "sound" of a queue that could be used, "killed by N" of a
            process that a signal ended.
        took_s: processor time of the process, in seconds.
    """

    said: str
    took_s: float


def opened(layout: Layout, way: str) -> Opened:
    """Open the queue in a child that has little memory and 60 s; return the result."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_AS, (_now_bytes() + MORE_BYTES,) * 2)
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
            os.write(writing, _said(layout, way).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        said = told.read().decode()
    _, status, used = os.wait4(pid, 0)
    ended = os.waitstatus_to_exitcode(status)
    return Opened(said or f"killed by {-ended}", used.ru_utime + used.ru_stime)


def _said(layout: Layout, way: str) -> str:
    try:
        WAYS[way](layout)
    except DoorstepError as error:
        return f"{type(error).__name__}: {error}"
    except BaseException as error:  # noqa: BLE001 - what nothing catches ends a process
        return f"bug: {error!r}"[:500]
    return "sound"


def _now_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()
