"""The memory of the machine at its worst moment, and of all our processes together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.system.qemu.machine import CAMERA_PAGES, Machine
from tests.system.qemu.report import Report

LEAST_AVAILABLE_MB: Final = 60
"""Goal for the worst moment: what a technician's programs, or those of an update, may take."""

MOST_OURS_MB: Final = 260
"""Goal for all our processes: 426 MB, without the camera's 96, and 70 for the system."""

_WATCHES: Final = Path(__file__).with_name("watch-memory.sh")

_PLACE: Final = "/run/rig-watch-memory"

_SEEN: Final = "/run/rig-memory"


@dataclass(frozen=True, slots=True)
class Worst:
    """Extremes since the watch began, in kB; the uptime of each in s.

    Attributes:
        ours_kb: proportional set sizes (Pss) of all our processes; a shared page counts once.
        parts: the share of each unit, as in `capture=1024`.
    """

    available_kb: int
    available_s: float
    ours_kb: int
    ours_s: float
    parts: tuple[str, ...]


def watch(machine: Machine) -> None:
    """Look from now on until the machine ends: after each boot, and before anything is done."""
    machine.copy_in(_WATCHES, _PLACE)
    machine.run(f"systemd-run --quiet --unit rig-watch-memory sh {_PLACE} {_SEEN}")


def check(machine: Machine, report: Report) -> None:
    """Check by the goals what the watch has seen, and report it."""
    seen = worst(machine)
    total = machine.run("cat /proc/meminfo")
    report.figure(
        "memory (MemTotal)", f"{_of(total, 'MemTotal:') // 1024} MB, {CAMERA_PAGES * 2} for a CMA"
    )
    report.check(
        f"{LEAST_AVAILABLE_MB} MB are available at the worst moment",
        seen.available_kb >= LEAST_AVAILABLE_MB * 1024,
        f"{seen.available_kb // 1024} MB, {seen.available_s:.0f} s after the boot",
    )
    ours = f"{seen.ours_kb // 1024} MB, {seen.ours_s:.0f} s after the boot: {' '.join(seen.parts)}"
    report.check(
        f"our processes take {MOST_OURS_MB} MB (Pss)", seen.ours_kb <= MOST_OURS_MB * 1024, ours
    )
    counted = machine.run("cat /proc/vmstat")
    swapped, killed = _of(counted, "pswpout"), _of(counted, "oom_kill")
    report.check(
        "nothing is swapped, or killed for memory",
        (swapped, killed) == (0, 0),
        f"{swapped} pages, {killed} processes",
    )


def worst(machine: Machine) -> Worst:
    """Return what the watch has seen so far."""
    return extremes(machine.run(f"cat {_SEEN}"))


def extremes(seen: str) -> Worst:
    """Return the last of each kind in what the watch wrote, which are the extremes."""
    lines = [line.split() for line in seen.splitlines()]
    _, available_s, available = next(words for words in reversed(lines) if words[0] == "available")
    _, ours_s, ours, *parts = next(words for words in reversed(lines) if words[0] == "pss")
    shares = tuple(f"{name} {int(kb) // 1024}" for name, kb in (part.split("=") for part in parts))
    return Worst(int(available), float(available_s), int(ours), float(ours_s), shares)


def _of(numbers: str, name: str) -> int:
    """Return a number of /proc/meminfo or /proc/vmstat."""
    return next(int(line.split()[1]) for line in numbers.splitlines() if line.split()[0] == name)
