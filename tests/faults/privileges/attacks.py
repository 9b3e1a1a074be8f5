"""Attacks of a process that was taken over on the others: one row per attack.

Whoever reads this table sees what each wall is for.
agent/docs/security.md says what the main ones lead to.
"""

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.queue.paths import Layout
from tests.faults.privileges.resources import (
    a_record,
    crowd,
    document,
    fill,
    fill_deep,
    hold,
    hold_index,
    lie,
    link_folder,
    next_number,
    on,
    poison,
    replace,
    sql,
    swap_folder,
    take_socket,
    truncate,
)
from tests.unit.agent.queue.test_lies import STRANGE, UNBELIEVABLE, lay_journal

SYNC, MEMBER = "doorstep-sync", "technician"
"""Users of the process with the network, and of another group member."""


@dataclass(frozen=True, slots=True)
class Attack:
    """A row of the table.

    Attributes:
        what: what is tried, in words.
        user: by whom.
        act: how.
        is_refused: whether the kernel refuses it; else what follows must be harmless.
        at_rest: whether it is tried while capture is stopped.
        read_only: whether the folders are what they are in serve's unit: to be read only.
    """

    what: str
    user: str
    act: Callable[[Layout], object]
    is_refused: bool = False
    at_rest: bool = False
    read_only: bool = False

    def __str__(self) -> str:
        who = self.user.removeprefix("doorstep-")
        place = " in its unit" if self.read_only else ""
        return f"{who}{place}: {self.what}".replace(" ", "_")


RECORDS: Final = [
    Attack("deletes a record", SYNC, lambda at: a_record(at).unlink(), True),
    Attack("empties a record", SYNC, lambda at: truncate(a_record(at)), True),
    Attack("renames a record", SYNC, lambda at: a_record(at).rename(at.records / "x"), True),
    Attack("alters a record", SYNC, lambda at: a_record(at).open("r+b").write(b"x"), True),
    Attack(
        "puts a file of its own beside the records",
        SYNC,
        lambda at: (at.records / "mine.rec").touch(),
        True,
    ),
    Attack("deletes a record", MEMBER, lambda at: a_record(at).unlink(), True),
    Attack(
        "writes a receipt", SYNC, lambda at: at.receipt(a_record(at).stem).write_text("x"), True
    ),
]

PLACES: Final = [
    Attack(f"swaps {name}", user, on(name, swap_folder), True)
    for user in (SYNC, MEMBER)
    for name in ("keys", "records", "receipts", "queue", "trust")
] + [
    Attack(f"puts a link in place of {name}", SYNC, on(name, link_folder), True)
    for name in ("queue", "torn", "records", "capture.lock", "state.lock", "sync.lock", "ballast")
]

KEYS: Final = [
    Attack(
        "reads the signing key",
        user,
        lambda at: (at.capture_keys / "device.pem").read_bytes(),
        True,
    )
    for user in (SYNC, MEMBER)
] + [
    Attack(
        "writes a key of its own",
        SYNC,
        lambda at: (at.capture_keys / "device.pem").write_bytes(b"mine"),
        True,
    ),
    Attack("reads sync's keys", MEMBER, lambda at: list(at.sync_keys.iterdir()), True),
]

TRUST: Final = [
    Attack(
        "rolls the manifest's version back",
        SYNC,
        lambda at: document(at, "manifest.version").write_text("1"),
        True,
    ),
    Attack(
        "lays an old manifest",
        SYNC,
        lambda at: replace(document(at, "manifest.jws"), lambda path: path.write_text("old")),
        True,
    ),
    Attack(
        "sets the time floor to the year 9999",
        SYNC,
        lambda at: document(at, "time.json").write_text(json.dumps({"floor": "9999"})),
        True,
    ),
    Attack(
        "has serve's certificate made for a key of its own",
        SYNC,
        lambda at: (at.trust / "serve.csr").write_text("another request"),
        True,
    ),
]

SOCKETS: Final = [
    Attack("removes capture's socket", SYNC, lambda at: at.capture_socket.unlink(), True),
    Attack("answers in capture's place", SYNC, take_socket, True),
    Attack("removes capture's socket", MEMBER, lambda at: at.capture_socket.unlink(), True),
    Attack("takes every place at capture's socket", SYNC, crowd),
]

