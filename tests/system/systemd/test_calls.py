"""Every system call that a process makes is one that its unit's filter lets pass.

A library that begins to make another is found here, and not on a device. The calls are those of
the simulated board on this processor; what picamera2 and lgpio make is tried in tests/system/qemu.
"""

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

from agent.config import load
from tests.demo.depot import depot, let_in
from tests.support.backend import REPOSITORY, running_backend
from tests.support.device import Device
from tests.support.network import FaultProxy
from tests.support.waiting import until

pytestmark = pytest.mark.slow

UNITS = ("capture", "sync", "serve")

AS_ROOT = {"fchown": "SQLite gives its log to the database's owner, when root runs it"}
"""Calls of these tests that no unit's user makes."""

FAIL_QUIETLY = {
    "capture": {
        "mbind": "numpy asks where memory lies, and does without",
        "setpriority": "the simulated camera's draughtsman, who goes on as he is",
    },
}
"""Calls that the filter refuses, and why that is no harm."""

CALL = re.compile(r"^\d+ +(?:\d+\.\d+ )?(\w+)\(", re.MULTILINE)


@cache
def _set(name: str) -> frozenset[str]:
    """The system calls of one of systemd's sets."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    words = {line.strip() for line in listed if not line.strip().startswith("#")} - {name, ""}
    return frozenset().union(*(_set(one) if one.startswith("@") else {one} for one in words))


def _allowed(unit: str) -> set[str]:
    """Read the unit's lines in their order, as systemd.exec(5) does."""
    allowed = set(_set("@default"))
    text = (REPOSITORY / "systemd" / f"doorstep-{unit}.service").read_text()
    for words in re.findall(r"^SystemCallFilter=(.+)$", text, re.MULTILINE):
        takes = words.startswith("~")
        for word in words.lstrip("~").split():
            calls = _set(word) if word.startswith("@") else {word}
            allowed = allowed - calls if takes else allowed | calls
    return allowed


@contextmanager
def _traced(device: Device, unit: str) -> Iterator[None]:
    words = ["strace", "-f", "-qq", "-s0", "-o", str(_trace(device, unit)), *device.words(unit)]
    with (device.folder / f"{unit}.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=REPOSITORY, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            subprocess.run(["kill", child], check=False)
        process.wait(30)


def _trace(device: Device, unit: str) -> Path:
    return device.folder / f"{unit}.strace"


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return each process's calls from start to end, with a press and its delivery between."""
    assert shutil.which("strace"), "strace is missing: apt install strace"
    folder = tmp_path_factory.mktemp("calls")
    with running_backend(folder / "backend", identity=True) as backend, ExitStack() as opened:
        network = opened.enter_context(FaultProxy(("127.0.0.1", backend.port)))
        van = depot(opened, folder / "van-7", "", backend=backend, network=network, width_px=640)
        let_in(van, backend)
        device = van.processes
        config = device.config.read_text()
        config = config.replace('manifest = "required"', 'manifest = "off"')  # each press: a photo
        device.config.write_text(re.sub(r"(\[clock\]\nkind = ).*", r'\1"system"', config))
        settings = load(device.config)
        assert (settings.board.clock.kind, settings.policy.manifest) == ("system", "off")
        with _traced(device, "capture"), _traced(device, "sync"), _traced(device, "serve"):
            until(lambda: device.ask("capture", {"status": True}) is not None, 60.0)
            pressed = json.loads(device.run("capture", "--once").stdout)
            assert pressed["record"].get("photo", {}).get("credentials"), pressed["record"]
            until(lambda: "event=delivered" in (folder / "van-7/sync.log").read_text(), 60.0)
            until(lambda: "event=serving" in (folder / "van-7/serve.log").read_text(), 60.0)
        return {unit: set(CALL.findall(_trace(device, unit).read_text())) for unit in UNITS}


@pytest.mark.parametrize("unit", UNITS)
def test_unit_lets_its_process_call_what_it_calls(unit: str, calls: dict[str, set[str]]) -> None:
    assert {"openat", "execve", "futex"} <= calls[unit]  # strace saw something

    refused = calls[unit] - _allowed(unit) - set(FAIL_QUIETLY.get(unit, {})) - set(AS_ROOT)

    assert refused == set()


def test_filters_refuse_what_no_process_needs() -> None:
    for unit in UNITS:
        needless = {"mount", "ptrace", "bpf", "init_module", "reboot", "chroot", "clock_settime"}
        assert not needless & _allowed(unit)
    assert not {"adjtimex", "clock_adjtime"} & _allowed("serve")
