"""`doorstep serve`: what it takes of a small machine, with a short and with a deep queue."""

import http.client
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final

from agent.queue.database import Database
from agent.status import header
from agent.status.document import LIMIT_BYTES
from tests.bench.device import Memory, cpu_s, memory_of
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.bench.rows import insert
from tests.bench.status import MANY, alarming_rows
from tests.support.device import Device
from tests.support.served import Served, served

RESIDENT_MB: Final = 35.0
"""A Zero 2 W's 512 MB are for capture's 180 and sync's 60 first; MB of 1,000,000 bytes."""

FEW: Final = 100

DEPTH_TIMES: Final = 1.2
"""No dearer with a queue of two years than with one of a day, and room for noise."""

PAGE: Final = 100


def measure(rig: Rig) -> list[Figure]:
    """Two servers whose queues differ are asked in turn."""
    with served(rig.folder / "serve-start") as started:
        at_start = memory_of(started.pid)
    after_requests, depth = _depth(rig)
    return [*_memory_figures({"its start": at_start, "requests": after_requests}, rig), *depth]


@dataclass
class _Asked:
    """Two servers, or two pages, asked in turn: ms of the one, and of the other."""

    light_ms: list[float] = field(default_factory=list)
    heavy_ms: list[float] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        """The heavy one by the light one beside it."""
        return [heavy / light for light, heavy in zip(self.light_ms, self.heavy_ms, strict=True)]


def _depth(rig: Rig) -> tuple[Memory, list[Figure]]:
    """Two devices whose three processes run, with few rows and with many."""
    with (
        served(rig.folder / "serve-few") as few,
        served(rig.folder / "serve-many") as many,
        closing(few.line(few.client_file)) as few_line,
        closing(many.line(many.client_file)) as many_line,
    ):
        _start([few, many])
        _filled(few, FEW)
        ids = _filled(many, MANY)
        before_s, status = cpu_s(many.pid), _Asked()
        for _ in range(rig.asked):
            status.light_ms.append(_ms(few_line, "/v1/status"))
            status.heavy_ms.append(_ms(many_line, "/v1/status"))
        each_ms = (cpu_s(many.pid) - before_s) / rig.asked * 1e3
        document = many.ask("/v1/status")
        pages = _pages(many_line, ids[-PAGE - 1], rig)
        numbers_ms = [_ms(many_line, "/metrics") for _ in range(rig.asked // 10)]
        memory = memory_of(many.pid)
    return memory, [
        *_status_figures(status, each_ms, len(document.body)),
        *_page_figures(pages),
        Figure("/metrics, on a kept connection", "ms", numbers_ms, digits=2),
        *_push_figures(document.json),
    ]


def _start(devices: Iterable[Served]) -> None:
    """Capture and sync of all of them, at once; `served` ends them."""
    started = [(one.device, name) for one in devices for name in ("capture", "sync")]
    for device, name in started:
        device.start(name, ready=False)
    for device, name in started:
        device.await_that(partial(_answers, device, name))


def _answers(device: Device, name: str) -> bool:
    return device.ask(name, {"status": True}) is not None


def _filled(one: Served, count: int) -> list[str]:
    """Puts rows into the queue, and returns their ids in order."""
    rows = list(islice(alarming_rows(), count))
    with closing(Database(one.device.layout)) as database:
        insert(database, rows)
    return [row["capture_id"] for row in rows]


def _pages(line: http.client.HTTPSConnection, before_last: str, rig: Rig) -> _Asked:
    """The first page of a hundred and the last one, in turn."""
    first = f"/v1/captures?limit={PAGE}"
    last = f"{first}&after={before_last}"
    if len(json.loads(_get(line, last))["captures"]) != PAGE:
        raise RuntimeError("the last page is not full: it would be quick")
    asked = _Asked()
    for _ in range(rig.asked // 4):
        asked.light_ms.append(_ms(line, first))
        asked.heavy_ms.append(_ms(line, last))
    return asked


def _ms(line: http.client.HTTPSConnection, target: str) -> float:
    began_s = time.perf_counter()
    _get(line, target)
    return (time.perf_counter() - began_s) * 1e3


def _get(line: http.client.HTTPSConnection, target: str) -> bytes:
    line.request("GET", target)
    answer = line.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{target}: {answer.status} {body[:200]!r}")
    return body


def _memory_figures(found: Mapping[str, Memory], rig: Rig) -> Iterator[Figure]:
    note = (
        f"requests: {rig.asked:,} for the status, {rig.asked // 2:,} for a page of {PAGE}, "
        f"{rig.asked // 10:,} for /metrics, on kept connections. "
        "Half of it are libraries that capture and sync have mapped, too"
    )
    for when, memory in found.items():
        name = f"serve after {when}: resident (VmRSS)"
        yield Figure(name, "MB", [memory.resident_mb], at_most=RESIDENT_MB, note=note)
        note = ""
        yield Figure("  peak (VmHWM)", "MB", [memory.peak_mb], at_most=RESIDENT_MB)


def _status_figures(asked: _Asked, cpu_ms: float, size: int) -> Iterator[Figure]:
    name = f"/v1/status, {MANY:,} rows by {FEW} rows"
    note = "asked in turn, on kept connections; capture and sync of both run and are asked"
    yield Figure(name, "x", asked.times, at_most=DEPTH_TIMES, digits=2, note=note)
    yield Figure(f"  time, {FEW} rows", "ms", asked.light_ms, digits=2)
    yield Figure(f"  time, {MANY:,} rows", "ms", asked.heavy_ms, digits=2)
    yield Figure("  processor of serve, each", "ms", [cpu_ms], digits=2)
    yield Figure("  document", "B", [size], at_most=LIMIT_BYTES, digits=0)


def _page_figures(asked: _Asked) -> Iterator[Figure]:
    name = f"/v1/captures, last {PAGE} of {MANY:,} by first"
    yield Figure(name, "x", asked.times, at_most=DEPTH_TIMES, digits=2)
    yield Figure("  time, first page", "ms", asked.light_ms, digits=2)
    yield Figure("  time, last page", "ms", asked.heavy_ms, digits=2)


def _push_figures(document: dict[str, Any]) -> Iterator[Figure]:
    size = len(header.encoded(document))
    note = "of the same document, as a device pushes it; requests per record are in `drain`"
    name = f"{header.NAME}, what it says"
    yield Figure(name, "B", [size], at_most=header.LIMIT_CHARS, digits=0, note=note)