LOCKS: Final = [
    Attack("opens capture's lock", SYNC, lambda at: hold(at.capture_lock, fcntl.LOCK_SH), True),
    Attack("holds state.lock", SYNC, lambda at: hold(at.state_lock, fcntl.LOCK_EX)),
    Attack("holds sync.lock", SYNC, lambda at: hold(at.sync_lock, fcntl.LOCK_EX)),
    Attack("begins a write and never ends it", SYNC, sql("BEGIN IMMEDIATE")),
    Attack("begins a read and never ends it", SYNC, sql("BEGIN", "SELECT * FROM captures")),
    Attack("holds every lock of the log", SYNC, hold_index),
]

FILES: Final = [
    Attack("deletes the database", SYNC, lambda at: at.database.unlink()),
    Attack("nests folders in queue/, and fills one", SYNC, fill_deep, at_rest=True),
    Attack(
        "puts a link to a record in place of the database",
        SYNC,
        lambda at: replace(at.database, lambda path: path.symlink_to(a_record(at))),
    ),
    Attack(
        "puts a closed file in place of the database",
        SYNC,
        lambda at: replace(at.database, lambda path: path.touch(0o600)),
    ),
    Attack(
        "puts a pipe in place of the database", SYNC, lambda at: replace(at.database, os.mkfifo)
    ),
    Attack(
        "puts a folder in place of the database",
        SYNC,
        lambda at: replace(at.database, lambda path: path.mkdir()),
    ),
    Attack("empties the database", SYNC, lambda at: truncate(at.database)),
    Attack(
        "marks the database as one of a later SQLite",
        SYNC,
        lambda at: os.pwrite(os.open(at.database, os.O_RDWR), b"\x09\x09", 18),
        at_rest=True,
    ),
    Attack("empties the log", SYNC, lambda at: truncate(Path(f"{at.database}-wal"))),
    Attack(
        "empties the index of the log, which capture has in its memory",
        SYNC,
        lambda at: truncate(Path(f"{at.database}-shm")),
    ),
    Attack(
        "lays a journal that has SQLite delete a record",
        SYNC,
        lambda at: lay_journal(at, a_record(at)),
        at_rest=True,
    ),
    Attack(
        "lays a journal that has SQLite delete the key",
        MEMBER,
        lambda at: lay_journal(at, at.capture_keys / "device.pem"),
        at_rest=True,
    ),
    Attack("fills queue/ with files", SYNC, fill),
    Attack(
        "makes a link of the rebuild mark",
        SYNC,
        lambda at: at.rebuild_mark.symlink_to(at.records / "made-by-capture"),
    ),
]

ROWS: Final = [
    Attack("deletes every row", SYNC, sql("DELETE FROM captures")),
    Attack("gives the next number to rows of its own", SYNC, next_number),
    Attack("calls everything delivered", SYNC, lie("state = 'DELIVERED', decision = 'a.b.c'")),
    Attack("calls everything pruned", SYNC, lie("state = 'PRUNED'")),
    Attack("calls everything refused", SYNC, lie("state = 'REFUSED', decision = 'a.b.c'")),
    Attack("calls everything damaged", SYNC, lie("state = 'DAMAGED'")),
    Attack("writes other digests", SYNC, lie("sha256 = label_sha256")),
    Attack("writes other sizes", SYNC, lie("bytes = bytes + 1")),
    Attack("writes other numbers of the chain", SYNC, lie("seq = seq + 1000")),
    Attack("writes other digests of the labels", SYNC, lie("label_sha256 = sha256")),
    Attack("writes another chain", SYNC, lie("chain = 'mine'")),
]

COLUMNS: Final = [
    Attack(f"poisons {column} with {str(value)[:20]!r}", SYNC, poison(column, value), at_rest=True)
    for column, value in dict(reversed(UNBELIEVABLE)).items()
]

SCHEMA: Final = [
    Attack(f"says {statement[:60]}", SYNC, sql(statement)) for statement in STRANGE[:4]
]

ATTACKS: Final = [
    *RECORDS,
    *PLACES,
    *KEYS,
    *TRUST,
    *SOCKETS,
    *LOCKS,
    *FILES,
    *ROWS,
    *COLUMNS,
    *SCHEMA,
]
