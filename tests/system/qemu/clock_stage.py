"""A clock at 1971 without network: presses work, and what they leave is dated later."""

from typing import Final

from tests.system.qemu.fault import READY_AGAIN_S, seen_of, wrong
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

THEN: Final = "1971-03-04T05:06:07"
"""The time of a hardware clock with an empty cell, before systemd and the product were built."""

PRESSES: Final = 3


def run(image: Image, kept: Kept, report: Report) -> None:
    """A day with a clock, then a boot without one, then the network again."""
    with device(image, kept, BUILD / "clock") as found:
        machine = found.machine
        found.await_record(found.shot()["edge_ns"])
        report.text(_doctor_words(found, "before"))
        machine.shut_down()
        machine.clock, machine.network = THEN, False
        machine.boot()
        found.await_ready(READY_AGAIN_S)
        edges = _without_a_clock(found, report)
        machine.shut_down()
        machine.clock, machine.network = "", True
        machine.boot()
        found.await_ready(READY_AGAIN_S)
        _dated(found, edges, report)


def _without_a_clock(found: Device, report: Report) -> list[int]:
    """The presses' edges; the receiver tells 1971 too, as one after a rollover does."""
    report.figure("the clock says", found.machine.run("date -u +%FT%TZ").strip())
    rounds = found.rounds(PRESSES)
    answers = [one["answer"] for one in rounds]
    report.check("presses are green without a clock", answers == ["green"] * PRESSES, str(answers))
    report.text("\n".join(seen_of(one) for one in rounds if one["answer"] != "green"))
    noted = {one["check"] for one in found.doctor() if one["level"] == "note"}
    report.check("doctor notes the clock", "clock" in noted, _doctor_words(found, "during"))
    waiting = found.waiting()
    report.check("they wait for the network", waiting >= PRESSES, f"{waiting} wait")
    return [one["edge_ns"] for one in rounds]


def _dated(found: Device, edges: list[int], report: Report) -> None:
    """The records arrive in their order; they say that nobody vouches for the clock."""
    labels = [found.await_record(edge, 300.0) for edge in edges]
    told = " ".join(f"#{label.seq} {label.utc} {label.clock}" for label in labels)
    report.check(
        "they say that no clock was right", {one.clock for one in labels} == {"unsynced"}, told
    )
    numbers = [label.seq for label in labels]
    report.check("their numbers go on", numbers == sorted(set(numbers)), str(numbers))
    answer = found.shot()
    label = found.await_record(answer["edge_ns"])
    is_known = label.clock in {"ntp", "gnss"}
    report.check("a press after it has the time", is_known, f"{answer['answer']}, {label.clock}")
    report.check(
        "doctor finds nothing wrong after", not wrong(found), _doctor_words(found, "after")
    )


def _doctor_words(found: Device, when: str) -> str:
    words = [one for one in found.doctor() if one["check"] in {"clock", "devices", "backend"}]
    return f"doctor {when}: " + "; ".join(f"{one['level']} {one['words']}" for one in words)
