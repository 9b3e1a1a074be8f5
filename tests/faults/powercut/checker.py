"""The promises after a power cut, a restart on the remains, and a second restart."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from agent.errors import ExitCode, RecordDamaged
from agent.models import Item, RecordKind, RecordState
from agent.queue.database import Database
from agent.queue.labels import first_line
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record import signing, verify
from agent.sync.read_verified import read_verified
from tests.faults.powercut.promise_log import PromiseLog, Row
from tests.faults.powercut.stage import Stage, digest, has_time, read_queue
from tests.support.benchtop import Bench
from tests.support.device import Device
from tests.support.sealed import unpack

LATER_S: Final = 1e6
"""CLOCK_BOOTTIME later than any due time that a scenario books."""

_SMALL: Final = {"kind": "simulated", "width_px": 320, "height_px": 240}
"""A camera whose scenes are drawn at once."""

_ADOPTED: Final[dict[str, Any]] = {
    "state": RecordState.PENDING,
    "adopted": 1,
    "attempts": 0,
    "suspected": 0,
    "dead_ends": 0,
    "sent_whole": 0,
    "due_s": 0.0,
    "upload_url": None,
    "answer": None,
    "decision": None,
    "decided_utc": None,
}
"""Facts that a sweep gives a record without a row: the backend must be asked about it."""

_NOT_YET: Final[Row] = {"adopted": 0}
"""Facts that were promised about a record without a row."""

_WITH_FILE: Final = frozenset({RecordState.PENDING, RecordState.REFUSED, RecordState.DELIVERED})


@dataclass(frozen=True, slots=True)
class DiskFindings:
    """The state folder: rows by capture_id, digests of files by name.

    `quarantined` are broken queues that are still there.
    """

    rows: dict[str, Row]
    files: dict[str, str]
    torn: frozenset[str]
    quarantined: frozenset[str]


def check(stage: Stage, promises: PromiseLog, log_bytes: int, is_real: bool) -> list[str]:
    """Restart the product twice on a disk cut at `log_bytes`; return every promise that is broken.

    `is_real` restarts it by its own commands before, which make a record.
    """
    knows_time = has_time(stage.layout)
    made = _restart(stage) if is_real else frozenset[str]()
    faults = _time(promises, log_bytes, knows_time=knows_time)
    return [*faults, *check_restarts(stage, promises, log_bytes, made)]


def _restart(stage: Stage) -> frozenset[str]:
    """Run the device's own commands on a simulated board; return the records that they made."""
    stage.empty()
    device = Device(stage.folder / "real", "", state=stage.state, camera=_SMALL, **stage.tables)
    pressed = device.run("capture", "--once")
    if pressed.returncode not in {ExitCode.DONE, ExitCode.RETAKE}:
        raise RuntimeError(f"doorstep capture --once: {pressed.returncode}, {pressed.stderr}")
    looked = device.run("status", "--json")
    if looked.returncode:
        raise RuntimeError(f"doorstep status: {looked.returncode}, {looked.stderr}")
    return frozenset({json.loads(pressed.stdout)["label"]["capture_id"]})


def check_restarts(
    stage: Stage, promises: PromiseLog, log_bytes: int, made: frozenset[str]
) -> list[str]:
    """Do the same without a look at the time; `made` are records that came after the cut."""
    with stage.open() as device:
        if device.layout.quarantined():
            device.tick()  # it is deleted step by step, while presses are served
        found = look(device.layout)
    faults = [
        *_kept(promises, log_bytes, found),
        *_rows(promises, log_bytes, found, made),
        *(f"{name} is left of a broken queue" for name in found.quarantined),
        *_files(found),
        *_labels(device.layout),
        *_chain(device.layout, found, may_gap=bool(promises.lost)),
    ]
    stage.empty()
    with stage.open() as device:
        again = look(device.layout)
        if again != found:
            faults.append(f"a second restart changes: {_difference(found, again)}")
        return [*faults, *_goes_on(device, found), *_sends(device)]


