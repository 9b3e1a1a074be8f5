"""What releases up to 2026.11.2 left lies elsewhere: moved at capture's first start.

They had the database beside the records, the time floor and the manifest within it, and the keys
in one folder with everybody's.
"""

import errno
import logging
import os
import sqlite3  # noqa: TID251 - with database.py the door
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Final

from agent.errors import StateHeld
from agent.queue.bounds import limited, said
from agent.queue.disk import (
    LOCK_PATIENCE_S,
    RECORD_MODE,
    disk_errors,
    held,
    lock,
    make_way,
    sync_folder,
)
from agent.queue.opening import HELD, open_database, parts
from agent.queue.paths import PRIVATE_MODE, QUEUE_MODE, Layout, make_folder

_log = logging.getLogger(__name__)

STAGE: Final = "queue.moving"
"""Where the database and its log wait for each other: they are nothing one without the other."""

_MARK: Final = "rebuild"

TAKEN: Final = ("time_floor", "manifest_version")
"""Facts that are kept elsewhere from now on."""

_WIPED: Final = (*TAKEN, "manifest", "manifest_offered", "manifest_etag", "manifest_refused")

Keep = Callable[[Mapping[str, str]], None]
"""Keeps the facts of TAKEN that the old database had; durable when it returns."""


def move_in(layout: Layout, keep: Keep) -> None:
    """Bring the old database, its facts and the old keys to their places, where there are any.

    Before anything opens them, under `capture.lock`. A power cut at any point leaves what the next
    start moves on: the database comes into `queue/` by one rename, together with its log, and
    without the facts, so that nobody can put others there to be taken.

    Raises:
        StateHeld: a process of the old release still uses the database.
        StorageFault: the disk failed.
    """
    with disk_errors("cannot move what an earlier release left"):
        _move_keys(layout)
        stage = layout.state / STAGE
        if _is_plain(layout.state / layout.database.name) or stage.is_dir():
            make_way(layout.ballast)
            try:
                with lock(layout.state_lock, exclusive=True, wait=True):
                    _close_records(layout)
                    _gather(layout, stage)
                    _take_facts(stage / layout.database.name, keep)
                    _move_queue(layout, stage)
            except StateHeld as error:  # presses go on with a queue of their own
                _log.error("event=not_moved error=%r meaning=the_next_start_does", str(error))


def _close_records(layout: Layout) -> None:
    """Sync could write them; now it reads them."""
    for folder in (layout.records, layout.torn):
        with os.scandir(folder) as entries:
            for path in (Path(entry.path) for entry in entries):
                with suppress(OSError):
                    if _is_plain(path):
                        path.chmod(RECORD_MODE)


def _gather(layout: Layout, stage: Path) -> None:
    """First the log, last the database itself; the index of the log is made anew."""
    old = layout.state / layout.database.name
    make_folder(stage, QUEUE_MODE)
    log, index, database = parts(old)
    index.unlink(missing_ok=True)
    for part in (log, layout.state / _MARK, database):
        if _is_plain(part):
            part.rename(stage / part.name)
    sync_folder(stage)
    if asides := sorted(layout.state.glob(f"{old.name}.aside-*")):
        folder = _free_aside(layout)
        folder.mkdir(PRIVATE_MODE)
        for aside in asides:
            aside.rename(folder / aside.name)
    sync_folder(layout.state)


def _take_facts(database: Path, keep: Keep) -> None:
    """Read and delete them; a broken queue has none, and is made again in its new place.

    Where deleting fails, which a full card may do, they stay: they are not taken twice.
    """
    what = "facts_lost"
    try:
        with (
            limited(),
            closing(open_database(database, migrates=True, patience_s=LOCK_PATIENCE_S)) as sql,
        ):
            found = sql.execute("SELECT name, text FROM facts WHERE name IN (?, ?)", TAKEN)
            keep({row["name"]: row["text"] for row in found.fetchall()})
            what = "facts_left"
            sql.executemany("DELETE FROM facts WHERE name = ?", [(name,) for name in _WIPED])
            sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in HELD:
            raise StateHeld(held(database, LOCK_PATIENCE_S)) from error
        _log.error("event=%s error=%r", what, said(error))


def _move_queue(layout: Layout, stage: Path) -> None:
    if _is_unused(layout):
        with suppress(FileNotFoundError):
            _take_away(layout)
        stage.rename(layout.queue)
    else:  # somebody went back to the earlier release meanwhile
        stage.rename(_free_aside(layout))
    sync_folder(layout.state)
    _log.info("event=queue_moved")


def _is_unused(layout: Layout) -> bool:
    """Whether `queue/` holds no more than what tmpfiles.d makes."""
    return all(not _is_plain(part) or part.stat().st_size == 0 for part in parts(layout.database))


def _take_away(layout: Layout) -> None:
    """Remove `queue/`; where another process has put anything else there, set it aside."""
    try:
        for part in parts(layout.database):
            part.unlink(missing_ok=True)
        layout.queue.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR}:
            raise
        layout.queue.rename(_free_aside(layout))


def _free_aside(layout: Layout) -> Path:
    return next(path for path in map(layout.aside, count(1)) if not path.exists())


def _move_keys(layout: Layout) -> None:
    """Each key that has no namesake at its new place; another device's key stays where it is."""
    moved = 0
    for key in sorted(layout.keys.glob("*.pem")):
        target = layout.capture_keys / key.name
        if _is_plain(key) and not os.path.lexists(target):
            key.rename(target)
            moved += 1
    if moved:
        sync_folder(layout.capture_keys)
        sync_folder(layout.keys)
        _log.info("event=keys_moved count=%d", moved)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
