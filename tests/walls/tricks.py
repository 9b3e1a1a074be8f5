"""What a process that was taken over tries on the others: one row per trick.

Whoever reads this table sees what each wall is for, and what there was before it.
"""

import fcntl
import json
import os
import socket
import sqlite3  # noqa: TID251 - it writes what the product's door would not
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.queue.paths import Layout
from tests.agent.queue.test_lies import STRANGE, UNBELIEVABLE, lay_journal

SYNC, PRUNE, MEMBER = "doorstep-sync", "doorstep-prune", "technician"
"""Who faces the network, who deletes, and any other member of the group."""


@dataclass(frozen=True, slots=True)
class Trick:
    """One row.

    Attributes:
        what: what is tried, in words.
        user: by whom.
        act: how.
        is_refused: whether the kernel refuses it; else what follows must be harmless.
        before: what it did to 2026.11.2, as far as it is known.
        at_rest: whether it is tried while capture is stopped.
    """

    what: str
    user: str
    act: Callable[[Layout], object]
    is_refused: bool = False
    before: str = ""
    at_rest: bool = False

    def __str__(self) -> str:
        who = self.user.removeprefix("doorstep-")
        return f"{who}: {self.what}".replace(" ", "_")


def _a_record(layout: Layout) -> Path:
    return min(layout.records.glob("*.rec"))


def _sql(*statements: str, values: tuple[Any, ...] = ()) -> Callable[[Layout], object]:
    def act(layout: Layout) -> object:
        sql = sqlite3.connect(layout.database, isolation_level=None)
        for statement in statements:
            sql.execute(statement, values if "?" in statement else ())
        return sql

    return act


def _poison(column: str, value: object) -> Callable[[Layout], object]:
    newest = "(SELECT max(number) FROM captures)"
    return _sql(f"UPDATE captures SET {column} = ? WHERE number = {newest}", values=(value,))


def _lie(change: str) -> Callable[[Layout], object]:
    return _sql(f"UPDATE captures SET {change}")


def _truncate(path: Path) -> None:
    os.truncate(path, 0)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink(missing_ok=True)
    make(path)


def _swap_folder(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.old"))
    path.mkdir()


def _link_folder(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.old"))
    path.symlink_to("/tmp")


def _on(name: str, act: Callable[[Path], object]) -> Callable[[Layout], object]:
    return lambda layout: act(layout.state / name)


def _hold(path: Path, kind: int) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, kind)
    return descriptor


def _hold_index(layout: Layout) -> int:
    """Every lock of the log's index, as SQLite takes them; see sqlite.org/walformat.html, 2.3."""
    descriptor = os.open(f"{layout.database}-shm", os.O_RDWR)
    fcntl.fcntl(descriptor, fcntl.F_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 120, 3, 0))
    return descriptor


def _fill(layout: Layout) -> None:
    for number in range(5_000):
        (layout.queue / f"doorstep.db-{number}").touch()


def _take_socket(layout: Layout) -> socket.socket:
    """Answer in capture's place."""
    layout.capture_socket.unlink()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(layout.capture_socket))
    return listening


def _closed_folder(layout: Layout) -> None:
    """Named like a record, and nobody else's to read or to move."""
    folder = layout.record("00000000-0000-4000-8000-000000000000")
    folder.mkdir(0o700)
    (folder / "deep").touch()


def _closed_file(layout: Layout) -> None:
    layout.record("00000000-0000-4000-8000-000000000001").touch(0o600)


def _garbage(layout: Layout) -> None:
    layout.record("00000000-0000-4000-8000-000000000002").write_bytes(b"eyJ" * 1000)


def _pipe(layout: Layout) -> None:
    os.mkfifo(layout.record("00000000-0000-4000-8000-000000000003"))


def _next_number(layout: Layout) -> object:
    """A row that has the number of the next record already, and the one after it."""
    columns = [name for name in _columns(layout) if name not in {"number", "capture_id", "seq"}]
    listed = ", ".join(columns)
    return _sql(
        *(
            f"INSERT INTO captures (number, capture_id, seq, {listed})"
            f" SELECT {number}, '00000000-0000-4000-8000-00000000000{number % 10}',"
            f" max(seq) + 1, {listed} FROM captures"
            for number in (9_001, 9_002)
        )
    )(layout)


def _columns(layout: Layout) -> list[str]:
    found = sqlite3.connect(layout.database).execute("PRAGMA table_info(captures)")
    return [str(row[1]) for row in found]


def _document(layout: Layout, name: str) -> Path:
    return layout.trust / name


