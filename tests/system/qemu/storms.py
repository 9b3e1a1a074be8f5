"""A device that cannot start shows red, retries slowly, and continues after a repair."""

import time
from dataclasses import dataclass
from typing import Final

from tests.support.waiting import until
from tests.system.qemu import memory
from tests.system.qemu.fault import READY_AGAIN_S, events, mark, wrong
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

UNIT: Final = "doorstep-capture"

RED_WITHIN_S: Final = 240.0
"""A start until it finds what is wrong, emulated."""

WATCHED_S: Final = 180.0
"""Long enough for several starts, and for the last pauses to be long ones."""

STEADY_S: Final = 1.5
"""The time in which no light shows but the fault's, and "hold still"."""

PAUSE_S: Final = 0.5
"""Longest dark within a light: a fault is dark for 0.3 of each second, and idle lights for 2 s."""

_UPTIME: Final = "cut -d' ' -f1 /proc/uptime"

LOOK_EVERY_S: Final = 3.0

MOST_STARTS: Final = 12
"""In that time: a red light is held for 20 s at each. Source: FAULT_HELD_S of the start."""

LIVES: Final = frozenset({"active", "activating", "deactivating", "reloading"})
"""States of a unit that systemd has not given up."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A state that capture cannot use; commands are root's, while it is stopped."""

    name: str
    breaks: str
    mends: str


STATE: Final = "/var/lib/doorstep"

OTHERS: Final = "doorstep-sync"
"""They write there too."""

BROKEN: Final = (
    Broken(
        "the queue is a file of root's",
        f"mv {STATE}/queue {STATE}/kept; touch {STATE}/queue; chmod 600 {STATE}/queue; "
        f"chattr +i {STATE}/queue",
        f"chattr -i {STATE}/queue; rm -rf {STATE}/queue; mv {STATE}/kept {STATE}/queue",
    ),
    Broken(
        "the signing key cannot be read",
        f"chown -R root:root {STATE}/keys/capture; chmod 700 {STATE}/keys/capture",
        f"chown -R doorstep-capture:doorstep {STATE}/keys/capture",
    ),
    Broken(
        "the state is read-only",
        # Nobody may write while it becomes so
        f"systemctl stop {OTHERS}; mount -o remount,ro {STATE}",
        f"mount -o remount,rw {STATE}; systemctl start {OTHERS}",
    ),
    Broken(
        "the camera is missing",
        "mv /usr/share/libcamera/pipeline/virtual /usr/share/libcamera/pipeline/gone",
        "mv /usr/share/libcamera/pipeline/gone /usr/share/libcamera/pipeline/virtual",
    ),
)


def run(image: Image, kept: Kept, report: Report) -> None:
    """Each on the same machine, one after the other."""
    with device(image, kept, BUILD / "storms") as found:
        for broken in BROKEN:
            _storm(found, broken, report)
        memory.check(found.machine, report)


def _storm(found: Device, broken: Broken, report: Report) -> None:
    machine, name = found.machine, broken.name
    since = mark(machine)
    machine.run(f"systemctl stop {UNIT}; {broken.breaks}", 120.0)
    machine.run(f"systemctl start --no-block {UNIT}")
    began = float(machine.run(_UPTIME))
    red_s = _await_red(found, began) - began
    report.check(f"{name}: red", red_s > 0, f"steady {red_s:.0f} s after the start")
    states, starts = _watched(found)
    report.check(f"{name}: never given up", states <= LIVES, " ".join(sorted(states)))
    slow = 0 < starts <= MOST_STARTS
    report.check(f"{name}: tried again, slowly", slow, f"{starts} starts in {WATCHED_S:.0f} s")
    stood = shares(unbroken(found.lights()), began + red_s)
    said = " ".join(f"{light}:{share:.0%}" for light, share in stood.items())
    report.check(f"{name}: never green", "green" not in stood, said)
    report.check(f"{name}: red longer than dark", _mostly_red(stood), "")
    bad = wrong(found)
    report.check(f"{name}: doctor tells", bool(bad), "\n".join(f"{k}: {v}" for k, v in bad.items()))
    machine.run(broken.mends, 120.0)
    began_s = time.monotonic()
    found.await_ready(READY_AGAIN_S)
    report.figure(f"{name}: mended, ready by itself", f"{time.monotonic() - began_s:.0f} s")
    told = found.shot()
    report.check(f"{name}: green again", told["answer"] == "green", str(told["answer"]))
    report.text("log: " + " ".join(events(machine, since)))


def _await_red(found: Device, from_s: float) -> float:
    """When steady red began, uptime in s; AssertionError where it does not come.

    A look at a dimmed amber light may miss its green.
    """

    def begins() -> float | None:
        return steady(unbroken(found.lights()), "red", from_s, float(found.machine.run(_UPTIME)))

    began_s = until(begins, RED_WITHIN_S, every_s=2.0)
    assert began_s is not None
    return began_s


def unbroken(lights: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out the short pauses in a light that comes again."""
    kept: list[tuple[float, str]] = []
    for at_s, light in lights:
        is_back = len(kept) > 1 and kept[-1][1] == "dark" and kept[-2][1] == light
        if is_back and at_s - kept[-1][0] <= PAUSE_S:
            kept.pop()
        else:
            kept.append((at_s, light))
    return kept


def steady(
    lights: list[tuple[float, str]], wanted: str, from_s: float, now_s: float
) -> float | None:
    """When a light began that stood for `STEADY_S`; None if there was none since."""
    ends = [*(at_s for at_s, _ in lights[1:]), now_s]
    for (at_s, light), until_s in zip(lights, ends, strict=True):
        began_s = max(at_s, from_s)
        if light == wanted and until_s - began_s >= STEADY_S:
            return began_s
    return None


def _watched(found: Device) -> tuple[set[str], int]:
    """States of the unit for a while, and how often it was started again."""
    states: set[str] = set()
    command = f"systemctl show -P ActiveState -P NRestarts {UNIT}"
    first, end_s = -1, time.monotonic() + WATCHED_S
    while time.monotonic() < end_s:
        told = dict.fromkeys(found.machine.run(command).split())
        number = next((int(word) for word in told if word.isdigit()), 0)
        states |= {word for word in told if not word.isdigit()}
        first = number if first < 0 else first
        time.sleep(LOOK_EVERY_S)
    return states, number - first


def shares(lights: list[tuple[float, str]], from_s: float) -> dict[str, float]:
    """The share of the time since then for each light, by the rig's diary."""
    times: dict[str, float] = {}
    ends = [*(at_s for at_s, _ in lights[1:]), lights[-1][0]]
    for (at_s, light), until_s in zip(lights, ends, strict=True):
        stood_s = until_s - max(at_s, from_s)
        if stood_s > 0:
            times[light] = times.get(light, 0.0) + stood_s
    whole_s = sum(times.values()) or 1.0
    return {light: stood_s / whole_s for light, stood_s in times.items()}


def _mostly_red(stood: dict[str, float]) -> bool:
    return stood.get("red", 0.0) > stood.get("dark", 0.0)
