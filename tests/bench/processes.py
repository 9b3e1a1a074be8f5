"""Whole processes of the device: how long they take, and their memory.

Times stand beside what does the least: a Python that does nothing, or sha256sum.
"""

import json
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from agent.models import RecordState
from agent.queue.database import Database
from agent.record import signing
from tests.bench.device import cpu_ms, memory_of, new_device, running
from tests.bench.frame import Figure, Rig, by_turns, run_ms
from tests.bench.machine import bare_python
from tests.bench.rows import LONG_ANSWER, insert, waiting_rows
from tests.support.backend import REPOSITORY
from tests.support.device import Device
from tests.support.outsider import Office
from tests.support.photographed import PLAIN, Camera
from tests.support.sealed import IDENTITY_FILE
from tests.support.served import served

CAPTURE_MB: Final = 180.0
SERVE_MB: Final = 35.0
"""Leave a Zero 2 W's 512 MB room for the system, the camera and `sync`; MB of 1,000,000 bytes."""

DOOR_S: Final = 4.5
"""From door to door: the simulated camera draws the next scene in 2.5 s, a second after a press."""

FEW: Final = 10
MANY: Final = 100_000
"""A device on its round, and one that sent nothing for two years."""

ALARMING: Final = 6
"""Rows that need a person: more than the document names."""

DOCUMENT_BYTES: Final = 1_500
"""Short enough for a header, and to be asked for over a bad line."""

NEVER_S: Final = 1e9
"""CLOCK_BOOTTIME at which the rows are due, so that the running `sync` leaves them alone: in 30
years, which a queue still believes."""

PHOTO_BYTES: Final = 400_000
"""A photo at 2304x1296 has 300,000 to 415,000."""

VERIFY_S: Final = 10.0
"""For a thousand: what somebody waits for without doing something else."""

BARE: Final = "python3 -c pass"


def start(rig: Rig) -> Iterator[Figure]:
    """Start `capture` again and again on one state, beside a Python that does nothing."""
    device = Device(rig.folder / "start")
    _lights(device)  # which makes key and queue, and compiles the code as pip does
    found: dict[str, list[float]] = {}
    for _ in range(rig.times(10, 3)):
        for name, took_ms in {BARE: run_ms(bare_python), **_lights(device)}.items():
            found.setdefault(name, []).append(took_ms)
    for name, samples in found.items():
        yield Figure(name, "ms", samples, digits=0)