_OWNED: Final = "all of the state folder was the group's to write: "
_LOST: Final = _OWNED + "the record was lost"
_TOLD: Final = "a crash at every start, until somebody deleted the queue by hand"
_STUCK: Final = "capture waited for ever, and so did every press"

RECORDS: Final = [
    Trick("deletes a record", SYNC, lambda at: _a_record(at).unlink(), True, _LOST),
    Trick("empties a record", SYNC, lambda at: _truncate(_a_record(at)), True, _LOST),
    Trick(
        "renames a record",
        SYNC,
        lambda at: _a_record(at).rename(at.records / "x"),
        True,
        _OWNED + "the record was DAMAGED, and its bytes anywhere",
    ),
    Trick(
        "alters a record",
        SYNC,
        lambda at: _a_record(at).open("r+b").write(b"x"),
        True,
        _OWNED + "what was altered did not verify, and was as good as lost",
    ),
    Trick(
        "puts a file of its own beside the records",
        SYNC,
        lambda at: (at.records / "mine.rec").touch(),
        True,
        "it was moved to torn/, unless it was another user's folder: then a crash at each start",
    ),
    Trick("deletes a record", MEMBER, lambda at: _a_record(at).unlink(), True, _LOST),
    Trick("empties a record", PRUNE, lambda at: _truncate(_a_record(at)), True, _LOST),
    Trick("lays a closed folder beside the records", PRUNE, _closed_folder, before=_TOLD),
    Trick("lays a closed file beside the records", PRUNE, _closed_file, before=_TOLD),
    Trick("lays garbage beside the records", PRUNE, _garbage),
    Trick("lays a pipe beside the records", PRUNE, _pipe),
]

