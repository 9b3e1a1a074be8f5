"""A peak: devices in processes of their own, misfortunes beside them, and the result."""

import multiprocessing
import queue
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Final, TypeVar

from doorstep_backend.identity.register import Register
from doorstep_backend.wire.filing_backlog import AGAIN
from tests.bench.device import door_jpeg
from tests.bench.fleet import devices, misfortunes
from tests.bench.fleet.devices import Address, Failed, Held, News, Ready, Received, Share
from tests.bench.fleet.kept import Judged, judged, kept
from tests.bench.fleet.misfortunes import Misfortune, MisfortuneContext, Say
from tests.bench.fleet.plan import Press
from tests.bench.fleet.servers import Servers, tree_s
from tests.support.filed import await_filed

PROCESSES: Final = 4
"""Processes of devices: one alone would be slower than the servers, by its own threads."""

MEMORY: Final = Path("/dev/shm")

MEMORY_BYTES: Final = 2_000_000_000
"""Several times what the records of a run take: 1,200 of 0.35 MB."""

READY_WITHIN_S: Final = 300.0
OVER_WITHIN_S: Final = 300.0
"""Longest waits, for 200 devices' enrolment, and after the last press for the last receipt."""

FILED_WITHIN_S: Final = AGAIN.total_seconds() + 30.0
"""Then also what could not be filed at first, while S3 was away."""

LOOK_S: Final = 0.5

OneNews = TypeVar("OneNews", Ready, Held)

SPEAK_S: Final = 10.0
"""From line to line of progress."""


@dataclass
class Outcome:
    """The outcome of a peak.

    Attributes:
        records: how many were made.
        received: each receipt, as it came to a device.
        failed: attempts that came to nothing, by what was answered.
        seconds: from the begin to the last receipt.
        used_s: of a processor, by whom.
        s3_requests: by the engine's own count, also of filing.
        wal_bytes: what PostgreSQL wrote to the log that is archived.
        others: records without a receipt, in words.
    """

    records: int
    received: list[Received] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    used_s: dict[str, float] = field(default_factory=dict)
    s3_requests: int = 0
    wal_bytes: int = 0
    others: list[str] = field(default_factory=list)
    judged: Judged = field(default_factory=lambda: Judged(set(), set(), set()))

    @property
    def is_good(self) -> bool:
        """Every record has its receipt, and is there once."""
        judged = self.judged
        bad = judged.lost or judged.double or judged.unfiled or self.others
        return len(self.received) == self.records and not bad


def play(
    servers: Servers,
    presses: list[Press],
    misfortune: Misfortune = misfortunes.none,
    say: Say = lambda _words: None,
) -> Outcome:
    """Lets the devices live until each record has its receipt, and looks at what is kept.

    For so long as that may take: what is without one then is among the `others`.

    Raises:
        RuntimeError: a process of devices ended, or did not begin in time.
    """
    with _fleet(servers, presses) as fleet:
        fleet.await_ready()
        used_s, requests, wal_bytes = servers.used_s(), servers.s3_requests(), servers.wal_bytes()
        generator_s = fleet.used_s()
        outcome = Outcome(len(presses))
        within_s = max(one.at_s for one in presses) + OVER_WITHIN_S
        fleet.watch(
            outcome, misfortune, MisfortuneContext(servers, say, threading.Event()), within_s
        )
        with suppress(AssertionError):  # who looks at what is kept finds what is not filed
            await_filed(servers.data, FILED_WITHIN_S)
        outcome.used_s = {
            name: after_s - used_s[name] for name, after_s in servers.used_s().items()
        } | {"devices": fleet.used_s() - generator_s}
        outcome.s3_requests = servers.s3_requests() - requests
        outcome.wal_bytes = servers.wal_bytes() - wal_bytes
        held = fleet.end()
    outcome.others = held.others
    outcome.judged = judged(held.receipts, kept(servers))
    return outcome


