"""Serve as the user of its unit, beside a capture of another: it works, and writes nothing."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.serve.admission import refusal
from agent.status import kept, metrics
from agent.status.values import QueuePart
from tests.faults.syscalls.scenarios import command
from tests.faults.syscalls.users import GROUP, USERS, as_debian_protects, as_user, start, tmpfiles
from tests.support.served import ServingDevice, prepared
from tests.support.waiting import until

pytestmark = pytest.mark.slow

PEER = {"subject": (), "notAfter": "Jan  1 00:00:00 2027 GMT"}
assert metrics
assert refusal(PEER, (), datetime.now(UTC))
"""All is loaded: the user may not be able to read this repository and this Python."""

CAPTURE, SERVE = "doorstep-capture", "doorstep-serve"


@pytest.fixture
def van() -> Iterator[ServingDevice]:
    """A device as it is provisioned and enrolled: what tmpfiles.d makes, with its owners."""
    if os.geteuid() != 0:
        pytest.fail("this changes users: run it as root")
    with TemporaryDirectory(prefix="serve-") as name, as_debian_protects():
        folder = Path(name)
        folder.chmod(0o755)
        made = prepared(folder / "van")
        layout = made.device.layout
        tmpfiles(layout.state, layout.run)
        os.chown(layout.serve_keys / "key.pem", USERS[SERVE], GROUP)
        os.chown(layout.trust / "serve.pem", USERS[CAPTURE], GROUP)
        (layout.trust / "serve.pem").chmod(0o640)
        yield made


@contextmanager
def running(van: ServingDevice, user: str, name: str, *, read_only: bool = False) -> Iterator[int]:
    layout = van.device.layout
    act = partial(command(name), van.device)
    paths = [layout.state, layout.run] if read_only else []
    pid = start(user, act, van.device.folder / f"{name}.log", read_only=paths)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == 0, van.device.log(name)


@contextmanager
def serving(van: ServingDevice, *, read_only: bool) -> Iterator[int]:
    with running(van, SERVE, "serve", read_only=read_only) as pid:
        listen = re.compile(r"event=serving listen=127\.0\.0\.1:(\d+)")
        until(lambda: listen.search(van.log()) is not None, told=van.log)
        van.port = int(listen.findall(van.log())[-1])
        yield pid


@contextmanager
def traced(pid: int, folder: Path) -> Iterator[Path]:
    """Return the changes that the process and its threads ask of the kernel, with file names."""
    told = folder / "trace"
    calls = "openat,open,write,pwrite64,pwritev,ftruncate,truncate,fallocate,fsync,fdatasync"
    calls += ",rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,symlink"
    calls += ",symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,mknod,mknodat"
    words = ["strace", "-f", "-qq", "-y", "-s", "8", "-e", f"trace={calls}", "-o", str(told)]
    watching = subprocess.Popen([*words, "-p", str(pid)], stderr=subprocess.DEVNULL)
    until(lambda: f"TracerPid:\t{watching.pid}\n" in Path(f"/proc/{pid}/status").read_text())
    try:
        yield told
    finally:
        watching.terminate()
        watching.wait(20)


READS = re.compile(r"open(at)?\(.*, O_RDONLY(\|O_(NOFOLLOW|CLOEXEC|NONBLOCK|DIRECTORY|PATH))*\)")


def whole_calls(trace: str) -> Iterator[str]:
    """Yield a line for each call; strace splits a call that another thread's came into."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread = line.partition(" ")[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>")
        elif " resumed>" in line:
            yield begun.pop(thread, "") + line.partition(" resumed>")[2]
        else:
            yield line


def changes(trace: str, below: Path) -> list[str]:
    """The calls that have changed something there, or could have by what they opened."""
    return [
        line
        for line in whole_calls(trace)
        if str(below) in line and " = -1 E" not in line and not READS.search(line)
    ]


ROUTES = ("/v1/status", "/v1/captures", "/metrics", "/nowhere")


@pytest.mark.parametrize("read_only", [True, False], ids=["read-only", "as the group may"])
def test_serve_works_beside_capture_as_a_user_of_its_own(
    van: ServingDevice, read_only: bool
) -> None:
    """With the folders as its unit has them; and by owners and modes alone, as without a unit."""
    with running(van, CAPTURE, "capture"), serving(van, read_only=read_only) as pid:
        van.device.await_that(lambda: van.device.ask("capture", {"status": True}) is not None)
        van.device.press()
        with traced(pid, van.device.folder) as trace:
            status, listed, numbers, _ = (van.ask(route) for route in ROUTES)

    assert status.json["queue"]["waiting"] >= 1
    assert status.json["capture"]["simulated"] is True
    assert listed.json["captures"][0]["state"] == "PENDING"
    assert b"doorstep_waiting_records" in numbers.body
    assert "openat" in trace.read_text()
    could = changes(trace.read_text(), van.device.folder)
    opened = {line for line in could if re.search(r"doorstep\.db-wal.*, O_RDWR\|O_CREAT", line)}
    assert set(could) == (opened if not read_only else set())


def test_once_capture_has_ended_it_tells_what_was_kept(van: ServingDevice) -> None:
    """Even if it may write to the folder, it makes no log beside the database."""
    layout = van.device.layout
    with running(van, CAPTURE, "capture"):
        van.device.await_that(lambda: van.device.ask("capture", {"status": True}) is not None)
    keeping = partial(kept.keep_queue, layout, QueuePart(7, 0, 0, 0), datetime.now(UTC))
    assert as_user(CAPTURE, lambda: keeping() or 0).code == 0

    with serving(van, read_only=False) as pid, traced(pid, van.device.folder) as trace:
        status, listed, *_ = (van.ask(route) for route in ROUTES)

    assert status.json["queue"]["waiting"] == 7
    assert listed.status == 503
    assert changes(trace.read_text(), van.device.folder) == []
    assert not Path(f"{layout.database}-wal").exists()


def test_serve_does_not_read_what_is_not_its_own(van: ServingDevice) -> None:
    shutil.chown(van.device.layout.serve_keys / "key.pem", USERS[CAPTURE])
    pid = start(SERVE, partial(command("serve"), van.device), van.device.folder / "serve.log")

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 75
    assert "cannot be used: [Errno 13] Permission denied" in van.log()


def test_root_goes_on_as_its_user(van: ServingDevice) -> None:
    """`sudo doorstep serve` leaves nothing behind that the unit could not open."""
    with van.device.folder.joinpath("serve.log").open("wb") as log:
        words = van.device.words("serve")
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        until(lambda: "event=serving" in van.log(), told=van.log)
        assert f"Uid:\t{USERS[SERVE]}\t{USERS[SERVE]}\t" in _status(process.pid)
        assert f"Gid:\t{GROUP}\t{GROUP}\t" in _status(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
