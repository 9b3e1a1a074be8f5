"""Many devices at once: the embedded backend beside instances on PostgreSQL and S3, in one run.

- Each device is the product's sync with its own queue and certificates; 4 processes run all of them
  as threads. Capture is played: each record is made, sealed and signed when it is due, with a
  picture of 296 KB. Queues are in /dev/shm if it has 2 GB free, because a device's card is not the
  servers' disk.
- PostgreSQL and nginx are Debian's, with fsync; SeaweedFS has its defaults.
- A record is lost if a device has its receipt, and no row or no object of the engines has its
  digest.
- Times are by the device's clock, from the start of a record's first attempt, with all waits.
- CPU per record is user and system time, with filing, without enrolment and starts, and without the
  last hundredth of a second of a killed instance. Devices, servers and engines share the cores, so
  compare CPU per record, and not records a second.
- A new misfortune is a function in fleet/misfortunes.py that ends soon after `told.ended`; see once
  that the table shows it, because a fault that changes no figure proves nothing.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Final

from agent.status import header
from doorstep_backend.engines.chosen import objects_of
from doorstep_backend.identity.register import Register
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.backend.reports.samples import document, waits
from tests.bench.device import memory_of
from tests.bench.fleet import dispatch, misfortunes, plan, servers
from tests.bench.fleet.play import Outcome, play
from tests.bench.fleet.servers import Servers
from tests.bench.frame import Figure, Rig
from tests.bench.route import STOPS, number, send_out
from tests.support.enrolment import enrolled_by
from tests.support.wire import speaking_to

NEEDS: Final = servers.NEEDS

FEW: Final = 50
MANY: Final = 200

S3_REQUESTS: Final = 2.1
"""Per record: put, and read back; once more where its instance did not file it within 5 s."""

KILL_EVERY_S: Final = 3.0

PRESS_EVERY_S: Final = 0.125
"""8 records a second, some two thirds of what two cores do beside processes that start."""

DEVICE_ID: Final = "bench-minutely"


def measure(rig: Rig) -> Iterator[Figure]:
    """Send all that waits, as after an hour without a network."""
    folder, drain = rig.folder / "peak", partial(_drain, records=rig.times(6, 2))
    with servers.engines(folder) as engines:
        yield from drain("1 process, SQLite and files", servers.embedded(folder / "0"), FEW)
        one, two, more = (
            servers.spread(folder / f"{place}", engines, intakes)
            for place, intakes in enumerate((1, 2, 2), start=1)
        )
        yield from drain("1 instance", one, FEW, asked=rig.times(1_000, 200))
        yield from drain("2 instances", two, FEW)
        yield from drain("2 instances", more, MANY)


def fleet(rig: Rig) -> Iterator[Figure]:
    """Play a minute's peak; S3 answers nothing for some seconds, and an instance is killed."""
    lasts_s = float(rig.times(60, 20))
    presses = plan.morning(rig.times(FEW, 10), rig.times(12, 3), lasts_s)
    happens = partial(misfortunes.morning, stall_s=lasts_s / 4, kill_s=lasts_s * 3 / 5)
    folder = rig.folder / "fleet"
    with (
        servers.engines(folder) as engines,
        servers.spread(folder / "two", engines, 2, offices=1) as two,
        dispatch.looking(two) as looks,
    ):
        outcome = play(two, presses, happens)
    yield _attempts(outcome)
    yield from _sums(outcome)
    yield from _costs(outcome)
    yield _wait("  first attempt to receipt", [one.took_s for one in outcome.received])
    once = [one.took_s for one in outcome.received if one.attempts == 1]
    yield _wait(f"    of the {len(once)} that needed one attempt", once)
    yield _wait("  dispatch's page at the office", looks.took_s)
    yield Figure("    not shown", "", [looks.failed], digits=0)


def kills(rig: Rig) -> Iterator[Figure]:
    """Let devices press while one of two instances is killed every 3 s."""
    lasts_s = float(rig.times(120, 12))
    presses = plan.steady(FEW, PRESS_EVERY_S, lasts_s)
    happens = partial(misfortunes.kills, every_s=KILL_EVERY_S, lasts_s=lasts_s)
    said: list[str] = []
    folder = rig.folder / "kills"
    with servers.engines(folder) as engines, servers.spread(folder / "two", engines, 2) as two:
        outcome = play(two, presses, happens, said.append)
    yield _attempts(outcome)
    killed = sum(words.startswith("kill ") for words in said)
    yield Figure("  kills", "", [killed], digits=0)
    yield from _sums(outcome)
    yield _wait("  first attempt to receipt", [one.took_s for one in outcome.received])


def _drain(
    name: str,
    started: AbstractContextManager[Servers],
    devices: int,
    *,
    records: int,
    asked: int = 0,
) -> Iterator[Figure]:
    """Send the records of each device, and then ask for `asked` manifests of one device."""
    with started as one:
        outcome = play(one, plan.waiting(devices, records))
        manifests = list(_manifests(one, asked)) if asked else []
        memory_mb = [memory_of(each.backend.pid).peak_mb for each in one.intakes]
        erasing = list(_erasing(one, outcome.records)) if one.engines else []
    what = f"{name}, {devices} devices"
    yield Figure(f"{what}: records a second", "", [outcome.records / outcome.seconds])
    yield from _costs(outcome, S3_REQUESTS)
    yield _wait("  first attempt to receipt", [one.took_s for one in outcome.received])
    yield Figure("  memory of a process, at most (VmHWM)", "MB", memory_mb, digits=0)
    yield from _sums(outcome)
    if outcome.s3_requests:
        wal_kb = outcome.wal_bytes / outcome.records / 1e3
        yield Figure("  PostgreSQL's log (WAL) per record", "KB", [wal_kb])
    yield from manifests
    yield from erasing


