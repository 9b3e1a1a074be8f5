"""10,000 devices at the backend: what Prometheus and other systems ask, and who waits meanwhile."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from agent.models import rfc3339
from agent.status import header
from tests.backend.identity.database import opened
from tests.backend.reports.read import Report, read
from tests.backend.reports.routes import KEPT_S
from tests.backend.reports.samples import document, report, waits
from tests.backend.reports.store import Reports
from tests.bench.device import cpu_s
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.support.backend import Backend, running_backend
from tests.support.enrolment import enrolled
from tests.support.wire import Wire, speaking_to

DEVICES: Final = 10_000

SCRAPE_S: Final = 60.0
"""How often Prometheus asks. Source: its default, global.scrape_interval."""

SCRAPE_TIMEOUT_S: Final = 10.0
"""When it gives up. Source: its default, global.scrape_timeout."""

PAGE: Final = 1_000

CALLS: Final = 2_000
"""Of what takes microseconds."""


@dataclass
class _Asked:
    """Samples of one question."""

    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    size: int = 0


def measure(rig: Rig) -> list[Figure]:
    """A backend of its own, whose register and reports are put there before it starts."""
    data = rig.folder / "fleet"
    data.mkdir()
    stock(data, DEVICES)
    with running_backend(data, identity=True) as backend:
        pem = rig.folder / "puller.pem"
        backend.command("clients", "add", "puller", "--out", str(pem))
        van = enrolled(backend, rig.folder, "bench-fleet")
        with (
            speaking_to(backend.base_url, backend.ca_file, (pem, pem)) as puller,
            speaking_to(backend.base_url, backend.ca_file, van.files) as device,
        ):
            asks = _alone(device, rig), _with_report(device, rig)
            numbers, meanwhile = _numbers(backend, puller, device, rig)
            pages = _pages(backend, puller)
    return [*_number_figures(numbers), *_page_figures(pages), *_device_figures(*asks, meanwhile)]


def stock(data: Path, devices: int) -> None:
    """Of a hundred devices one has refused records, two are silent, five wait, one never spoke."""
    now = datetime.now(UTC)
    names = [f"van-{number:05}" for number in range(devices)]
    until = rfc3339(now + timedelta(days=300))
    with closing(opened(data)) as register, register.together():
        let_in = [(name, "in", False) for name in names]
        register.executemany("INSERT INTO enrolled VALUES (?, ?, ?)", let_in)
        rows = [(name, name, "tls", "kid", until, "live", "pem") for name in names]
        register.executemany(
            """INSERT INTO certificates (serial, device_id, label, kid, until, state, pem)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
            rows,
        )
    reports = Reports(data)
    for number, name in enumerate(names):
        if (made := _report(number % 100, name, now)) is not None:
            reports.note(made)


def _report(kind: int, name: str, now: datetime) -> Report | None:
    if kind == 0:
        return None
    at = now - timedelta(hours=30) if kind < 3 else now
    if kind == 3:
        queue = waits(3, now, refused=2)
        return report(name, at, queue=queue, needs=["refused"])
    return report(name, at, queue=waits(7, now) if kind < 9 else waits(0))


def _alone(device: Wire, rig: Rig) -> list[float]:
    return [_fleet_ms(device, {}) for _ in range(20 * rig.status_runs)]


def _with_report(device: Wire, rig: Rig) -> list[float]:
    """Each says something new, so that each is written."""
    now = datetime.now(UTC)
    given = [
        {header.NAME: header.encoded(document(now, "bench-fleet", queue=waits(number)))}
        for number in range(20 * rig.status_runs)
    ]
    return [_fleet_ms(device, one) for one in given]


def _fleet_ms(device: Wire, headers: dict[str, str]) -> float:
    began_s = time.perf_counter()
    answer = device.session.get(f"{device.base_url}/fleet", headers=headers, timeout=30)
    assert answer.status_code == 200
    return (time.perf_counter() - began_s) * 1e3


def _numbers(backend: Backend, puller: Wire, device: Wire, rig: Rig) -> tuple[_Asked, list[float]]:
    """Each time made anew, while a device asks for its fleet document."""
    asked = _Asked()
    meanwhile: list[float] = []
    for _ in range(2 if rig.is_quick else 5):
        ended = threading.Event()
        waiting = threading.Thread(target=_ask_until, args=(device, ended, meanwhile))
        waiting.start()
        _ask(backend, puller, "/metrics", asked)
        ended.set()
        waiting.join()
        time.sleep(KEPT_S)
    return asked, meanwhile


def _ask_until(device: Wire, ended: threading.Event, times_ms: list[float]) -> None:
    while not ended.is_set():
        times_ms.append(_fleet_ms(device, {}))
        ended.wait(0.01)


def _pages(backend: Backend, puller: Wire) -> _Asked:
    asked = _Asked()
    after: str | None = ""
    while after is not None:
        query = f"limit={PAGE}" + (f"&after={after}" if after else "")
        after = _ask(backend, puller, f"/fleet/status?{query}", asked).json()["next"]
    return asked


def _ask(backend: Backend, puller: Wire, path: str, asked: _Asked) -> Any:
    before_s, began_s = cpu_s(backend.pid), time.perf_counter()
    answer = puller.session.get(puller.base_url + path, timeout=60)
    asked.seconds.append(time.perf_counter() - began_s)
    asked.cpu_s.append(cpu_s(backend.pid) - before_s)
    assert answer.status_code == 200
    asked.size = max(asked.size, len(answer.content))
    return answer


def _number_figures(asked: _Asked) -> Iterator[Figure]:
    what = f"/metrics, {DEVICES:,} devices"
    yield Figure(
        what,
        "s",
        asked.seconds,
        at_most=SCRAPE_TIMEOUT_S,
        digits=2,
        note="made anew each time, while a device asks every 10 ms; Prometheus gives up after 10 s",
    )
    yield Figure("  processor", "s", asked.cpu_s, digits=2, note="the device's requests included")
    share = [one / SCRAPE_S * 100 for one in asked.cpu_s]
    yield Figure("  processor, asked each minute", "%", share, digits=1)
    yield Figure("  size", "KB", [asked.size / 1e3], digits=0)


def _page_figures(asked: _Asked) -> Iterator[Figure]:
    yield Figure(f"/fleet/status, {PAGE:,} of {DEVICES:,} devices", "s", asked.seconds, digits=2)
    yield Figure("  processor", "s", asked.cpu_s, digits=2)
    yield Figure("  size", "KB", [asked.size / 1e3], digits=0)


def _device_figures(
    alone: list[float], reporting: list[float], meanwhile: list[float]
) -> Iterator[Figure]:
    yield Figure("GET /fleet by a device", "ms", alone, digits=2)
    yield Figure("  with a report that says something new", "ms", reporting, digits=2)
    yield Figure("  while /metrics is made", "ms", meanwhile, digits=2)
    yield Figure("  the longest of those", "ms", [max(meanwhile)], digits=0)
    text, now = header.encoded(document(datetime.now(UTC))), datetime.now(UTC)
    began_s = time.perf_counter()
    for _ in range(CALLS):
        read(text, "van-0042", now)
    each_us = (time.perf_counter() - began_s) / CALLS * 1e6
    yield Figure("  reading a report, alone", "µs", [each_us], digits=0)