@contextmanager
def _fleet(servers: Servers, presses: list[Press]) -> Iterator["_Fleet"]:
    with tempfile.TemporaryDirectory(prefix="doorstep-vans-", dir=_roomy_memory()) as folder:
        picture_file = Path(folder) / "door.jpg"
        picture_file.write_bytes(door_jpeg())
        fleet = _Fleet(_shares(Path(folder), servers, presses, picture_file))
        try:
            yield fleet
        finally:
            fleet.kill()


def _roomy_memory() -> Path | None:
    """Where it has room: each device has a card of its own, and the servers' disk is not it."""
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES
    return MEMORY if is_roomy else None


def _shares(
    folder: Path, servers: Servers, presses: list[Press], picture_file: Path
) -> Iterator[Share]:
    """The devices, dealt out like cards."""
    register = Register(servers.data)
    to = Address(servers.base_url, servers.ca_file, servers.fleet_key_file)
    count = 1 + max(one.device for one in presses)
    for number in range(min(PROCESSES, count)):
        names = [f"van-{one:04}" for one in range(number, count, PROCESSES)]
        own = [one for one in presses if one.device % PROCESSES == number]
        yield Share(
            folder / str(number),
            to,
            {name: register.let_in(name) for name in names},
            [Press(one.at_s, one.device // PROCESSES) for one in own],
            picture_file,
        )


class _Fleet:
    """Processes of devices, and what they tell."""

    def __init__(self, shares: Iterator[Share]) -> None:
        context = multiprocessing.get_context("spawn")
        self._news: Queue[News] = context.Queue()
        self._begins, self._ended = context.Event(), context.Event()
        signs = self._news, self._begins, self._ended
        self._processes: list[BaseProcess] = [
            context.Process(target=devices.live, args=(share, *signs), daemon=True)
            for share in shares
        ]
        for one in self._processes:
            one.start()

    def await_ready(self) -> None:
        for _ in self._processes:
            self._await(Ready)

    def used_s(self) -> float:
        return sum(tree_s(one.pid) for one in self._processes if one.pid is not None)

    def watch(
        self, outcome: Outcome, misfortune: Misfortune, told: MisfortuneContext, within_s: float
    ) -> None:
        """From the begin to the last receipt, or for so long."""
        began_s = time.monotonic()
        self._begins.set()
        with ThreadPoolExecutor(1) as beside:
            happening = beside.submit(misfortune, told)
            try:
                self._count(outcome, happening, told.say, within_s)
            finally:
                told.ended.set()
        happening.result()
        moments_s = [one.at_s for one in outcome.received]
        outcome.seconds = max(moments_s, default=began_s) - began_s

    def _count(self, outcome: Outcome, happening: Future[None], say: Say, within_s: float) -> None:
        now_s = time.monotonic()
        until_s, speaks_s = now_s + within_s, now_s + SPEAK_S
        while len(outcome.received) < outcome.records or not happening.done():
            if time.monotonic() > until_s:
                return
            match self._next():
                case Received() as one:
                    outcome.received.append(one)
                case Failed(_, why):
                    outcome.failed[why] += 1
            if time.monotonic() > speaks_s:
                say(f"{len(outcome.received)} of {outcome.records} receipts are there")
                speaks_s += SPEAK_S

    def end(self) -> Held:
        """Return what all of them hold, and hang up."""
        self._ended.set()
        receipts: dict[str, str] = {}
        others: list[str] = []
        for _ in self._processes:
            told = self._await(Held)
            receipts |= told.receipts
            others += told.others
        return Held(receipts, others)

    def kill(self) -> None:
        for one in self._processes:
            one.kill()
            one.join()

    def _await(self, kind: type[OneNews]) -> OneNews:
        until_s = time.monotonic() + READY_WITHIN_S
        while not isinstance(told := self._next(), kind):
            if time.monotonic() > until_s:
                raise RuntimeError("the devices take too long")
        return told

    def _next(self) -> News | None:
        """None where nobody says anything for a while."""
        try:
            return self._news.get(timeout=LOOK_S)
        except queue.Empty:
            ended = [one.exitcode for one in self._processes if one.exitcode]
            if ended:
                raise RuntimeError(f"a process of devices ended with {ended[0]}") from None
            return None