def _time(promises: PromiseLog, log_bytes: int, *, knows_time: bool) -> Iterator[str]:
    if promises.possible(log_bytes)[0].has_time and not knows_time:
        yield "what was kept of time is gone"


def look(layout: Layout) -> DiskFindings:
    """Read everything, by the product's own door."""
    with closing(Database(layout)) as database, database.look() as sql:
        rows = read_queue(sql)
        sound = [row[0] for row in sql.execute("PRAGMA integrity_check")]
    if sound != ["ok"]:
        raise AssertionError(f"the database is not sound: {sound}")
    files = {
        path.name: digest(path) for path in layout.records.iterdir() if path.suffix != ".label"
    }
    torn = frozenset(path.name for path in layout.torn.iterdir())
    quarantined = frozenset(path.name for path in layout.quarantined())
    return DiskFindings(rows, files, torn, quarantined)


def _kept(promises: PromiseLog, log_bytes: int, found: DiskFindings) -> Iterator[str]:
    """Yield each record that the driver saw as kept and whose row is missing without a sweep.

    Only a queue that was made again has it by a sweep.
    """
    promised = promises.possible(log_bytes)[0].rows
    may_rebuild = promises.may_rebuild(log_bytes)
    for shown in promises.shown:
        if shown.log_bytes > log_bytes:
            continue
        row = found.rows.get(shown.capture_id)
        if row is None:
            yield f"shown as kept, but lost: {shown.capture_id}"
        elif (
            not may_rebuild and row["adopted"] > promised.get(shown.capture_id, _NOT_YET)["adopted"]
        ):
            yield f"shown as kept before its row was: {shown.capture_id}"


def _rows(
    promises: PromiseLog, log_bytes: int, found: DiskFindings, made: frozenset[str]
) -> Iterator[str]:
    """Each row is as last promised, as the change in hand has it, or what a sweep makes of that."""
    possible, known = promises.possible(log_bytes), promises.known()
    may_rebuild = promises.may_rebuild(log_bytes)
    for name in (found.rows.keys() | possible[0].rows.keys()) - made:
        row = found.rows.get(name)
        is_lost = promises.lost.get(name, log_bytes + 1) <= log_bytes
        was = [version.rows.get(name) for version in possible]
        if row and name not in known:
            if possible[0].rows or row["kind"] != RecordKind.CHAIN_START:
                yield f"nobody made {_briefly(row)}"
        elif may_rebuild and _is_adopted(row, known[name], is_lost=is_lost):
            pass
        elif not any(_follows(row, one, known[name], is_lost=is_lost) for one in was):
            yield f"promised was {' or '.join(map(_briefly, was))}; now it is {_briefly(row)}"


def _follows(row: Row | None, was: Row | None, known: Row, *, is_lost: bool) -> bool:
    """Return True if a restart may change `was` into `row`; `known` is the record's later row."""
    if row is None or row == was:
        return row == was
    if was is None:
        return _is_adopted(row, known, is_lost=False)
    match RecordState(was["state"]):
        case RecordState.DELIVERED:
            return is_lost and row == was | {"state": RecordState.PRUNED}
        case RecordState.PENDING | RecordState.REFUSED:
            return is_lost and row == was | {"state": RecordState.DAMAGED, "answer": row["answer"]}
        case RecordState.PRUNED | RecordState.DAMAGED:
            return False


def _is_adopted(row: Row | None, known: Row, *, is_lost: bool) -> bool:
    """Return True if a sweep made the row from the file, which also decides if there is a row."""
    return is_lost if row is None else row == known | _ADOPTED | {"number": row["number"]}


def _files(found: DiskFindings) -> Iterator[str]:
    """No row without its file, no file without its row, and the bytes that were queued."""
    wanted = {}
    for name, row in found.rows.items():
        if row["state"] in _WITH_FILE:
            wanted[f"{name}.rec"] = row["sha256"]
    for name in sorted(wanted.keys() | found.files.keys()):
        if wanted.get(name) != found.files.get(name):
            had, has = wanted.get(name, "no file"), found.files.get(name, "no file")
            yield f"{name} is {has[:12]}; its row wants {had[:12]}"
    newest = max(found.rows.values(), key=_number, default=None)
    if newest is None or newest["state"] not in _WITH_FILE:
        yield f"the newest record, on which the next one builds, is {_briefly(newest)}"


