"""The backend over ten thousand records, and beside it over a million: what grows with rows."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg  # noqa: TID251 - the test's own side: it looks at tables
import requests  # noqa: TID251 - a browser's and another system's side of the wire

from agent.models import CaptureId, Kind, rfc3339
from agent.record import signing
from tests.backend.engines.opening import URL, open_database
from tests.backend.engines.postgres import STATEMENT_MS, close_pools
from tests.backend.identity.database import opened as open_register
from tests.backend.office.model import open_office
from tests.backend.pages.accounts import Account, Accounts
from tests.backend.reports.read import Report
from tests.backend.reports.routes import KEPT_S
from tests.backend.reports.samples import report, waits
from tests.backend.reports.store import Reports
from tests.backend.wire.store import Store
from tests.bench import records
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.bench.route import STOPS, number, send_out
from tests.support.backend import Backend
from tests.support.demo_office import PICTURE
from tests.support.device import environment
from tests.support.enrolment import enrolled
from tests.support.factory import RecordMaker, new_id
from tests.support.filed import await_filed
from tests.support.people import browser
from tests.support.postgres import running_postgres
from tests.support.wire import Wire, speaking_to

FEW: Final = 10_000
TIMES_FEW: Final = 1.5
"""What a hundred times as many rows may cost, but for noise."""

VAN: Final = "bench-rows"
STARTS: Final = 3
SCRAPES: Final = 3
STEPS: Final = 30

RECORD_BYTES: Final = 1_400
"""Of one record in all tables and indexes, as it was reckoned before anything was measured."""


@dataclass
class Site:
    """One backend over so many records, and who asks it.

    Attributes:
        started_s: from the start of its process until it answers.
        sent: a record that has its receipt.
        opened: a new connection to its rows.
    """

    backend: Backend
    device: Wire
    puller: Wire
    customer: requests.Session
    dispatch: requests.Session
    maker: RecordMaker
    sent: str = ""
    started_s: list[float] = field(default_factory=list)
    taken: dict[str, list[float]] = field(default_factory=dict)

    def receipt(self) -> None:
        assert self.device.head(self.sent).status_code == 200
        assert self.device.receipts(self.sent).json()[self.sent]

    def intake(self, stop: int = STOPS) -> None:
        made = photo(self.maker, stop)
        self.sent = made.label.capture_id
        assert self.device.post(self.sent, made.content, made.content).status_code == 201

    def manifest(self) -> None:
        assert got(self.device.session, f"{self.device.base_url}/manifest")

    def customers_page(self) -> None:
        base = self.backend.base_url
        page = got(self.customer, f"{base}/pages/orders/{number(1)}").text
        (address,) = re.findall(r'<img src="([^"]*)"', page)
        assert got(self.customer, base + address).content[:2] == b"\xff\xd8"

    def fleet_page(self) -> None:
        assert "van-" in got(self.dispatch, f"{self.backend.base_url}/pages/fleet").text

    def dispatchs_page(self) -> None:
        page = got(self.dispatch, f"{self.backend.base_url}/pages/dispatch").text
        assert "Look and decide" in page

    def metrics(self) -> None:
        assert got(self.puller.session, f"{self.puller.base_url}/metrics")


QUESTIONS: Final[Mapping[str, Callable[[Site], None]]] = {
    "a receipt (HEAD, POST /receipts)": Site.receipt,
    "a record's intake": Site.intake,
    "GET /manifest, 150 stops": Site.manifest,
    "a customer's page, and its photo": Site.customers_page,
    "the fleet page": Site.fleet_page,
    "dispatch's page": Site.dispatchs_page,
}


def measure(rig: Rig) -> list[Figure]:
    """On PostgreSQL, which flushes nothing: a disk's own noise would hide what grows."""
    return _measured(rig, "postgresql")


def measure_sqlite(rig: Rig) -> list[Figure]:
    return _measured(rig, "sqlite")


def _measured(rig: Rig, engine: str) -> list[Figure]:
    """By turns, so that a slow moment meets both."""
    found: list[Figure] = []
    with ExitStack() as opened:
        sites = {}
        for count in (FEW, 100_000 if rig.is_quick else 1_000_000):
            folder = rig.folder / f"rows-{engine}-{count}"
            sites[count] = opened.enter_context(_site(engine, folder, count, found))
        _by_turns(sites, rig.rounds)
        compared = list(_compared(engine, sites))
    return [*found, *compared]


def _by_turns(sites: Mapping[int, Site], rounds: int) -> None:
    for turn in range(rounds):
        for site in list(sites.values())[:: 1 if turn % 2 else -1]:
            for name, ask in QUESTIONS.items():
                _timed(site, name, ask)
    for _ in range(SCRAPES):
        time.sleep(KEPT_S)
        for site in sites.values():
            _timed(site, "/metrics", Site.metrics)
    for site in sites.values():
        site.taken["start until it answers"] = [one * 1e3 for one in site.started_s]


def _timed(site: Site, name: str, ask: Callable[[Site], None]) -> None:
    began_s = time.perf_counter()
    ask(site)
    site.taken.setdefault(name, []).append((time.perf_counter() - began_s) * 1e3)


def _compared(engine: str, sites: Mapping[int, Site]) -> Iterator[Figure]:
    (few, a_few), (many, a_lot) = sites.items()
    for name, taken in a_lot.taken.items():
        before = Figure("", "ms", a_few.taken[name])
        yield Figure(
            f"{engine}: {name}",
            "x",
            [Figure("", "ms", taken).median / before.median],
            at_most=TIMES_FEW,
            digits=2,
            note=f"median at {many:,} records by median at {few:,}; {records.DEVICES:,} devices",
        )
        yield Figure(f"  {few:,}", "ms", a_few.taken[name])
        yield Figure(f"  {many:,}", "ms", taken)


