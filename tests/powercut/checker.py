"""What must be so after a power cut, a restart on what it left, and a second restart."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final

from agent import signing, verify
from agent.database import Database
from agent.layout import Layout
from agent.models import Kind, State
from agent.outbox import Item
from agent.reread import reread
from tests.agent.benchtop import Bench
from tests.powercut.stage import Row, Stage, Told, Version, read_queue

LATER_S: Final = 1e6
"""CLOCK_BOOTTIME later than any due time that a scenario books."""

_WITH_FILE: Final = frozenset({State.PENDING, State.REFUSED, State.DELIVERED})


@dataclass(frozen=True, slots=True)
class Found:
    """The state folder: rows by capture_id, the time floor, digests of files by name."""

    rows: dict[str, Row]
    floor: str | None
    files: dict[str, str]
    torn: frozenset[str]


def check(stage: Stage, told: Told, log_bytes: int, made: frozenset[str] = frozenset()) -> list[str]:
    """Restart the product twice on a disk cut at `log_bytes`; every promise that is broken.

    `made` are records that were made after the cut.
    """
    with stage.open() as device:
        found = look(device.layout)
    faults = [
        *_kept(told, log_bytes, found),
        *_rows(told, log_bytes, found, made),
        *_files(found),
        *_chain(device.layout, found, may_gap=bool(told.lost)),
    ]
    with stage.open() as device:
        again = look(device.layout)
        if again != found:
            faults.append(f"a second restart changes: {_difference(found, again)}")
        faults += [*_goes_on(device, found), *_sends(device)]
        after = look(device.layout)
    return [*faults, *_files(after), *_chain(device.layout, after, may_gap=bool(told.lost))]


def look(layout: Layout) -> Found:
    """Read everything, by the product's own door."""
    with closing(Database(layout)) as database, database.look() as sql:
        rows, floor = read_queue(sql)
        sound = [row[0] for row in sql.execute("PRAGMA integrity_check")]
    if sound != ["ok"]:
        raise AssertionError(f"the database is not sound: {sound}")
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in layout.records.iterdir()
    }
    torn = frozenset(path.name for path in layout.torn.iterdir())
    return Found(rows, floor, files, torn)


def _kept(told: Told, log_bytes: int, found: Found) -> Iterator[str]:
    """What the driver saw as kept is there with its row, which needed no sweep to be found."""
    for shown in told.shown:
        if shown.log_bytes > log_bytes:
            continue
        row = found.rows.get(shown.capture_id)
        if row is None:
            yield f"shown as kept, but lost: {shown.capture_id}"
        elif row["adopted"]:
            yield f"shown as kept before its row was: {shown.capture_id}"


def _rows(told: Told, log_bytes: int, found: Found, made: frozenset[str]) -> Iterator[str]:
    """Each row is as last promised, as the change in hand has it, or what a sweep makes of that."""
    possible = told.possible(log_bytes)
    known = told.known()
    lost = {name for name, since in told.lost.items() if since <= log_bytes}
    if found.floor not in {version.floor for version in possible}:
        yield f"the time floor is {found.floor}"
    for name in found.rows.keys() | possible[0].rows.keys():
        row = found.rows.get(name)
        if name in made or (row and name not in known and _is_new_chain(possible[0], row)):
            continue
        allowed = [
            one
            for version in possible
            for one in _swept(version.rows.get(name), known.get(name), may_be_gone=name in lost)
        ]
        if row not in allowed:
            yield f"row {name} is {_briefly(row)}, promised {[_briefly(one) for one in allowed]}"


def _swept(row: Row | None, known: Row | None, *, may_be_gone: bool) -> list[Row | None]:
    """What a restart may make of a row, or of a file that has none."""
    if row is None:
        return [None, *([_adopted(known)] if known else [])]
    if not may_be_gone:
        return [row]
    match State(row["state"]):
        case State.DELIVERED:
            return [row, row | {"state": State.PRUNED}]
        case State.PENDING | State.REFUSED:
            return [row, row | {"state": State.DAMAGED, "answer": "its file is gone"}]
        case State.PRUNED | State.DAMAGED:
            return [row]


def _adopted(row: Row) -> Row:
    raise NotImplementedError
