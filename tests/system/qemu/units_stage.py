"""The promises of the units where they run: exposure, boot to ready, memory, edge to green."""

import re
import statistics
from typing import Final

from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

MOST_EXPOSED: Final = 2.0
"""Highest score, of 10, that `systemd-analyze security` may give one of our units."""

UNITS: Final = ("doorstep-capture", "doorstep-sync", "doorstep-serve")

PRESSES: Final = 10

_OVERALL: Final = re.compile(r"Overall exposure level for \S+: ([0-9.]+)")


def run(image: Image, kept: Kept, report: Report) -> None:
    """On one machine that has just booted."""
    with device(image, kept, BUILD / "units") as found:
        _boot(found, report)
        _exposure(found, report)
        _edge_to_green(found, report)
        _memory(found, report)
        _journal(found, report)


def _exposure(found: Device, report: Report) -> None:
    for unit in UNITS:
        told = found.machine.ask(f"systemd-analyze security --no-pager {unit}.service", 120.0).out
        score = exposure(told)
        is_fine = score is not None and score <= MOST_EXPOSED
        report.check(f"{unit}: at most {MOST_EXPOSED} of 10 exposed", is_fine, str(score))


def exposure(told: str) -> float | None:
    """The score in what `systemd-analyze security` prints; None where it has none."""
    matched = _OVERALL.search(told)
    return None if matched is None else float(matched[1])


def _boot(found: Device, report: Report) -> None:
    lights = found.lights()
    first_s, first = next((one for one in lights if one[1] != "dark"), (0.0, "none"))
    ready_s = next((at_s for at_s, light in lights if light == "green"), 0.0)
    report.check("the first light is amber", first == "amber", f"{first} at {first_s:.1f} s")
    report.check("it is ready later", ready_s > first_s, f"green at {ready_s:.1f} s")
    of_unit = "systemctl show -P ExecMainStartTimestampMonotonic doorstep-capture"
    begun_s = int(found.machine.run(of_unit)) / 1e6
    ours = f"{ready_s - begun_s:.1f} s of {ready_s:.1f} s, {first_s - begun_s:.1f} s to the light"
    report.figure("from capture's start to ready", ours)
    report.figure("systemd", found.boot_times())
    told = found.machine.run(
        "systemd-analyze critical-chain --no-pager doorstep-capture.service", 120.0
    )
    report.text(told)


def _edge_to_green(found: Device, report: Report) -> None:
    rounds = found.rounds(PRESSES)
    times = [one["after_ms"] for one in rounds if one["answer"] == "green"]
    report.check(f"{PRESSES} presses are green", len(times) == PRESSES, f"{len(times)}")
    if times:
        words = f"median {statistics.median(times):.0f} ms, most {max(times):.0f} ms (emulated)"
        report.figure("edge to green", words)


def _memory(found: Device, report: Report) -> None:
    """After some presses."""
    for unit in UNITS:
        told = found.machine.ask(
            f"p=$(systemctl show -P MainPID {unit}); systemctl show -P MemoryPeak {unit}; "
            'test "$p" != 0 && grep -E "^(VmRSS|VmHWM)" /proc/$p/status && '
            "grep -E ^Pss: /proc/$p/smaps_rollup"
        )
        peak, *lines = told.out.splitlines() or ["?"]
        now = " ".join(f"{name} {int(kb) // 1024} MB" for name, kb in map(_kilobytes, lines))
        most = f"peak {int(peak) // 1_048_576} MB" if peak.isdigit() else "never ran"
        report.figure(f"memory of {unit}", f"{now or 'not running'}, {most}")


def _kilobytes(line: str) -> tuple[str, str]:
    name, kilobytes = line.split()[:2]
    return name.rstrip(":"), kilobytes


def _journal(found: Device, report: Report) -> None:
    """libcamera's and picamera2's own lines must not crowd out ours."""
    lines = found.machine.run("journalctl -b -q -o cat --no-pager -u doorstep-capture").splitlines()
    ours = sum("event=" in line for line in lines)
    report.check(
        "our lines are half of capture's log", ours * 2 >= len(lines), f"{ours} of {len(lines)}"
    )