@contextmanager
def _site(engine: str, folder: Path, count: int, found: list[Figure]) -> Iterator[Site]:
    with ExitStack() as opened:
        if engine == "postgresql":
            server = opened.enter_context(running_postgres(fsync=False))
            opened.enter_context(environment(**{URL: server.url}))
            opened.callback(close_pools)
        backend = Backend(folder, switches=True, identity=True)
        opened.callback(backend.kill)
        backend.start()
        began_s = time.monotonic()
        fill(folder, count)
        found.append(Figure(f"{engine}: {count:,} records put", "s", [time.monotonic() - began_s]))
        if engine == "postgresql":
            found += sizes(server.url, count)
        started_s = [_restarted_s(backend) for _ in range(STARTS)]
        site = asked_by(backend, folder, opened)
        site.started_s += started_s
        site.intake(1)
        await_filed(folder)
        yield site
        found += _clean_up(engine, folder, count)  # it erases what was asked for


def fill(folder: Path, count: int) -> None:
    _let_in(folder, records.DEVICES)
    if url := os.environ.get(URL):
        records.fill(records.into_postgresql(url), count)
        return
    with (
        closing(open_database(folder, "backend")) as backend,
        closing(open_database(folder, "orders")) as orders,
    ):
        records.fill(records.into_sqlite(backend, orders), count)


def _let_in(data: Path, devices: int) -> None:
    """Of a hundred devices one has refused records, two are silent, five wait, one never spoke."""
    now = datetime.now(UTC)
    names = [f"van-{number:05}" for number in range(devices)]
    until = rfc3339(now + timedelta(days=300))
    with closing(open_register(data)) as register, register.together():
        let_in = [(name, "in", False) for name in names]
        register.executemany("INSERT INTO enrolled VALUES (?, ?, ?)", let_in)
        rows = [(name, name, "tls", "kid", until, "live", "pem") for name in names]
        register.executemany(
            """INSERT INTO certificates (serial, device_id, label, kid, until, state, pem)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
            rows,
        )
    reports = Reports(data)
    for place, name in enumerate(names):
        if (made := _report(place % 100, name, now)) is not None:
            reports.note(made)


def _report(kind: int, name: str, now: datetime) -> Report | None:
    if kind == 0:
        return None
    at = now - timedelta(hours=30) if kind < 3 else now
    if kind == 3:
        queue = waits(3, now, refused=2)
        return report(name, at, queue=queue, needs=["refused"])
    return report(name, at, queue=waits(7, now) if kind < 9 else waits(0))


def asked_by(backend: Backend, folder: Path, opened: ExitStack) -> Site:
    """Makes a route to ask for, and signs everybody in."""
    office = open_office(Store(folder))
    send_out(office, VAN)
    Accounts(office.ledger).add_all(map(_account, ("customer", "dispatch")))
    key = signing.new_key()
    van, pem = enrolled(backend, folder, VAN, key), folder / "puller.pem"
    backend.command("clients", "add", "puller", "--out", str(pem))
    speaking = partial(speaking_to, backend.base_url, backend.ca_file)
    return Site(
        backend,
        opened.enter_context(speaking(van.files)),
        opened.enter_context(speaking((pem, pem))),
        opened.enter_context(browser(backend, _account("customer"))),
        opened.enter_context(browser(backend, _account("dispatch"))),
        RecordMaker(VAN, key=key),
    )


def _restarted_s(backend: Backend) -> float:
    backend.stop()
    began_s = time.monotonic()
    backend.start()
    return time.monotonic() - began_s


def _account(role: str) -> Account:
    """Its role, name and password are one word."""
    return Account(role, role, role)


def photo(maker: RecordMaker, stop: int) -> Any:
    """Of a stop, which the device bound by its place."""
    said = {"stop": {"id": f"stop-{stop}", "bound_by": "place"}, "simulated": False}
    return maker.make(Kind.PHOTO, said, PICTURE, capture_id=CaptureId(new_id()))


def got(session: requests.Session, url: str) -> requests.Response:
    answer = session.get(url, timeout=60)
    assert answer.status_code == 200, f"{url} answered {answer.status_code}: {answer.text}"
    return answer


def _clean_up(engine: str, folder: Path, count: int) -> Iterator[Figure]:
    """Its first steps where all is due: after a month without one, or with another retention."""
    due = open_office(Store(folder)).keeping.steps(datetime.now(UTC) + 2 * records.AGE)
    taken = []
    for _ in range(STEPS):
        began_s = time.perf_counter()
        next(due)
        taken.append((time.perf_counter() - began_s) * 1e3)
    name = f"{engine}: a step of clean-up, {count:,} records due"
    yield Figure(name, "ms", taken, note="rows alone: a bucket takes longer for its objects")
    yield Figure("  the longest", "ms", [max(taken)], at_most=float(STATEMENT_MS), digits=0)


def sizes(url: str, count: int) -> Iterator[Figure]:
    """What a record takes in each table, its indexes included."""
    query = b"""SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'
        AND relnamespace = current_schema()::regnamespace ORDER BY 2 DESC"""
    with psycopg.connect(url) as connection:
        each = {name: size / count for name, size in connection.execute(query)}
    note = "all tables and indexes, orders and routes too"
    yield Figure("  a record in rows", "B", [sum(each.values())], digits=0, note=note)
    for name, size in each.items():
        if size >= RECORD_BYTES / 100:
            yield Figure(f"    {name}", "B", [size], digits=0)
