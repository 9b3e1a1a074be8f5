"""Many devices at once: the embedded backend beside instances on PostgreSQL and S3, in one run.

Devices, engines and instances share the cores of this machine, so records a second are the whole
machine's; CPU per record says what a bigger one would do.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench import minutely
from tests.bench.device import memory_of
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.peak import misfortunes, plan, servers
from tests.peak.play import Outcome, play
from tests.peak.report import percentiles
from tests.peak.servers import Engines, Servers
from tests.support import needs

NEEDS: Final = servers.NEEDS

FEW: Final = 50
MANY: Final = 200

S3_REQUESTS: Final = 2.1
"""Per record: put, and read back; once more where its instance did not file it within 5 s."""

KILL_EVERY_S: Final = 3.0

PRESS_EVERY_S: Final = 0.125
"""8 records a second, some two thirds of what two cores do beside processes that start."""


def measure(rig: Rig) -> list[Figure]:
    """All that waits is sent, as after an hour without a network."""
    _check()
    folder, records = rig.folder / "peak", rig.peak_records
    with servers.engines(folder) as engines:
        return [
            *_drain("1 process, SQLite and files", servers.embedded(folder / "one"), FEW, records),
            *_drain("1 instance", _spread(folder, engines, 1), FEW, records, rig.asked),
            *_drain("2 instances", _spread(folder, engines, 2), FEW, records),
            *_drain("2 instances", _spread(folder, engines, 2, "many"), MANY, records),
        ]


def kills(rig: Rig) -> list[Figure]:
    """Two instances, of which one is killed every 3 s."""
    _check()
    lasts_s = rig.kills_s
    presses = plan.steady(FEW, PRESS_EVERY_S, lasts_s)
    happens = partial(misfortunes.kills, every_s=KILL_EVERY_S, lasts_s=lasts_s)
    killed: list[str] = []
    folder = rig.folder / "kills"
    with servers.engines(folder) as engines, servers.spread(folder / "two", engines, 2) as two:
        outcome = play(two, presses, happens, lambda words: _note(killed, words))
    return list(_kill_figures(outcome, len(killed)))


def _note(killed: list[str], words: str) -> None:
    if words.startswith("kill "):
        killed.append(words)


def _check() -> None:
    if told := needs.told(*NEEDS):
        raise RuntimeError(told)


def _spread(
    folder: Path, engines: Engines, intakes: int, name: str = "few"
) -> AbstractContextManager[Servers]:
    return servers.spread(folder / f"{name}-{intakes}", engines, intakes)


def _drain(
    name: str,
    started: AbstractContextManager[Servers],
    devices: int,
    records: int,
    asked: int = 0,
) -> Iterator[Figure]:
    """And then `asked` manifests of one device."""
    with started as one:
        outcome = play(one, plan.waiting(devices, records))
        manifests = list(minutely.measure(one, asked)) if asked else []
        memory_mb = [memory_of(each.backend.pid).peak_mb for each in one.intakes]
        erasing = list(_erasing(one, outcome.records)) if one.engines else []
    what = f"{name}, {devices} devices"
    yield Figure(f"{what}: records a second", "", [outcome.records / outcome.seconds])
    yield from _processor(outcome)
    yield _wait(outcome)
    yield Figure("  memory of a process, at most (VmHWM)", "MB", memory_mb, digits=0)
    yield from _sums(outcome)
    if outcome.s3_requests:
        requests = [outcome.s3_requests / outcome.records]
        yield Figure("  S3 requests per record", "", requests, at_most=S3_REQUESTS, digits=2)
        wal_kb = outcome.wal_bytes / outcome.records / 1e3
        yield Figure("  PostgreSQL's log (WAL) per record", "KB", [wal_kb])
    yield from manifests
    yield from erasing


def _erasing(servers: Servers, records: int) -> Iterator[Figure]:
    """All that was received, by as many processes as there are instances; these do not know it."""
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
    """How many records were erased, and in how many seconds."""
    command = [sys.executable, "-m", "tests.backend", f"--data={servers.data}", "expire"]
    begun_s = time.monotonic()
    with (servers.data / "backend.log").open("a") as log:
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            for _ in range(processes)
        ]
        told = [one.communicate()[0].split() for one in running]
    return sum(int(words[1]) for words in told), time.monotonic() - begun_s


def _processor(outcome: Outcome) -> Iterator[Figure]:
    for name, used_s in outcome.used_s.items():
        whose = "the load itself: devices" if name == "devices" else name
        yield Figure(f"  CPU per record, {whose}", "ms", [used_s / outcome.records * 1e3])


def _wait(outcome: Outcome) -> Figure:
    p50, p95 = percentiles([one.took_s * 1e3 for one in outcome.received])
    note = f"p50; p95 is {p95:,.0f} ms"
    return Figure("  first attempt to receipt", "ms", [p50], digits=0, note=note)


def _sums(outcome: Outcome) -> Iterator[Figure]:
    judged = outcome.judged
    without = outcome.records - len(outcome.received)
    yield Figure("  records without a receipt", "", [without], at_most=0, digits=0)
    yield Figure("  lost", "", [len(judged.lost)], at_most=0, digits=0)
    yield Figure("  double", "", [len(judged.double)], at_most=0, digits=0)


def _kill_figures(outcome: Outcome, killed: int) -> Iterator[Figure]:
    told = ", ".join(f"{times} × {why}" for why, times in sorted(outcome.failed.items()))
    note = f"attempts that came to nothing: {told or 'none'}"
    yield Figure("records", "", [outcome.records], digits=0, note=note)
    yield Figure("  kills", "", [killed], digits=0)
    yield from _sums(outcome)
    yield _wait(outcome)
