"""A contender over one line: what it sends, how long it takes, what the line has carried."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from agent.identity.device_key import device_key
from agent.models import Item
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.record.signing import PrivateKey
from agent.trust.store import TrustStore
from doorstep_backend.identity.fleet import FleetDocuments
from hardware.clock_system import boot_id
from tests.bench.device import JPEG_QUALITY_PCT, door_jpeg
from tests.bench.queues import OurQueue
from tests.bench.upload_clients import AGAIN_S
from tests.bench.upload_lines import Open
from tests.support.backend import REPOSITORY
from tests.support.device import Device
from tests.support.enrolment import Enrolled, enrolled_beside, required
from tests.support.npm import program
from tests.support.waiting import until

LOOK_S: Final = 0.05
"""Time between the looks of the bench at a contender that is not done."""

DOCUMENTS: Final = ("GET /fleet", "GET /manifest")
"""Requests for documents, which follow the clock and not the record, as the backend counts them."""

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
    records: list[Item]
    key: PrivateKey

    @property
    def record_bytes(self) -> int:
        """Size of one; they differ by some bytes only."""
        return sum(one.bytes for one in self.records) // len(self.records)


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a contender.

    Attributes:
        requests: for the records.
        seconds: from the start of its process to the last receipt, or all of its time.
        each_ms: from receipt to receipt, by one clock of the machine.
        sent_bytes: counted at the bottleneck, towards the server.
    """

    name: str
    load: Load
    delivered: int
    seconds: float
    each_ms: list[float]
    requests: int
    handshakes: int
    sent_bytes: int

    @property
    def useful_bytes(self) -> int:
        """Bytes of the records that have a receipt."""
        return self.load.record_bytes * self.delivered


@dataclass(frozen=True, slots=True)
class Job:
    """A contender's work on one line; it shows the device's own certificate."""

    folder: Path
    line: Open
    load: Load
    identity: Enrolled

    def write(self) -> str:
        """Return a file that says all of it, as JSON."""
        certificate, key = map(str, self.identity.files)
        told = {"url": self.line.url, "ca": str(self.line.server.ca_file)}
        records = [self.record(one) for one in self.load.records]
        path = self.folder / "job.json"
        path.write_text(
            json.dumps(told | {"certificate": certificate, "key": key, "records": records})
        )
        return str(path)

    def record(self, item: Item) -> dict[str, object]:
        """Return a record's file, and what is announced of it."""
        kind = "application/octet-stream"
        said = {"capture_id": item.capture_id, "sha256": item.sha256, "filetype": kind}
        pairs = ((key, base64.b64encode(text.encode()).decode()) for key, text in said.items())
        return {
            "capture_id": item.capture_id,
            "path": str(self.load.device.layout.record(item.capture_id)),
            "bytes": item.bytes,
            "said": said,
            "metadata": ",".join(f"{key} {text}" for key, text in pairs),
        }


def ours(job: Job) -> list[str]:
    """`doorstep sync`, the real process, on the queue that the stock has filled."""
    server, device = job.line.server, job.load.device
    tables = required(server, job.line.url)
    device.configure(device={"id": job.identity.device_id}, **tables)
    job.identity.into(device.layout.sync_keys)
    TrustStore(device.layout).keep_fleet((FleetDocuments(server.data).served(None),))
    return device.words("sync")


def python_client(name: str) -> Callable[[Job], list[str]]:
    """Return what starts a client of upload_clients.py."""
    words = [sys.executable, "-W", "ignore", "-m", "tests.bench.upload_clients", name]
    return lambda job: [*words, job.write()]


def curl(job: Job) -> list[str]:
    """Return a command of one process, one kept connection, one PUT per record."""
    config = job.folder / "curl.config"
    steps = (_curl_step(job, job.record(one)) for one in job.load.records)
    config.write_text("next\n".join(steps))
    return [program("curl", "curl"), "--disable", "--config", str(config)]


