"""Power cuts during presses: QEMU is killed, and whatever a green light stood for is there."""

import random
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from agent.models import RecordLabel
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

CUTS: Final = 20

SEED: Final = 11
"""Seed of the moments; another seed tries others."""

PRESSED_S: Final = (3.0, 25.0)
"""The shortest and the longest time of presses before the power is cut."""

EVERY_S: Final = 0.3

NEAR_NS: Final = 300_000_000
"""Most between the finger's clock and the kernel's stamp of the edge, emulated."""

UP_WITHIN_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The observations of one press."""

    light: str
    boot_id: str
    edge_ns: int


def run(image: Image, kept: Kept, report: Report, cuts: int = CUTS) -> None:
    """Press, cut, boot, again; then compare every green light with what the backend got."""
    moments = random.Random(SEED)
    answers: list[Answer] = []
    with device(image, kept, BUILD / "cuts") as found:
        for turn in range(1, cuts + 1):
            pressed_s = moments.uniform(*PRESSED_S)
            seen = _until_cut(found, pressed_s)
            answers += seen
            lights = " ".join(f"{light}:{n}" for light, n in Counter(_lights(seen)).items())
            began_s = time.monotonic()
            found.machine.boot(UP_WITHIN_S)
            up_s = found.await_ready(UP_WITHIN_S)
            took_s = time.monotonic() - began_s
            what = f"cut {turn} after {pressed_s:.1f} s: up by itself"
            report.check(what, up_s > 0, f"{took_s:.0f} s; before it {lights or 'nothing'}")
        found.await_delivered(600.0)
        _compare(answers, found.labels(), report)
        swept = found.machine.run("ls /var/lib/doorstep/torn | wc -l").strip()
        report.figure("set aside as torn", swept)
        left = found.doctor()
        bad = [f"{one['check']}: {one['words']}" for one in left if one["level"] == "FAILED"]
        report.check(f"doctor finds nothing wrong after {cuts} cuts", not bad, "\n".join(bad))


def _until_cut(found: Device, pressed_s: float) -> list[Answer]:
    """Press for so long, and take its power; what was seen until then."""
    lines: list[str] = []
    pressing = found.machine.spawn(f"finger greens 17 {EVERY_S}")
    reader = threading.Thread(target=_read, args=(pressing, lines), daemon=True)
    reader.start()
    time.sleep(pressed_s)
    found.machine.cut_power()
    pressing.wait(60.0)
    reader.join(10.0)
    return [answer for line in lines if (answer := _answer(line)) is not None]


def _read(pressing: subprocess.Popen[str], lines: list[str]) -> None:
    assert pressing.stdout is not None
    lines.extend(pressing.stdout)


def _answer(line: str) -> Answer | None:
    """None for a line that the cut has torn, and for the press itself."""
    words = line.split()
    if not line.endswith("\n") or len(words) != 3 or words[0] == "PRESS":
        return None
    return Answer(words[0], words[1], int(words[2]))


def _lights(answers: list[Answer]) -> list[str]:
    return [answer.light for answer in answers]


def lost(answers: list[Answer], labels: list[RecordLabel]) -> list[Answer]:
    """The green and amber lights that no photo stands behind."""
    photos = [label for label in labels if label.kind == "photo"]
    return [
        answer
        for answer in answers
        if answer.light in {"GREEN", "AMBER"}
        and not any(
            photo.boot_id == answer.boot_id and abs(photo.monotonic_ns - answer.edge_ns) < NEAR_NS
            for photo in photos
        )
    ]


def broken(labels: list[RecordLabel]) -> list[str]:
    """Where the chain is not one: numbers that are missing or come twice, another chain."""
    chains = sorted({label.chain for label in labels})
    numbers = Counter(label.seq for label in labels)
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    twice = sorted(number for number, times in numbers.items() if times > 1)
    told = [f"{len(chains)} chains"] if len(chains) != 1 else []
    told += [f"missing {missing}"] if missing else []
    return told + ([f"twice {twice}"] if twice else [])


def _compare(answers: list[Answer], labels: list[RecordLabel], report: Report) -> None:
    seen = Counter(_lights(answers))
    report.figure("presses that were answered", " ".join(f"{k}:{n}" for k, n in seen.items()))
    report.check("there were green lights to lose", seen["GREEN"] + seen["AMBER"] > 0, "")
    gone = lost(answers, labels)
    stood = seen["GREEN"] + seen["AMBER"]
    report.check("no green record is lost", not gone, f"{len(gone)} of {stood} {gone or ''}")
    found_broken = broken(labels)
    seen_numbers = f"{len(labels)} records" if not found_broken else "; ".join(found_broken)
    report.check("one chain, no number missing or twice", not found_broken, seen_numbers)