def _lights(device: Device) -> dict[str, float]:
    """Return wall and processor time until the first light, and until ready, in ms."""
    found: dict[str, float] = {}
    began_s = time.monotonic()
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(device.folder / "pyc")}
    with subprocess.Popen(
        device.words("capture"), cwd=REPOSITORY, env=os.environ | compiled, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            is_ready = b"event=light signal=ready" in line
            if is_ready or (b"event=light" in line and not found):
                name = "ready" if is_ready else "first light"
                found[name] = (time.monotonic() - began_s) * 1e3
                found[f"  processor until {name}"] = cpu_ms(process.pid)
            if is_ready:
                break
        process.terminate()
        process.stderr.read()
    if "ready" not in found:
        raise RuntimeError("it did not get ready")
    return found


def memory(rig: Rig) -> Iterator[Figure]:
    """Press at several doors, and ask `serve`; the memory of `sync` is in the section `drain`."""
    doors = rig.times(6, 2)
    device = new_device(rig.folder / "memory-capture", rig.backend, doors=doors)
    found = []
    with running(device, "capture"):
        for _ in range(doors):
            device.press()
            found.append(memory_of(device.pid("capture")))
            time.sleep(DOOR_S)
    peak_mb = max(one.peak_mb for one in found)
    note = f"{doors} doors, 2304x1296"
    yield Figure("capture: peak (VmHWM)", "MB", [peak_mb], CAPTURE_MB, note=note)
    resident_mb = [one.resident_mb for one in found]
    yield Figure("capture: resident (VmRSS)", "MB", resident_mb, CAPTURE_MB)
    yield _serve_memory(rig)


def _serve_memory(rig: Rig) -> Figure:
    targets = ("/v1/status", "/v1/captures?limit=100", "/metrics")
    asked = rig.times(300, 30)
    with served(rig.folder / "memory-serve") as one:
        one.device.start("capture")  # it makes the queue
        with closing(Database(one.device.layout)) as database:
            insert(database, islice(alarming_rows(), MANY))
        with closing(one.line(one.client_file)) as line:
            for target in islice(cycle(targets), asked):
                line.request("GET", target)
                answer = line.getresponse()
                if not answer.read() or answer.status != 200:
                    raise RuntimeError(f"{target}: {answer.status}")
        resident_mb = [memory_of(one.pid).resident_mb]
    note = f"{MANY:,} rows; after {asked} requests for status, a page of 100 records and /metrics"
    return Figure("serve: resident (VmRSS)", "MB", resident_mb, SERVE_MB, note=note)


def status(rig: Rig) -> Iterator[Figure]:
    """Ask a device whose two processes run, with ten rows and with a hundred thousand."""
    device = new_device(rig.folder / "status", rig.backend)
    with running(device, "capture", "sync"), closing(Database(device.layout)) as database:
        queued = alarming_rows()
        insert(database, islice(queued, FEW))
        yield from _asked(device, rig, FEW)
        insert(database, islice(queued, MANY - FEW))
        yield from _asked(device, rig, MANY)


def alarming_rows() -> Iterator[dict[str, Any]]:
    """Yield rows without end: the first few alarming, with long answers, the others waiting."""
    for row in waiting_rows(NEVER_S):
        is_refused = row["seq"] <= ALARMING
        yield row | ({"state": RecordState.REFUSED, "answer": LONG_ANSWER} if is_refused else {})


def _asked(device: Device, rig: Rig, rows: int) -> Iterator[Figure]:
    said: list[str] = []

    def ask() -> None:
        said.append(device.run("status", "--json").stdout)

    jobs = {BARE: lambda: run_ms(bare_python), "status": lambda: run_ms(ask)}
    bare_ms, status_ms = by_turns(rig.times(20, 5), jobs).values()
    if json.loads(said[-1])["queue"].get("refused") != ALARMING:
        raise RuntimeError(f"it did not look at the queue: {said[-1]}")
    by_bare = [one / statistics.median(bare_ms) for one in status_ms]
    note = f"{ALARMING} rows refused and the others all waiting; capture and sync run and are asked"
    yield Figure(f"status, {rows:,} rows, by {BARE}", "x", by_bare, digits=2, note=note)
    yield Figure(f"  time, {rows:,} rows", "ms", status_ms)
    yield Figure(f"  document, {rows:,} rows", "B", [len(said[-1])], DOCUMENT_BYTES, digits=0)


def verify(rig: Rig) -> Iterator[Figure]:
    """Verify a thousand records; fewer of them in a quick run, calculated for a thousand."""
    folder, number = rig.folder / "outsider", rig.times(1_000, 100)
    words, device = _hand_over(folder, number), Device(rig.folder / "elsewhere")
    files = sorted(folder.glob("*.rec"))
    cpu_s: list[float] = []

    def ours() -> None:
        used_s = _children_s()
        told = device.run("verify", str(folder), *words)
        cpu_s.append((_children_s() - used_s) * 1000 / number)
        if not told.stdout.endswith("holds: everything verifies\n"):
            raise RuntimeError(f"it does not verify:\n{told.stdout[-500:]}{told.stderr}")

    def sums() -> None:
        subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)

    jobs = {job.__name__: lambda job=job: run_ms(job) / number for job in (ours, sums)}
    taken_s = by_turns(3, jobs)
    name = "doorstep verify of 1,000 sealed photos of 400 KB"
    note = (
        "opened, with Content Credentials, certificate, receipts and the list of revoked keys; "
        "the whole process"
    )
    yield Figure(name, "s", taken_s["ours"], at_most=VERIFY_S, note=note)
    yield Figure("  of it, processor", "s", cpu_s)
    yield Figure("sha256sum of the same files", "s", taken_s["sums"], digits=2)


def _hand_over(folder: Path, number: int) -> list[str]:
    """Write what an outsider gets; returns the options that name it."""
    (folder / "receipts").mkdir(parents=True)
    camera, office, receipts = Camera(seals=True), Office(), []
    noise = os.urandom(PHOTO_BYTES).replace(b"\xff", b"\xfe")
    for _ in range(number):
        made = camera.make(plain=PLAIN[:-2] + noise + PLAIN[-2:])
        made.into(folder)
        receipts.append(office.receipt(made))
    (folder / "receipts/all.jws").write_text("\n".join(receipts))
    (folder / "revoked.jws").write_text(office.listed())
    (folder / "van-7.pem").write_bytes(camera.certificate_pem)
    words = []
    for name, content in {
        "ca": camera.authority.pem,
        "fleet-key": signing.public_pem(office.fleet_key.public_key()),
        "identity": IDENTITY_FILE.encode(),
    }.items():
        path = folder.parent / f"outsider-{name}"
        path.write_bytes(content)
        words += [f"--{name}", str(path)]
    return words


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