CONTENDERS: Final[dict[str, Callable[[Job], list[str]]]] = {
    "ours": ours,
    "raw socket": python_client("raw"),
    "curl": curl,
    "tuspy": python_client("tuspy"),
}
"""Each prepares a job and returns the command that does it."""


def _curl_step(job: Job, record: dict[str, object]) -> str:
    lines = {
        "url": f"{job.line.url}/put/{record['capture_id']}",
        "upload-file": record["path"],
        "output": os.devnull,
        "cacert": job.line.server.ca_file,
        "cert": job.identity.certificate_file,
        "key": job.identity.key_file,
        "retry": 1_000,
        "retry-delay": AGAIN_S,
    }
    words = ["silent", "show-error", "fail", "retry-all-errors"]
    words += [f'{name} = "{value}"' for name, value in lines.items()]
    words += [f'header = "Upload-Length: {record["bytes"]}"', 'header = "Expect:"']
    words += [f'header = "Upload-Metadata: {record["metadata"]}"']
    return "\n".join(words) + "\n"


def loaded(folder: Path, records: int, jpeg_quality_pct: int = JPEG_QUALITY_PCT) -> Load:
    """Fill the queue of a new device; about 300 KB a record unless a quality is given."""
    made = Device(folder, device={"id": folder.name})
    image = door_jpeg(jpeg_quality_pct)
    with closing(OurQueue(made.layout, folder.name)) as queue:
        items = [queue.add(image) for _ in range(records)]
    return Load(made, items, device_key(made.layout)[0])


def run(name: str, line: Open, load: Load, folder: Path, window_s: float) -> Run:
    """Let a contender upload the load, for `window_s` at most.

    Raises:
        AssertionError: it ended without having uploaded all, or did not end afterwards.
    """
    folder.mkdir(parents=True)
    identity = enrolled_beside(line.server.data, folder, load.device.folder.name, load.key)
    job, carried = Job(folder, line, load, identity), line.counter.carried_bytes
    began_ns = time.monotonic_ns()
    until_ns = began_ns + int(window_s * 1e9)
    with _started(name, job) as process:
        while len(receipts_ns := line.server.receipts_ns()) < len(load.records):
            if time.monotonic_ns() > until_ns:
                break
            assert process.poll() is None, f"{name} ended:\n{_log(job)}"
            time.sleep(LOOK_S)
        is_whole = len(receipts_ns) == len(load.records)
        last_ns = receipts_ns[-1] if is_whole else time.monotonic_ns()
        sent_bytes, counts = line.counter.carried_bytes - carried, line.server.counts()
        if is_whole:
            until(lambda: _knows(name, process, job), END_WITHIN_S, told=lambda: _log(job))
            assert not process.poll(), f"{name} ended with {process.returncode}:\n{_log(job)}"
    return Run(
        name,
        load,
        len(receipts_ns),
        (last_ns - began_ns) / 1e9,
        [(b - a) / 1e6 for a, b in pairwise(receipts_ns)],
        counts.requests - sum(counts.by_method.get(one, 0) for one in DOCUMENTS),
        counts.handshakes,
        sent_bytes,
    )


def _knows(name: str, process: "subprocess.Popen[bytes]", job: Job) -> bool:
    """Return whether the contender knows: our queue is empty, another's process has ended."""
    if name != "ours":
        return process.poll() is not None
    with closing(Database(job.load.device.layout)) as database:
        return Outbox(database, boot_id()).counts().waiting == 0


@contextmanager
def _started(name: str, job: Job) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a contender until the block ends; what it says is in a log in the job's folder."""
    command, ca = CONTENDERS[name](job), str(job.line.server.ca_file)
    trusting = os.environ | {"REQUESTS_CA_BUNDLE": ca}
    with (job.folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log, env=trusting)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(END_WITHIN_S)


def _log(job: Job) -> str:
    return (job.folder / "log").read_text()[-2000:]
