"""The promises that hold after a fault in a command, a restart, and the same command again."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from agent.models import CaptureId, RecordState
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from tests.faults.powercut.checker import check_restarts
from tests.faults.powercut.promise_log import PromiseLog, Shown
from tests.faults.powercut.stage import Stage
from tests.faults.syscalls.injections import Harm, Injection
from tests.faults.syscalls.scenarios import Scenario, may_become
from tests.faults.syscalls.traced import BUG, Ended
from tests.support.backend import Backend
from tests.support.device import Device

MADE_FIRST: Final = frozenset({"chain_start", "time"})
"""Kinds that no press asked for."""


def answered(ended: Ended) -> list[dict[str, Any]]:
    """Every record that the command said was kept."""
    lines = [line for line in ended.said.splitlines() if line.startswith("{")]
    return [reply for line in lines if "label" in (reply := json.loads(line))]


def promised(work: Scenario, injection: Injection, ended: Ended) -> Iterator[str]:
    """Yield each promise that the command's end breaks, by its words and its exit code."""
    if "Traceback" in ended.said or ended.code == BUG:
        yield f"a traceback: {ended.said[-1500:]}"
    if injection.harm is Harm.KILL:
        return
    if ended.code not in work.codes:
        yield f"ended with {ended.code}: {ended.said[-300:]}"
    if ended.code == 70 and not (answered(ended) or "doorstep: " in ended.said):
        yield f"a fault without a word: {ended.said[-300:]!r}"
    if (
        work.presses == 1
        and _binds(injection)
        and any("photo" in reply["record"] for reply in answered(ended))
    ):
        yield f"a photo was answered as kept although it could not be written: {ended.said[:300]}"


def was_hit(injection: Injection, ended: Ended, state: Path) -> bool:
    """Return True if the injection came at its call; the count of opens of a file may vary."""
    if injection.harm is Harm.KILL:
        return ended.code is None
    hit = [line for line in ended.trace.splitlines() if "(INJECTED)" in line]
    return bool(hit) and str(state) in hit[0]


def _binds(injection: Injection) -> bool:
    """Return True if a failure of this very call must be noticed before the answer."""
    return (
        injection.harm is Harm.EIO
        and injection.call.is_on_record
        and injection.call.name != "unlink"
    )


def survived(
    name: str, work: Scenario, van: Device, before: Mapping[CaptureId, RecordState], ended: Ended
) -> list[str]:
    """Restart the capture process twice and look; every promise that is broken."""
    told = PromiseLog(shown=[Shown(0, reply["label"]["capture_id"]) for reply in answered(ended)])
    if RecordState.DELIVERED in before.values():
        told.lost = dict.fromkeys(before, 0)
    everything = frozenset(path.stem for path in van.layout.records.glob("*.rec")) | before.keys()
    stage = Stage(van.folder / "again", van.folder)
    faults = check_restarts(stage, told, 1, frozenset(everything))
    return faults + list(_rows(name, work, van, before, ended))


def _rows(
    name: str, work: Scenario, van: Device, before: Mapping[CaptureId, RecordState], ended: Ended
) -> Iterator[str]:
    now = states(van.layout)
    for capture_id, state in before.items():
        if now.get(capture_id) not in may_become(name, state):
            yield f"{capture_id} was {state} and is {now.get(capture_id)}"
    with closing(Database(van.layout)) as database:
        rows = Outbox(database, "").items(None, 0, 1000)
    new = [row for row in rows if row.capture_id not in before and row.kind not in MADE_FIRST]
    new = new[:-1]  # the last one was pressed to see that it can be
    if len(new) > work.presses:
        yield f"{len(new)} records of {work.presses} presses: {[row.kind for row in new]}"
    for reply in answered(ended):
        yield from _kept(van, reply)
    if torn := list(van.layout.torn.iterdir()):
        yield f"torn: {[path.name for path in torn]}"


def _kept(van: Device, reply: Mapping[str, Any]) -> Iterator[str]:
    """Yield each answer that differs from the record on the card."""
    path = van.layout.record(reply["label"]["capture_id"])
    if not path.exists():
        yield f"answered as kept, and gone: {path.name}"
    elif van.record(path.stem).label.payload() != reply["label"]:
        yield f"another label than was answered: {path.name}"


def states(layout: Layout) -> dict[CaptureId, RecordState]:
    """Every row's state."""
    if not layout.database.exists() or not layout.database.stat().st_size:
        return {}
    if layout.database.read_bytes()[:2] == b"\xa5\xa5":  # broken: what a rebuild must find
        return {CaptureId(path.stem): RecordState.PENDING for path in layout.records.glob("*.rec")}
    with closing(Database(layout)) as database:
        return Outbox(database, "").states()


def sent(van: Device, backend: Backend, ended: Ended) -> Iterator[str]:
    """All is with the backend, each once and byte for byte; `ended` is the second `sync --once`."""
    if ended.code != 0:
        yield f"the next sync --once ended with {ended.code}: {ended.said[-300:]}"
    for capture_id, state in states(van.layout).items():
        received = backend.received_file(capture_id)
        if state is not RecordState.DELIVERED or not received.exists():
            yield f"{capture_id} is {state}; with the backend: {received.exists()}"
        elif _digest(received) != _digest(van.layout.record(capture_id)):
            yield f"the backend has other bytes: {capture_id}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
