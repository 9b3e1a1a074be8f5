"""Acts with which a process that was taken over can attack the state folder."""

import fcntl
import os
import socket
import sqlite3  # noqa: TID251 - it writes what the product would not
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.errors import DoorstepError
from agent.process import control
from agent.queue.paths import Layout
from tests.support.filled import fill as fill_folder
from tests.support.filled import nest


def a_record(layout: Layout) -> Path:
    return min(layout.records.glob("*.rec"))


def sql(*statements: str, values: tuple[Any, ...] = ()) -> Callable[[Layout], object]:
    def act(layout: Layout) -> object:
        sql = sqlite3.connect(layout.database, isolation_level=None)
        for statement in statements:
            sql.execute(statement, values if "?" in statement else ())
        return sql

    return act


def poison(column: str, value: object) -> Callable[[Layout], object]:
    newest = "(SELECT max(number) FROM captures)"
    return sql(f"UPDATE captures SET {column} = ? WHERE number = {newest}", values=(value,))


def lie(change: str) -> Callable[[Layout], object]:
    return sql(f"UPDATE captures SET {change}")


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink(missing_ok=True)
    make(path)


def swap_folder(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.old"))
    path.mkdir()


def link_folder(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.old"))
    path.symlink_to("/tmp")


def on(name: str, act: Callable[[Path], object]) -> Callable[[Layout], object]:
    return lambda layout: act(layout.state / name)


def hold(path: Path, kind: int) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, kind)
    return descriptor


def hold_index(layout: Layout, kind: int = fcntl.F_WRLCK) -> int:
    """Every lock of the log's index, as SQLite takes them; see sqlite.org/walformat.html, 2.3.

    For F_RDLCK reading is enough, and who writes waits for those too.
    """
    mode = os.O_RDWR if kind == fcntl.F_WRLCK else os.O_RDONLY
    descriptor = os.open(f"{layout.database}-shm", mode)
    fcntl.fcntl(descriptor, fcntl.F_SETLK, struct.pack("hhqqi", kind, 0, 120, 3, 0))
    return descriptor


def fill(layout: Layout) -> None:
    for number in range(5_000):
        (layout.queue / f"doorstep.db-{number}").touch()


def fill_deep(layout: Layout) -> None:
    """Folders deeper than any path can name, and names for several turns of capture."""
    nest(layout.queue / "deep", 1_100)
    fill_folder(layout.queue / "many", 5_000)
    (layout.queue / "many").chmod(0o770)


def take_socket(layout: Layout) -> socket.socket:
    """Answer in capture's place."""
    layout.capture_socket.unlink()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(layout.capture_socket))
    return listening


def next_number(layout: Layout) -> object:
    """A row that has the number of the next record already, and the one after it."""
    columns = [name for name in _columns(layout) if name not in {"number", "capture_id", "seq"}]
    listed = ", ".join(columns)
    return sql(
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


def document(layout: Layout, name: str) -> Path:
    return layout.trust / name


def offer(layout: Layout) -> None:
    """Documents of its own, which capture looks at and keeps none of."""
    for kind in ("manifest", "fleet", "evidence", "serve"):
        with suppress(DoorstepError):
            control.ask(layout.capture_socket, {"offer": kind, "text": "e30.e30.e30"}, 10.0)


def crowd(layout: Layout) -> list[socket.socket]:
    """More clients than one user may have, none of whom says anything."""
    held = []
    for _ in range(2 * control.CLIENTS_LIMIT):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(layout.capture_socket))
        held.append(client)
    return held
