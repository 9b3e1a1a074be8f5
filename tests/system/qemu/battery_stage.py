"""An empty battery powers the machine off, also while people are logged in."""

import subprocess
import threading
import time
from typing import Final

from tests.system.qemu import memory
from tests.system.qemu.fault import READY_AGAIN_S, doctor_after, wrong
from tests.system.qemu.furnish import TECHNICIAN
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

OFF_WITHIN_S: Final = 240.0
"""A last record, a stop of all units; emulated, ten times as long as on a device."""

LOW_PCT: Final = 10

EMPTY_PCT: Final = 3


def run(image: Image, kept: Kept, report: Report) -> None:
    """Low, then empty with two people logged in, then on again with a full one."""
    with device(image, kept, BUILD / "battery") as found:
        before = wrong(found)
        _low(found, report)
        last = found.shot()["edge_ns"]
        memory.check(found.machine, report)
        log = _Log(found)
        _empty(found, report)
        report.check("the log says why", "battery_empty" in log.text(), log.tail())
        found.machine.boot()
        memory.watch(found.machine)
        found.await_ready(READY_AGAIN_S)
        again = found.shot()
        report.check("charged, green again", again["answer"] == "green", str(again["answer"]))
        kinds = [found.await_record(edge).kind for edge in (last, again["edge_ns"])]
        report.check("no record is lost by it", kinds == ["photo", "photo"], " ".join(kinds))
        doctor_after(found, "charged", before, report)
        memory.check(found.machine, report)


def _low(found: Device, report: Report) -> None:
    found.finger("battery", LOW_PCT)
    seen_s = found.await_light("red", 60.0)
    report.check(f"{LOW_PCT} %: a red pulse", seen_s > 0, "")
    told = found.shot()
    report.check(f"{LOW_PCT} %: green at a press", told["answer"] == "green", str(told["answer"]))


def _empty(found: Device, report: Report) -> None:
    machine = found.machine
    login = machine.spawn("sleep 3600", user=TECHNICIAN)
    time.sleep(10.0)
    sessions = machine.run("loginctl list-sessions --no-legend --no-pager").strip()
    report.need("a technician is logged in", TECHNICIAN in sessions, sessions)
    began_s = time.monotonic()
    machine.ask(f"finger battery {EMPTY_PCT}")
    try:
        machine.await_off(OFF_WITHIN_S)
    except subprocess.TimeoutExpired:
        jobs = machine.ask("systemctl list-jobs --no-pager; loginctl list-inhibitors --no-pager")
        report.check(f"{EMPTY_PCT} %: it powers off", ok=False, seen=jobs.out)
        machine.cut_power()
    else:
        took_s = time.monotonic() - began_s
        report.check(f"{EMPTY_PCT} %: it powers off", ok=True, seen=f"after {took_s:.0f} s")
    login.kill()
    login.wait()


class _Log:
    """Capture's log, as a person at the device reads it: the journal may be volatile."""

    def __init__(self, found: Device) -> None:
        self._lines: list[str] = []
        command = "journalctl -f -n 0 -q -o cat -u doorstep-capture -u systemd-logind"
        self._following = found.machine.spawn(command)
        threading.Thread(target=self._read, daemon=True).start()

    def text(self) -> str:
        return "".join(self._lines)

    def tail(self) -> str:
        return "".join(self._lines[-8:])

    def _read(self) -> None:
        assert self._following.stdout is not None
        self._lines.extend(self._following.stdout)
