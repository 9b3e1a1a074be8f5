"""`doorstep status` by the start of Python, with ten rows and with a hundred thousand."""

import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from agent.database import Database
from agent.layout import Layout
from agent.models import State
from hardware.clock_system import boot_id
from tests.backend.process import REPOSITORY
from tests.bench.device import Device
from tests.bench.figures import Figure
from tests.bench.machine import run_ms
from tests.bench.rig import Rig

FEW: Final = 10
MANY: Final = 100_000
"""Source of both: the issue, Figures."""

DOCUMENT_BYTES: Final = 2_000
"""Source: design section 7, under 2 KB."""

ALARMING: Final = 6
"""Rows that need a person: one more than the document names."""

NEVER_S: Final = 1e12
"""CLOCK_BOOTTIME at which the rows are due, so that the running `sync` leaves them alone."""


@dataclass(frozen=True, slots=True)
class _Asked:
    rows: int
    times: list[float]
    status_ms: list[float]
    document_bytes: int


def measure(rig: Rig) -> list[Figure]:
    """Asks a device whose two processes run, while rows are put under them."""
    device = Device.new(rig.folder / "status", rig.backend)
    layout = Layout.of(device.config.state)
    with device.running("capture"), device.running("sync"), closing(Database(layout)) as database:
        rows = _rows()
        _insert(database, islice(rows, FEW))
        few = _ask(device, rig, FEW)
        _insert(database, islice(rows, MANY - FEW))
        many = _ask(device, rig, MANY)
    return [*_figures(few), *_figures(many)]


def _rows() -> Iterator[dict[str, Any]]:
    """Endless rows: the first few alarming, with long answers, the others waiting."""
    boot, chain, seq = boot_id(), str(uuid.uuid4()), 0
    while True:
        seq += 1
        is_refused = seq <= ALARMING
        yield {
            "capture_id": str(uuid.uuid4()),
            "chain": chain,
            "seq": seq,
            "label_sha256": f"{seq:064x}",
            "boot_id": boot,
            "kind": "photo",
            "utc": "2026-12-01T09:15:02.000Z",
            "clock": "ntp",
            "bytes": 300_000,
            "sha256": f"{seq:064x}",
            "state": State.REFUSED if is_refused else State.PENDING,
            "adopted": 0,
            "attempts": 1,
            "suspected": 0,
            "due_boot_id": boot,
            "due_s": NEVER_S,
            "answer": "not what was agreed on; " * 10 if is_refused else None,
        }


def _insert(database: Database, rows: Iterator[dict[str, Any]]) -> None:
    listed = list(rows)
    columns, marks = ", ".join(listed[0]), ", ".join(f":{name}" for name in listed[0])
    with database.step() as sql:
        sql.executemany(f"INSERT INTO captures ({columns}) VALUES ({marks})", listed)


def _ask(device: Device, rig: Rig, rows: int) -> _Asked:
    words = device.words("status", "--json")
    bare_ms, status_ms = [], []
    for _ in range(rig.status_runs):
        bare_ms.append(run_ms("-c", "pass"))
        began_s = time.monotonic()
        said = subprocess.run(words, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
        status_ms.append((time.monotonic() - began_s) * 1e3)
    bare = sorted(bare_ms)[len(bare_ms) // 2]
    return _Asked(rows, [one / bare for one in status_ms], status_ms, len(said.stdout))


def _figures(asked: _Asked) -> list[Figure]:
    rows = f"{asked.rows:,} rows"
    is_few = asked.rows == FEW
    return [
        Figure(
            f"status, {rows}, by python3 -c pass",
            "x",
            asked.times,
            digits=2,
            note=f"{ALARMING} rows refused and the others all waiting, the worst that can be; "
            "capture and sync run and are asked"
            if is_few
            else "",
            pi="both grow alike; the first call after a boot reads its code from the card."
            if is_few
            else "",
        ),
        Figure(f"  time, {rows}", "ms", asked.status_ms),
        Figure(
            f"  document, {rows}",
            "B",
            [float(asked.document_bytes)],
            at_most=DOCUMENT_BYTES,
            digits=0,
        ),
    ]
