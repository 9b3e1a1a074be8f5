"""What a process that was taken over tries on the others: one row per attack.

Whoever reads this table sees what each wall is for, and what there was before it.
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
    closed_file,
    closed_folder,
    document,
    fill,
    garbage,
    hold,
    hold_index,
    lie,
    link_folder,
    next_number,
    on,
    pipe,
    poison,
    replace,
    sql,
    swap_folder,
    take_socket,
    truncate,
)
from tests.unit.agent.queue.test_lies import STRANGE, UNBELIEVABLE, lay_journal

SYNC, PRUNE, MEMBER = "doorstep-sync", "doorstep-prune", "technician"
"""Who faces the network, who deletes, and any other member of the group."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One row.

    Attributes:
        what: what is tried, in words.
        user: by whom.
        act: how.
        is_refused: whether the kernel refuses it; else what follows must be harmless.
        before: what it did to 2026.11.2, as far as it is known.
        at_rest: whether it is tried while capture is stopped.
        read_only: whether the folders are what they are in serve's unit: to be read only.
    """

    what: str
    user: str
    act: Callable[[Layout], object]
    is_refused: bool = False
    before: str = ""
    at_rest: bool = False
    read_only: bool = False

    def __str__(self) -> str:
        who = self.user.removeprefix("doorstep-")
        place = " in its unit" if self.read_only else ""
        return f"{who}{place}: {self.what}".replace(" ", "_")


_OWNED: Final = "all of the state folder was the group's to write: "
_LOST: Final = _OWNED + "the record was lost"
_TOLD: Final = "a crash at every start, until somebody deleted the queue by hand"
_STUCK: Final = "capture waited for ever, and so did every press"

RECORDS: Final = [
    Attack("deletes a record", SYNC, lambda at: a_record(at).unlink(), True, _LOST),
    Attack("empties a record", SYNC, lambda at: truncate(a_record(at)), True, _LOST),
    Attack(
        "renames a record",
        SYNC,
        lambda at: a_record(at).rename(at.records / "x"),
        True,
        _OWNED + "the record was DAMAGED, and its bytes anywhere",
    ),
    Attack(
        "alters a record",
        SYNC,
        lambda at: a_record(at).open("r+b").write(b"x"),
        True,
        _OWNED + "what was altered did not verify, and was as good as lost",
    ),
    Attack(
        "puts a file of its own beside the records",
        SYNC,
        lambda at: (at.records / "mine.rec").touch(),
        True,
        "it was moved to torn/, unless it was another user's folder: then a crash at each start",
    ),
    Attack("deletes a record", MEMBER, lambda at: a_record(at).unlink(), True, _LOST),
    Attack("empties a record", PRUNE, lambda at: truncate(a_record(at)), True, _LOST),
    Attack("lays a closed folder beside the records", PRUNE, closed_folder, before=_TOLD),
    Attack("lays a closed file beside the records", PRUNE, closed_file, before=_TOLD),
    Attack("lays garbage beside the records", PRUNE, garbage),
    Attack("lays a pipe beside the records", PRUNE, pipe),
]

PLACES: Final = [
    Attack(
        f"swaps {name}",
        user,
        on(name, swap_folder),
        True,
        _OWNED + told,
    )
    for user in (SYNC, PRUNE, MEMBER)
    for name, told in (
        ("keys", "the device signed with the attacker's key from the next start on"),
        ("records", "all records were lost to the device"),
        ("queue", "did not exist; the database beside the records could be swapped"),
        ("trust", "did not exist; floor and manifest version lay in the database"),
    )
] + [
    Attack(
        f"puts a link in place of {name}",
        SYNC,
        on(name, link_folder),
        True,
        _OWNED + "capture wrote where the link led",
    )
    for name in ("queue", "torn", "records", "capture.lock", "state.lock", "sync.lock", "ballast")
]

KEYS: Final = [
    Attack(
        "reads the signing key",
        user,
        lambda at: (at.capture_keys / "device.pem").read_bytes(),
        True,
        "refused too; but the folder itself could be swapped",
    )
    for user in (SYNC, PRUNE, MEMBER)
] + [
    Attack(
        "writes a key of its own",
        SYNC,
        lambda at: (at.capture_keys / "device.pem").write_bytes(b"mine"),
        True,
    ),
    Attack("reads sync's keys", PRUNE, lambda at: list(at.sync_keys.iterdir()), True),
]

TRUST: Final = [
    Attack(
        "rolls the manifest's version back",
        SYNC,
        lambda at: document(at, "manifest.version").write_text("1"),
        True,
        "one UPDATE of the database: an older manifest, and photos where it allowed them",
    ),
    Attack(
        "lays an old manifest",
        SYNC,
        lambda at: replace(document(at, "manifest.jws"), lambda path: path.write_text("old")),
        True,
        "one UPDATE of the database",
    ),
    Attack(
        "sets the time floor to the year 9999",
        SYNC,
        lambda at: document(at, "time.json").write_text(json.dumps({"floor": "9999"})),
        True,
        "one UPDATE of the database: every manifest had ended, for good",
    ),
    Attack(
        "has serve's certificate made for a key of its own",
        SYNC,
        lambda at: (at.trust / "serve.csr").write_text("another request"),
        True,
        "there was none",
    ),
]

SOCKETS: Final = [
    Attack(
        "removes capture's socket",
        SYNC,
        lambda at: at.capture_socket.unlink(),
        True,
        "nobody could ask capture until its next start",
    ),
    Attack(
        "answers in capture's place",
        SYNC,
        take_socket,
        True,
        "status and doctor told what sync wanted them to",
    ),
    Attack("removes capture's socket", MEMBER, lambda at: at.capture_socket.unlink(), True),
]

LOCKS: Final = [
    Attack(
        "opens capture's lock",
        SYNC,
        lambda at: hold(at.capture_lock, fcntl.LOCK_SH),
        True,
        "capture did not start while it was held: stopped for good",
    ),
    Attack("holds state.lock", SYNC, lambda at: hold(at.state_lock, fcntl.LOCK_EX), before=_STUCK),
    Attack("holds sync.lock", SYNC, lambda at: hold(at.sync_lock, fcntl.LOCK_EX)),
    Attack(
        "begins a write and never ends it",
        SYNC,
        sql("BEGIN IMMEDIATE"),
        before="every press was red after 10 s, and capture did not start",
    ),
    Attack("begins a read and never ends it", SYNC, sql("BEGIN", "SELECT * FROM captures")),
    Attack(
        "holds every lock of the log", SYNC, hold_index, before="as above: capture did not start"
    ),
]

FILES: Final = [
    Attack(
        "puts a link to a record in place of the database",
        SYNC,
        lambda at: replace(at.database, lambda path: path.symlink_to(a_record(at))),
        before="capture opened what the link led to",
    ),
    Attack(
        "puts a closed file in place of the database",
        SYNC,
        lambda at: replace(at.database, lambda path: path.touch(0o600)),
        before=_TOLD,
    ),
    Attack(
        "puts a pipe in place of the database",
        SYNC,
        lambda at: replace(at.database, os.mkfifo),
        before=_TOLD,
    ),
    Attack(
        "puts a folder in place of the database",
        SYNC,
        lambda at: replace(at.database, lambda path: path.mkdir()),
        before=_TOLD,
    ),
    Attack("deletes the database", SYNC, lambda at: at.database.unlink(), before="made again"),
    Attack("empties the database", SYNC, lambda at: truncate(at.database), before="made again"),
    Attack(
        "marks the database as one of a later SQLite",
        SYNC,
        lambda at: os.pwrite(os.open(at.database, os.O_RDWR), b"\x09\x09", 18),
        at_rest=True,
        before=_TOLD,
    ),
    Attack("empties the log", SYNC, lambda at: truncate(Path(f"{at.database}-wal"))),
    Attack(
        "empties the index of the log, which capture has in its memory",
        SYNC,
        lambda at: truncate(Path(f"{at.database}-shm")),
        before="as now: capture is killed by SIGBUS, systemd starts it, the press is kept",
    ),
    Attack(
        "lays a journal that has SQLite delete a record",
        SYNC,
        lambda at: lay_journal(at, a_record(at)),
        at_rest=True,
        before="capture deleted the record when it opened the queue",
    ),
    Attack(
        "lays a journal that has SQLite delete the key",
        MEMBER,
        lambda at: lay_journal(at, at.capture_keys / "device.pem"),
        at_rest=True,
        before="capture deleted its key: a new chain, signed by a new one",
    ),
    Attack("fills queue/ with files", SYNC, fill, before="nothing; nobody removed them either"),
    Attack(
        "makes a link of the rebuild mark",
        SYNC,
        lambda at: at.rebuild_mark.symlink_to(at.records / "made-by-capture"),
        before="whoever found the queue broken made the file that it named",
    ),
]

ROWS: Final = [
    Attack("deletes every row", SYNC, sql("DELETE FROM captures"), before="back at the next start"),
    Attack("gives the next number to rows of its own", SYNC, next_number, before=_TOLD),
    Attack(
        "calls everything delivered",
        SYNC,
        lie("state = 'DELIVERED', decision = 'a.b.c'"),
        before="never sent: lost to the backend, though never deleted",
    ),
    Attack(
        "calls everything pruned",
        SYNC,
        lie("state = 'PRUNED'"),
        before="never sent, and no alarm",
    ),
    Attack(
        "calls everything refused",
        SYNC,
        lie("state = 'REFUSED', decision = 'a.b.c'"),
        before="an alarm; `queue retry` sent it",
    ),
    Attack(
        "calls everything damaged",
        SYNC,
        lie("state = 'DAMAGED'"),
        before="an alarm; `queue retry` sent it",
    ),
    Attack(
        "writes other digests",
        SYNC,
        lie("sha256 = label_sha256"),
        before="DAMAGED for ever: `queue retry` did not help",
    ),
    Attack("writes other sizes", SYNC, lie("bytes = bytes + 1"), before="DAMAGED for ever"),
    Attack(
        "writes other numbers of the chain",
        SYNC,
        lie("seq = seq + 1000"),
        before="the chain had a gap from then on: it did not verify",
    ),
    Attack(
        "writes other digests of the labels",
        SYNC,
        lie("label_sha256 = sha256"),
        before="the next label built on what never was: the chain did not verify",
    ),
    Attack("writes another chain", SYNC, lie("chain = 'mine'"), before="as above"),
]

COLUMNS: Final = [
    Attack(
        f"poisons {column} with {str(value)[:20]!r}",
        SYNC,
        poison(column, value),
        before=_TOLD if column in {"state", "seq", "number", "attempts"} else "",
        at_rest=True,
    )
    for column, value in dict(reversed(UNBELIEVABLE)).items()
]

SCHEMA: Final = [
    Attack(f"says {statement[:60]}", SYNC, sql(statement), before=_TOLD if number < 2 else "")
    for number, statement in enumerate(STRANGE[:4])
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