def _labels(layout: Layout) -> Iterator[str]:
    """A deleted record leaves its label, whole: the next number may build on it."""
    for path in layout.records.glob("*.label"):
        try:
            recordfile.open_label(first_line(path) or b"")
        except RecordDamaged as error:
            yield f"{path.name}: {error}"


def _chain(layout: Layout, found: DiskFindings, *, may_gap: bool) -> Iterator[str]:
    """Yield each gap and fork of the device's one chain."""
    pem = (layout.capture_keys / "device.pem").read_bytes()
    problems, gaps, lines = _verified(layout, pem, frozenset(found.files.items()))
    if problems > (gaps if may_gap else 0):
        yield f"agent.record.verify: {lines}"
    if len({row["chain"] for row in found.rows.values()}) != 1:
        yield "there are several chains"
    numbers = sorted(row["seq"] for row in found.rows.values())
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        yield f"the chain has gaps: {numbers}"


_seen: dict[tuple[bytes, frozenset[tuple[str, str]]], tuple[int, int, list[str]]] = {}
"""Results of `agent.record.verify` by key and files; most states repeat an earlier one."""


def _verified(
    layout: Layout, pem: bytes, files: frozenset[tuple[str, str]]
) -> tuple[int, int, list[str]]:
    """Return `verify`'s number of problems with the files, that of gaps, and its words."""
    if (pem, files) not in _seen:
        key = signing.read_private_key(layout.capture_keys / "device.pem").public_key()
        report = verify.examine(layout.records.glob("*.rec"), key)
        gaps = sum("MISSING: not in this folder" in line for line in report.lines)
        lines = [line for line in report.lines if re.search("[A-Z]{4,}:", line)]
        _seen[pem, files] = report.problems, gaps, lines
    return _seen[pem, files]


def _goes_on(device: Bench, found: DiskFindings) -> Iterator[str]:
    """Press once more, and yield a fault if no photo that follows the newest record is kept."""
    newest = max(found.rows.values(), key=_number)
    label = device.press().get("label", {})
    follows = {"kind": "photo", "seq": newest["seq"] + 1, "prev": newest["label_sha256"]}
    if label | follows != label or device.rows()[-1].capture_id != label["capture_id"]:
        yield f"capturing does not go on: {label}"
    else:
        unpack(device.layout.record(label["capture_id"]).read_bytes())


def _sends(device: Bench) -> Iterator[str]:
    """Everything that waits can be claimed once, with the bytes that were queued."""
    waiting = {row.capture_id for row in device.rows() if row.state is RecordState.PENDING}
    claimed: dict[str, Item] = {}
    while item := device.outbox.claim(LATER_S, due_s=LATER_S):
        if item.capture_id in claimed:
            yield f"claimed twice: {item.capture_id}"
            break
        claimed[item.capture_id] = item
    if claimed.keys() != waiting:
        yield f"cannot be claimed: {waiting - claimed.keys()}"
    for item in claimed.values():
        content = read_verified(device.layout.record(item.capture_id), item)
        if not isinstance(content, bytes):
            yield f"cannot be sent: {content}"


def _number(row: Row) -> int:
    return int(row["number"])


def _briefly(row: Row | None) -> str:
    if row is None:
        return "no row"
    names = ("kind", "state", "adopted", "attempts")
    return " ".join([f"#{row['seq']}", *(f"{name}={row[name]}" for name in names)])


def _difference(one: DiskFindings, other: DiskFindings) -> str:
    names = [
        name
        for name in DiskFindings.__dataclass_fields__
        if getattr(one, name) != getattr(other, name)
    ]
    return ", ".join(names)
