"""A fault of a device: broken, looked at, fixed, and looked at again."""

import time
from dataclasses import dataclass
from typing import Any, Final

from tests.system.qemu.machine import Machine
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device

READY_AGAIN_S: Final = 420.0
"""Longest way back: half a minute of retries, and a start that takes minutes when emulated."""

DOCTOR_AGAIN_S: Final = 90.0
"""Longest until doctor finds as little as before: a receiver is heard again within seconds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The act on the device, and the signs to see meanwhile; commands are root's, in the machine.

    Attributes:
        name: as a technician would tell it.
        breaks: does it, and waits until the device can know of it.
        mends: takes it back; empty where the device mends itself.
        light: what a press is answered with meanwhile.
        kind: of that press's record; empty where it leaves none.
        event: its name in the log; empty where nothing is to be told.
        doctor: the check that fails meanwhile; empty where doctor finds nothing wrong.
    """

    name: str
    breaks: str
    mends: str
    light: str
    kind: str
    event: str = ""
    doctor: str = ""


def tried(found: Device, fault: Fault, report: Report) -> None:
    """Try one; the device is as before when this returns. Raises CommandFailed, AssertionError."""
    machine, name = found.machine, fault.name
    before, since = wrong(found), mark(machine)
    machine.run(fault.breaks, 300.0)
    pressed = found.shot()
    light = pressed["answer"]
    report.check(f"{name}: {fault.light} at a press", light == fault.light, str(light))
    report.text(seen_of(pressed))
    during = _more(wrong(found), before) if fault.doctor else _settled(found, before)
    _doctor(fault, during, report)
    if fault.mends:
        machine.run(fault.mends, 300.0)
    found.await_ready(READY_AGAIN_S)
    told = events(machine, since)
    if fault.event:
        report.check(f"{name}: the log says {fault.event}", fault.event in told, " ".join(told))
    again = found.shot()
    report.check(f"{name}: green again", again["answer"] == "green", str(again["answer"]))
    if fault.kind:
        kind = found.await_record(pressed["edge_ns"]).kind
        report.check(f"{name}: the press left its record", kind == fault.kind, str(kind))
    kind = found.await_record(again["edge_ns"]).kind
    report.check(f"{name}: a photo follows it", kind == "photo", str(kind))
    doctor_after(found, name, before, report)


def _doctor(fault: Fault, new: dict[str, str], report: Report) -> None:
    seen = "\n".join(f"{check}: {words}" for check, words in new.items()) or "nothing new"
    if fault.doctor:
        report.check(f"{fault.name}: doctor finds the {fault.doctor}", fault.doctor in new, seen)
    else:
        report.check(f"{fault.name}: doctor finds nothing wrong", not new, seen)


def doctor_after(found: Device, name: str, before: dict[str, str], report: Report) -> None:
    """Doctor may find less than before, because services that were starting have started."""
    more = _settled(found, before)
    seen = "\n".join(f"{check}: {words}" for check, words in more.items()) or "nothing more"
    report.check(f"{name}: doctor finds no more than before", not more, seen)


def _settled(found: Device, before: dict[str, str]) -> dict[str, str]:
    """Doctor's further findings, once it finds no more, or at the limit: capture may restart."""
    end_s = time.monotonic() + DOCTOR_AGAIN_S
    while (more := _more(wrong(found), before)) and time.monotonic() < end_s:
        time.sleep(2.0)
    return more


def _more(now: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    return {check: words for check, words in now.items() if check not in before}


def wrong(found: Device) -> dict[str, str]:
    """The checks that doctor calls FAILED now."""
    return {one["check"]: one["words"] for one in found.doctor() if one["level"] == "FAILED"}


def mark(machine: Machine) -> str:
    """The place in the journal that it has come to."""
    shown = machine.run("journalctl -n 0 --show-cursor -q --no-pager")
    return shown.rpartition("cursor: ")[2].strip()


def events(machine: Machine, since: str) -> list[str]:
    """Names of the product's events from a mark on, each once, in their order."""
    units = " ".join(f"-u doorstep-{name}" for name in ("capture", "sync", "serve"))
    command = f"journalctl --no-pager -q -o cat {units} --after-cursor='{since}'"
    words = [word for word in machine.run(command).split() if word.startswith("event=")]
    return list(dict.fromkeys(word.removeprefix("event=") for word in words))


def seen_of(pressed: dict[str, Any]) -> str:
    """The first lights and sounds after a press, for a search for a fault."""
    changes = " ".join(f"{at_ms}:{seen}" for at_ms, seen in pressed["changes"][:14])
    return f"seen, ms after the edge: {changes}"
