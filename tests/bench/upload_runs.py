"""One contender over one line: what it sends, how long it takes, what the line has carried."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from agent.identity.device_key import device_key
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.record.signing import PrivateKey
from hardware.clock_system import boot_id
from tests.bench.drain import requests_for_records
from tests.bench.stock import JPEG_QUALITY_PCT, stock
from tests.bench.upload_jobs import Job, Record, start
from tests.bench.upload_lines import Open
from tests.support.device import Device
from tests.support.enrolment import enrolled_beside

LOOK_S: Final = 0.05
"""How often the bench looks whether a contender is done."""

END_WITHIN_S: Final = 15.0
"""Longest end of a contender that has all its receipts."""


@dataclass(frozen=True, slots=True)
class Load:
    """Records to upload; the same for every contender on a line.

    Attributes:
        device: whose queue holds them; only `doorstep sync` takes them from there.
        key: that signed them.
    """

    device: Device
    records: list[Record]
    key: PrivateKey

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.records)


@dataclass(frozen=True, slots=True)
class Run:
    """What one contender did.

    Attributes:
        asked: records it was given.
        record_bytes: size of one; they differ by some bytes only.
        requests: for the records.
        seconds: from the start of its process to the last receipt, or all of its time.
        each_ms: from receipt to receipt, by one clock of the machine.
        sent_bytes: counted at the bottleneck, towards the server; None if there is none.
    """

    name: str
    asked: int
    record_bytes: int
    delivered: int
    seconds: float
    each_ms: list[float]
    requests: int
    handshakes: int
    sent_bytes: int | None

    @property
    def useful_bytes(self) -> int:
        """Bytes of the records that have a receipt."""
        return self.record_bytes * self.delivered

    @property
    def useful_pct(self) -> float:
        """Useful by sent bytes; 0 if nothing was sent or counted."""
        return 100 * self.useful_bytes / self.sent_bytes if self.sent_bytes else 0.0


def loaded(folder: Path, records: int, jpeg_quality_pct: int = JPEG_QUALITY_PCT) -> Load:
    """Fill the queue of a new device; about 300 KB a record unless a quality is given."""
    made = Device(folder, device={"id": folder.name})
    with stock(made, jpeg_quality_pct) as queue:
        items = [queue.outbox.get(queue.add()) for _ in range(records)]
    listed = [Record.of(item, made.layout.record(item.capture_id)) for item in items]
    return Load(made, listed, device_key(made.layout)[0])


def run(name: str, line: Open, load: Load, folder: Path, window_s: float) -> Run:
    """Let a contender upload the load, for `window_s` at most.

    Raises:
        RuntimeError: it ended without having uploaded all.
    """
    folder.mkdir(parents=True)
    identity = enrolled_beside(line.server.data, folder, load.device.folder.name, load.key)
    job = Job(folder, line.server, line.port, load.device, load.records, identity)
    carried = line.carried_bytes
    began_ns = time.monotonic_ns()
    with _ending(start(name, job)) as process:
        receipts_ns = _awaited(process, job, began_ns + int(window_s * 1e9))
        is_whole = len(receipts_ns) == len(job.records)
        last_ns = receipts_ns[-1] if is_whole else time.monotonic_ns()
        after, counts = line.carried_bytes, line.server.counts()
        if is_whole:
            _await_end(name, process, job)
    return Run(
        name,
        len(job.records),
        load.bytes // len(job.records),
        len(receipts_ns),
        (last_ns - began_ns) / 1e9,
        [(b - a) / 1e6 for a, b in pairwise(receipts_ns)],
        requests_for_records(counts),
        counts.handshakes,
        None if after is None or carried is None else after - carried,
    )


def _awaited(process: "subprocess.Popen[bytes]", job: Job, until_ns: int) -> list[int]:
    """Return the moments of the receipts once all are there, or the time is over."""
    while True:
        is_over = time.monotonic_ns() > until_ns
        is_gone = process.poll() is not None
        receipts_ns = job.server.receipts_ns()
        if is_over or len(receipts_ns) == len(job.records):
            return receipts_ns
        if is_gone:
            raise RuntimeError(f"it ended with {process.returncode}:\n{_log(job)}")
        time.sleep(LOOK_S)


def _await_end(name: str, process: "subprocess.Popen[bytes]", job: Job) -> None:
    """Wait until the contender knows, too: our queue is empty, another's process has ended."""
    until_s = time.monotonic() + END_WITHIN_S
    while _waiting(job) if name == "ours" else process.poll() is None:
        if time.monotonic() > until_s:
            raise RuntimeError(f"{name} does not see that all was received:\n{_log(job)}")
        time.sleep(LOOK_S)
    if process.poll():
        raise RuntimeError(f"{name} ended with {process.returncode}:\n{_log(job)}")


def _waiting(job: Job) -> int:
    with closing(Database(job.device.layout)) as database:
        return Outbox(database, boot_id()).counts().waiting


@contextmanager
def _ending(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.terminate()
        process.wait(END_WITHIN_S)


def _log(job: Job) -> str:
    return (job.folder / "log").read_text()[-2000:]
