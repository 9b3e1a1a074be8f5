"""Many devices that listen, and the one process that pulls them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

from agent.queue.database import Database
from tests.backend.identity.database import opened
from tests.bench import listeners
from tests.bench.device import Memory, cpu_s, memory_of
from tests.bench.figures import Figure
from tests.bench.rows import insert, waiting_rows
from tests.support.backend import REPOSITORY
from tests.support.served import Served, prepared

EACH_S: Final = 60.0
"""How often a fleet is pulled, and so the longest that a round may take."""

ROWS: Final = 100

_ROUND: Final = re.compile(r" UTC  ([0-9,]+) asked in ([0-9.]+) s, ([0-9,]+) gave no report$")


@dataclass(frozen=True, slots=True)
class _Pulled:
    """One round.

    Attributes:
        cpu_s: of the puller.
        listeners_cpu_s: of all that it asked.
    """

    seconds: float
    missing: int
    cpu_s: float
    listeners_cpu_s: float


def measure(folder: Path, count: int, rounds: int) -> Iterator[Figure]:
    """Pulls round after round; the first one, in which everything starts, does not count."""
    served = prepared(folder / "listeners")
    data = _backend(folder / "puller", served, count)
    rows = islice(waiting_rows(), ROWS)
    with closing(Database(served.device.layout, migrates=True)) as database:
        insert(database, rows)
        with (
            _listening(served, count) as (pid, ports),
            _pulling(data, served, ports) as puller,
        ):
            assert puller.stdout is not None
            pulled = list(_rounds(puller.stdout, (puller.pid, pid), rounds))
            memory = memory_of(puller.pid)
    return _figures(count, pulled[1:], memory)


def _backend(data: Path, served: Served, count: int) -> Path:
    """A backend's folder: the authority, and the register with all of them."""
    (data / "ca").mkdir(parents=True)
    (data / "ca" / "ca.pem").write_bytes(served.ca_file.read_bytes())
    with closing(opened(data)) as register, register.together():
        rows = [(listeners.device_id(number), "in", False) for number in range(count)]
        register.executemany("INSERT INTO enrolled VALUES (?, ?, ?)", rows)
    return data


@contextmanager
def _listening(served: Served, count: int) -> Iterator[tuple[int, list[str]]]:
    """The process and its ports."""
    listeners.give_certificates(served.device.layout, served.authority, count)
    words = ["tests.bench.listeners", str(served.device.config), str(count)]
    with _process(words, served.device.folder / "listeners.log") as process:
        assert process.stdout is not None
        ports = process.stdout.readline().split()
        if len(ports) != count:
            raise RuntimeError((served.device.folder / "listeners.log").read_text())
        yield process.pid, ports


@contextmanager
def _pulling(data: Path, served: Served, ports: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    addresses = [f"https://127.0.0.1:{port}" for port in ports]
    words = ["tests.backend", "--data", str(data), "pull", *addresses]
    words += ["--cert", str(served.client_file), "--every", "1"]
    with _process(words, data / "pull.log") as process:
        yield process


@contextmanager
def _process(words: Sequence[str], log: Path) -> Iterator["subprocess.Popen[str]"]:
    """Python, `-m` and these words; ends with the block."""
    command = [sys.executable, "-m", *words]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _rounds(told: IO[str], pids: tuple[int, int], count: int) -> Iterator[_Pulled]:
    before = [cpu_s(pid) for pid in pids]
    for line in told:
        if found := _ROUND.search(line.rstrip()):
            now = [cpu_s(pid) for pid in pids]
            puller_s, listeners_s = (
                after - earlier for after, earlier in zip(now, before, strict=True)
            )
            yield _Pulled(float(found[2]), int(found[3].replace(",", "")), puller_s, listeners_s)
            before, count = now, count - 1
            if not count:
                return
    raise RuntimeError("the puller ended")


def _figures(count: int, rounds: Sequence[_Pulled], memory: Memory) -> Iterator[Figure]:
    each_ms = [one.listeners_cpu_s / count * 1e3 for one in rounds]
    yield Figure(
        f"pull, {count:,} listeners: one round",
        "s",
        [one.seconds for one in rounds],
        at_most=EACH_S,
        digits=2,
        note="asked once a minute, each over a new TLS connection with two certificates. All "
        f"listeners are one process here and share {os.cpu_count()} cores with the puller",
        pi="each device has its own processor, and a line with a delay: a round waits for lines, "
        "64 at a time.",
    )
    yield Figure(
        "  listeners that gave no report",
        "",
        [float(one.missing) for one in rounds],
        at_most=0,
        digits=0,
    )
    cpu = [one.cpu_s for one in rounds]
    yield Figure("  processor of the puller, each round", "s", cpu, digits=2)
    share = [one / EACH_S * 100 for one in cpu]
    yield Figure("  processor of the puller, of a minute", "%", share, digits=1)
    yield Figure("  puller: peak (VmHWM)", "MB", [memory.peak_mb])
    yield Figure("  processor of a device, each answer", "ms", each_ms, digits=2)