PLACES: Final = [
    Trick(
        f"swaps {name}",
        user,
        _on(name, _swap_folder),
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
    Trick(
        f"puts a link in place of {name}",
        SYNC,
        _on(name, _link_folder),
        True,
        _OWNED + "capture wrote where the link led",
    )
    for name in ("queue", "torn", "records", "capture.lock", "state.lock", "sync.lock", "ballast")
]

KEYS: Final = [
    Trick(
        "reads the signing key",
        user,
        lambda at: (at.capture_keys / "device.pem").read_bytes(),
        True,
        "refused too; but the folder itself could be swapped",
    )
    for user in (SYNC, PRUNE, MEMBER)
] + [
    Trick(
        "writes a key of its own",
        SYNC,
        lambda at: (at.capture_keys / "device.pem").write_bytes(b"mine"),
        True,
    ),
    Trick("reads sync's keys", PRUNE, lambda at: list(at.sync_keys.iterdir()), True),
]

TRUST: Final = [
    Trick(
        "rolls the manifest's version back",
        SYNC,
        lambda at: _document(at, "manifest.version").write_text("1"),
        True,
        "one UPDATE of the database: an older manifest, and photos where it allowed them",
    ),
    Trick(
        "lays an old manifest",
        SYNC,
        lambda at: _replace(_document(at, "manifest.jws"), lambda path: path.write_text("old")),
        True,
        "one UPDATE of the database",
    ),
    Trick(
        "sets the time floor to the year 9999",
        SYNC,
        lambda at: _document(at, "time.json").write_text(json.dumps({"floor": "9999"})),
        True,
        "one UPDATE of the database: every manifest had ended, for good",
    ),
]

SOCKETS: Final = [
    Trick(
        "removes capture's socket",
        SYNC,
        lambda at: at.capture_socket.unlink(),
        True,
        "nobody could ask capture until its next start",
    ),
    Trick(
        "answers in capture's place",
        SYNC,
        _take_socket,
        True,
        "status and doctor told what sync wanted them to",
    ),
    Trick("removes capture's socket", MEMBER, lambda at: at.capture_socket.unlink(), True),
]

LOCKS: Final = [
    Trick(
        "opens capture's lock",
        SYNC,
        lambda at: _hold(at.capture_lock, fcntl.LOCK_SH),
        True,
        "capture did not start while it was held: stopped for good",
    ),
    Trick("holds state.lock", SYNC, lambda at: _hold(at.state_lock, fcntl.LOCK_EX), before=_STUCK),
    Trick("holds sync.lock", SYNC, lambda at: _hold(at.sync_lock, fcntl.LOCK_EX)),
    Trick(
        "begins a write and never ends it",
        SYNC,
        _sql("BEGIN IMMEDIATE"),
        before="every press was red after 10 s, and capture did not start",
    ),
    Trick("begins a read and never ends it", SYNC, _sql("BEGIN", "SELECT * FROM captures")),
    Trick(
        "holds every lock of the log", SYNC, _hold_index, before="as above: capture did not start"
    ),
]

FILES: Final = [
    Trick(
        "puts a link to a record in place of the database",
        SYNC,
        lambda at: _replace(at.database, lambda path: path.symlink_to(_a_record(at))),
        before="capture opened what the link led to",
    ),
    Trick(
        "puts a closed file in place of the database",
        SYNC,
        lambda at: _replace(at.database, lambda path: path.touch(0o600)),
        before=_TOLD,
    ),
    Trick(
        "puts a pipe in place of the database",
        SYNC,
        lambda at: _replace(at.database, os.mkfifo),
        before=_TOLD,
    ),
    Trick(
        "puts a folder in place of the database",
        SYNC,
        lambda at: _replace(at.database, lambda path: path.mkdir()),
        before=_TOLD,
    ),
    Trick("deletes the database", SYNC, lambda at: at.database.unlink(), before="made again"),
    Trick("empties the database", SYNC, lambda at: _truncate(at.database), before="made again"),
    Trick(
        "marks the database as one of a later SQLite",
        SYNC,
        lambda at: os.pwrite(os.open(at.database, os.O_RDWR), b"\x09\x09", 18),
        at_rest=True,
        before=_TOLD,
    ),
    Trick("empties the log", SYNC, lambda at: _truncate(Path(f"{at.database}-wal"))),
    Trick(
        "empties the index of the log, which capture has in its memory",
        SYNC,
        lambda at: _truncate(Path(f"{at.database}-shm")),
        before="capture was killed by SIGBUS, and started again",
    ),
    Trick(
        "lays a journal that has SQLite delete a record",
        SYNC,
        lambda at: lay_journal(at, _a_record(at)),
        at_rest=True,
        before="capture deleted the record when it opened the queue",
    ),
    Trick(
        "lays a journal that has SQLite delete the key",
        MEMBER,
        lambda at: lay_journal(at, at.capture_keys / "device.pem"),
        at_rest=True,
        before="capture deleted its key: a new chain, signed by a new one",
    ),
    Trick("fills queue/ with files", SYNC, _fill, before="nothing; nobody removed them either"),
    Trick(
        "makes a link of the rebuild mark",
        SYNC,
        lambda at: at.rebuild_mark.symlink_to(at.records / "made-by-capture"),
        before="whoever found the queue broken made the file that it named",
    ),
]

ROWS: Final = [
    Trick("deletes every row", SYNC, _sql("DELETE FROM captures"), before="back at the next start"),
    Trick("gives the next number to rows of its own", SYNC, _next_number, before=_TOLD),
    Trick(
        "calls everything delivered",
        SYNC,
        _lie("state = 'DELIVERED', decision = 'a.b.c'"),
        before="never sent: lost to the backend, though never deleted",
    ),
    Trick(
        "calls everything pruned",
        SYNC,
        _lie("state = 'PRUNED'"),
        before="never sent, and no alarm",
    ),
    Trick(
        "calls everything refused",
        SYNC,
        _lie("state = 'REFUSED', decision = 'a.b.c'"),
        before="an alarm; `queue retry` sent it",
    ),
    Trick(
        "calls everything damaged",
        SYNC,
        _lie("state = 'DAMAGED'"),
        before="an alarm; `queue retry` sent it",
    ),
    Trick(
        "writes other digests",
        SYNC,
        _lie("sha256 = label_sha256"),
        before="DAMAGED for ever: `queue retry` did not help",
    ),
    Trick("writes other sizes", SYNC, _lie("bytes = bytes + 1"), before="DAMAGED for ever"),
    Trick(
        "writes other numbers of the chain",
        SYNC,
        _lie("seq = seq + 1000"),
        before="the chain had a gap from then on: it did not verify",
    ),
    Trick(
        "writes other digests of the labels",
        SYNC,
        _lie("label_sha256 = sha256"),
        before="the next label built on what never was: the chain did not verify",
    ),
    Trick("writes another chain", SYNC, _lie("chain = 'mine'"), before="as above"),
]

COLUMNS: Final = [
    Trick(
        f"poisons {column} with {str(value)[:20]!r}",
        SYNC,
        _poison(column, value),
        before=_TOLD if column in {"state", "seq", "number", "attempts"} else "",
        at_rest=True,
    )
    for column, value in dict(reversed(UNBELIEVABLE)).items()
]

SCHEMA: Final = [
    Trick(f"says {statement[:60]}", SYNC, _sql(statement), before=_TOLD if number < 2 else "")
    for number, statement in enumerate(STRANGE[:4])
]

TRICKS: Final = [
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
