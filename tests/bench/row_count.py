"""The backend over ten thousand records, and beside it over a million: what grows with rows.

Both are asked by turns. Only the objects that are asked for exist, and PostgreSQL flushes nothing:
a disk's noise would hide what grows.
"""

import os
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import psycopg  # noqa: TID251 - the test's own side: it looks at tables
import requests  # noqa: TID251 - a browser's and another system's side of the wire

from agent.models import CaptureId, RecordKind, rfc3339
from agent.record import signing
from doorstep_backend.engines.opening import URL, open_database
from doorstep_backend.engines.postgres import STATEMENT_MS, close_pools
from doorstep_backend.identity.database import opened as open_register
from doorstep_backend.office.model import open_office
from doorstep_backend.pages.accounts import Account, Accounts
from doorstep_backend.reports.read import StatusReport
from doorstep_backend.reports.routes import KEPT_S
from doorstep_backend.reports.store import Reports
from doorstep_backend.wire.store import Store
from tests.backend.reports.samples import report, waits
from tests.bench import records
from tests.bench.frame import Figure, Rig, by_turns, run_ms
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
"""Most time that a hundred times as many rows may cost, except noise."""

DEVICE_ID: Final = "bench-rows"
STARTS: Final = 3
SCRAPES: Final = 3
STEPS: Final = 30


@dataclass
class Site:
    """A backend over so many records, and its client.

    Attributes:
        started_ms: from the start of its process until it answers.
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
    started_ms: list[float] = field(default_factory=list)

    def receipt(self) -> None:
        assert self.device.head(self.sent).status_code == 200
        assert self.device.receipts(self.sent).json()[self.sent]

    def intake(self, stop: int = STOPS) -> None:
        """Send a photo of a stop, which the device bound by its place."""
        said = {"stop": {"id": f"stop-{stop}", "bound_by": "place"}, "simulated": False}
        made = self.maker.make(RecordKind.PHOTO, said, PICTURE, capture_id=CaptureId(new_id()))
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


def measure(rig: Rig, engine: str) -> list[Figure]:
    """Ask an engine over few and over many records."""
    found: list[Figure] = []
    with ExitStack() as opened:
        sites = {}
        for count in (FEW, rig.times(1_000_000, 100_000)):
            folder = rig.folder / f"rows-{engine}-{count}"
            sites[count] = opened.enter_context(_site(engine, folder, count, found))
        compared = list(_compared(engine, sites, rig.times(60, 10)))
    return [*found, *compared]


def _compared(engine: str, sites: Mapping[int, Site], rounds: int) -> Iterator[Figure]:
    """Ask both by turns, so that a slow moment meets both."""
    few, many = sites
    taken = by_turns(
        rounds,
        {
            (name, count): partial(run_ms, partial(ask, site))
            for name, ask in QUESTIONS.items()
            for count, site in sites.items()
        },
    )
    for _ in range(SCRAPES):
        time.sleep(KEPT_S)
        for count, site in sites.items():
            taken.setdefault(("/metrics", count), []).append(run_ms(site.metrics))
    for count, site in sites.items():
        taken["start until it answers", count] = site.started_ms
    note = f"median at {many:,} records by median at {few:,}; {records.DEVICES:,} devices"
    for name in (*QUESTIONS, "/metrics", "start until it answers"):
        times = statistics.median(taken[name, many]) / statistics.median(taken[name, few])
        yield Figure(f"{engine}: {name}", "x", [times], TIMES_FEW, digits=2, note=note)
        for count in sites:
            yield Figure(f"  {count:,}", "ms", taken[name, count])
        note = ""


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
        fill(folder, count)
        if engine == "postgresql":
            found.append(_size(server.url, count))
        started_ms = []
        for _ in range(STARTS):
            backend.stop()
            started_ms.append(run_ms(backend.start))
        site = asked_by(backend, folder, opened)
        site.started_ms += started_ms
        site.intake(1)
        await_filed(folder)
        yield site
        found += _clean_up(engine, folder, count)  # it erases what was asked for


def fill(folder: Path, count: int) -> None:
    _let_in(folder, records.DEVICES)
    if url := os.environ.get(URL):
        records.fill(records.into_postgresql(url), count)
        return
    names = ("backend", "orders")
    with ExitStack() as opened:
        both = [opened.enter_context(closing(open_database(folder, name))) for name in names]
        records.fill(records.into_sqlite(*both), count)


def _let_in(data: Path, devices: int) -> None:
    """Let devices in; of a hundred one has refused records, two are silent, one never spoke."""
    now = datetime.now(UTC)
    names = [f"van-{number:05}" for number in range(devices)]
    until = rfc3339(now + timedelta(days=300))
    with closing(open_register(data)) as register, register.exclusive_transaction():
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


def _report(kind: int, name: str, now: datetime) -> StatusReport | None:
    if kind == 0:
        return None
    if kind == 3:
        return report(name, now, queue=waits(3, now, refused=2), needs=["refused"])
    at = now - timedelta(hours=30) if kind < 3 else now
    return report(name, at, queue=waits(7, now) if kind < 9 else waits(0))


def asked_by(backend: Backend, folder: Path, opened: ExitStack) -> Site:
    """Make a route to ask for, and sign everybody in."""
    office = open_office(Store(folder))
    send_out(office, DEVICE_ID)
    Accounts(office.ledger).add_all(map(_account, ("customer", "dispatch")))
    key = signing.new_key()
    van, pem = enrolled(backend, folder, DEVICE_ID, key), folder / "puller.pem"
    backend.command("clients", "add", "puller", "--out", str(pem))
    speaking = partial(speaking_to, backend.base_url, backend.ca_file)
    return Site(
        backend,
        opened.enter_context(speaking(van.files)),
        opened.enter_context(speaking((pem, pem))),
        opened.enter_context(browser(backend, _account("customer"))),
        opened.enter_context(browser(backend, _account("dispatch"))),
        RecordMaker(DEVICE_ID, key=key),
    )


def _account(role: str) -> Account:
    """Its role, name and password are one word."""
    return Account(role, role, role)


def got(session: requests.Session, url: str) -> requests.Response:
    answer = session.get(url, timeout=60)
    assert answer.status_code == 200, f"{url} answered {answer.status_code}: {answer.text}"
    return answer


def _clean_up(engine: str, folder: Path, count: int) -> Iterator[Figure]:
    """Take its first steps when all is due: after a month without one, or with other retention."""
    due = open_office(Store(folder)).erasure.steps(datetime.now(UTC) + 2 * records.AGE)
    taken = [run_ms(lambda: next(due)) for _ in range(STEPS)]
    name = f"{engine}: the longest step of clean-up, {count:,} due"
    note = f"median {statistics.median(taken):.0f} ms; rows alone: a bucket takes longer"
    yield Figure(name, "ms", [max(taken)], at_most=float(STATEMENT_MS), digits=0, note=note)


def _size(url: str, count: int) -> Figure:
    """Return what a record takes in all tables, their indexes included."""
    query = b"""SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'
        AND relnamespace = current_schema()::regnamespace"""
    with psycopg.connect(url) as connection:
        (whole_bytes,) = connection.execute(query).fetchone() or (0,)
    note = "all tables and indexes, orders and routes too"
    name = f"a record in rows, of {count:,}"
    return Figure(name, "B", [float(whole_bytes) / count], digits=0, note=note)
