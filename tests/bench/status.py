"""`doorstep status` by the start of Python, with ten rows and with a hundred thousand."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from agent.models import State
from agent.queue.database import Database
from tests.bench.device import new_device, running
from tests.bench.figures import Figure
from tests.bench.machine import run_ms
from tests.bench.rig import Rig
from tests.bench.rows import LONG_ANSWER, insert, waiting_rows
from tests.support.backend import REPOSITORY
from tests.support.device import Device

FEW: Final = 10
MANY: Final = 100_000
"""A device on its round, and one that sent nothing for two years."""

DOCUMENT_BYTES: Final = 1_500
"""Short enough for a header, and to be asked for over a bad line."""

ALARMING: Final = 6
"""Rows that need a person: more than the document names."""

NEVER_S: Final = 1e9
"""CLOCK_BOOTTIME at which the rows are due, so that the running `sync` leaves them alone: in 30
years, which a queue still believes."""


@dataclass(frozen=True, slots=True)
class _Asked:
    rows: int
    times: list[float]
    status_ms: list[float]
    document_bytes: int


def measure(rig: Rig) -> list[Figure]:
    """Asks a device whose two processes run, while rows are put under them."""
    device = new_device(rig.folder / "status", rig.backend)
    with (
        running(device, "capture"),
        running(device, "sync"),
        closing(Database(device.layout)) as database,
    ):
        queued = alarming_rows()
        insert(database, islice(queued, FEW))
        few = _ask(device, rig, FEW)
        insert(database, islice(queued, MANY - FEW))
        many = _ask(device, rig, MANY)
    return [*_figures(few), *_figures(many)]


def alarming_rows() -> Iterator[dict[str, Any]]:
    """Endless rows: the first few alarming, with long answers, the others waiting."""
    for row in waiting_rows(NEVER_S):
        is_refused = row["seq"] <= ALARMING
        yield row | ({"state": State.REFUSED, "answer": LONG_ANSWER} if is_refused else {})


def _ask(device: Device, rig: Rig, rows: int) -> _Asked:
    words = device.words("status", "--json")
    bare_ms, status_ms = [], []
    for _ in range(rig.status_runs):
        bare_ms.append(run_ms("-c", "pass"))
        began_s = time.monotonic()
        said = subprocess.run(words, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
        status_ms.append((time.monotonic() - began_s) * 1e3)
    if json.loads(said.stdout)["queue"].get("refused") != ALARMING:
        raise RuntimeError(f"it did not look at the queue: {said.stdout!r}")
    bare = sorted(bare_ms)[len(bare_ms) // 2]
    return _Asked(rows, [one / bare for one in status_ms], status_ms, len(said.stdout))


def _figures(asked: _Asked) -> list[Figure]:
    depth = f"{asked.rows:,} rows"
    is_few = asked.rows == FEW
    return [
        Figure(
            f"status, {depth}, by python3 -c pass",
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
        Figure(f"  time, {depth}", "ms", asked.status_ms),
        Figure(
            f"  document, {depth}",
            "B",
            [float(asked.document_bytes)],
            at_most=DOCUMENT_BYTES,
            digits=0,
        ),
    ]