def _attempts(outcome: Outcome) -> Figure:
    told = ", ".join(f"{times} × {why}" for why, times in sorted(outcome.failed.items()))
    note = f"attempts that came to nothing: {told or 'none'}"
    return Figure("records", "", [outcome.records], digits=0, note=note)


def _costs(outcome: Outcome, s3_requests: float | None = None) -> Iterator[Figure]:
    for process, used_s in outcome.used_s.items():
        whose = "the load itself: devices" if process == "devices" else process
        yield Figure(f"  CPU per record, {whose}", "ms", [used_s / outcome.records * 1e3])
    if outcome.s3_requests:
        requests = [outcome.s3_requests / outcome.records]
        yield Figure("  S3 requests per record", "", requests, s3_requests, digits=2)


def _wait(name: str, took_s: Sequence[float]) -> Figure:
    parts_s = statistics.quantiles(took_s, n=20, method="inclusive")
    note = f"p50; p95 is {parts_s[18] * 1e3:,.0f} ms"
    return Figure(name, "ms", [parts_s[9] * 1e3], digits=0, note=note)


def _sums(outcome: Outcome) -> Iterator[Figure]:
    judged = outcome.judged
    without = outcome.records - len(outcome.received)
    yield Figure("  records without a receipt", "", [without], at_most=0, digits=0)
    yield Figure("  lost", "", [len(judged.lost)], at_most=0, digits=0)
    yield Figure("  double", "", [len(judged.double)], at_most=0, digits=0)
    yield Figure("  not filed", "", [len(judged.unfiled)], at_most=0, digits=0)


def _erasing(servers: Servers, records: int) -> Iterator[Figure]:
    """Erase all that was received, by as many processes as there are instances."""
    with (servers.data / "backend.toml").open("a") as settings:
        settings.write("[retention]\nphoto_days = 0\n")
    before, processes = servers.s3_requests(), len(servers.intakes)
    erased, took_s = _expired(servers, processes)
    requests = servers.s3_requests() - before
    _, idle_s = _expired(servers, processes)
    assert erased == records, f"{erased} of {records} records were erased"
    note = f"by {processes} × the command `expire`, without its start"
    yield Figure("  erased: records a second", "", [records / (took_s - idle_s)], note=note)
    yield Figure("    S3 requests per record", "", [requests / records], digits=2)


def _expired(servers: Servers, processes: int) -> tuple[int, float]:
    """Return how many records were erased, and in how many seconds."""
    command = [sys.executable, "-m", "doorstep_backend", f"--data={servers.data}", "expire"]
    begun_s = time.monotonic()
    with (servers.data / "backend.log").open("a") as log:
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            for _ in range(processes)
        ]
        told = [one.communicate()[0].split() for one in running]
    return sum(int(words[1]) for words in told), time.monotonic() - begun_s


def _manifests(servers: Servers, times: int) -> Iterator[Figure]:
    """Ask what each device asks once a minute: its manifest, with a report of itself.

    One device asks, whose connection stays open, as nginx keeps it for 75 s.
    """
    office = open_office(Store(servers.data, objects_of(servers.data, None)))
    send_out(office, DEVICE_ID)
    token = Register(servers.data).let_in(DEVICE_ID)
    van = enrolled_by(servers, token, servers.data.parent, DEVICE_ID)
    with speaking_to(servers.base_url, servers.ca_file, van.files) as device:
        waiting, tags = count(), [""]

        def ask(status: int = 304) -> None:
            """Ask for it; each report says something new, so that each is written."""
            said = document(datetime.now(UTC), DEVICE_ID, queue=waits(next(waiting)))
            headers = {header.NAME: header.encoded(said), "If-None-Match": tags[-1]}
            url = f"{device.base_url}/manifest"
            answer = device.session.get(url, headers=headers, timeout=10)
            assert answer.status_code == status, f"{answer.status_code} {answer.text}"
            tags.append(answer.headers["ETag"])

        def ask_for_another() -> None:
            """Change one row, as a record's filing leaves it."""
            flip = "UPDATE orders SET done = NOT done WHERE number = ?"
            office.ledger.execute(flip, (number(1),))
            ask(200)

        ask(200)
        yield from _processor(servers, "as before", times, ask)
        yield from _processor(servers, "changed", times, ask_for_another)


def _processor(
    servers: Servers, how: str, times: int, ask: Callable[[], object]
) -> Iterator[Figure]:
    before_s, before_bytes = servers.used_s(), servers.wal_bytes()
    for _ in range(times):
        ask()
    note = f"{STOPS} stops; with a report that says something new"
    for name, used_s in servers.used_s().items():
        if name != "S3":
            what = f"  GET /manifest, {how}: {name}"
            yield Figure(what, "ms", [(used_s - before_s[name]) / times * 1e3], note=note)
            note = ""
    wal_kb = (servers.wal_bytes() - before_bytes) / times / 1e3
    yield Figure(f"  GET /manifest, {how}: PostgreSQL's log", "KB", [wal_kb])
