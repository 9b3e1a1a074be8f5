"""Keeping a photo of 300 KB: ours beside other queues, and beside the bare system calls."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

from agent.capture import chain
from agent.queue.disk import flushes_names
from agent.queue.outbox import Outbox
from tests.bench import cuts
from tests.bench.bare import RawDisk
from tests.bench.cuts import Survey
from tests.bench.frame import Figure, Rig, by_turns, ratios
from tests.bench.queues import OTHERS, OURS, OurQueue, Queue, new_photo
from tests.bench.trace import Trace, total_ms

TIMES_RAW: Final = 2.0
FLUSHES: Final = {cuts.OURS.name: 3.0, cuts.OFF_EXT4.name: 5.0}
"""By the bare system calls, and flushes per photo: the price that tests/results.md names."""

WHOLE: Final = (28, 60)
QUICK: Final = (14, 20)
"""Photos that each queue keeps on a logged disk, and how often it is cut.

Fourteen photos fill SQLite's log of 1000 pages once, if they are in the database.
"""

PATHS: Final = {
    True: "In this folder names are flushed with their files.",
    False: "In this folder names are flushed for themselves: see flushes, off ext4.",
}
"""What the product found of the file system that it was timed on."""

DISK_ONLY: Final = "doorstep from signed bytes"
"""Beside the names of the contenders."""

WARM_UP: Final = 2
"""Rounds that are not counted: first writes to a file are slower."""

TIME: Final = "Saving a 300 KB photo: time, by a bare loop"
CUTS: Final = "Power cuts that lose a photo which had been called kept"
"""Panels of the chart."""

CLOCK_STEP_NS: Final = 20_000_000
"""A file's time may lie so far back. Source: the kernel's tick, 10 ms at most, twice."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Time all of them in the run's folder, then look at what they write to a logged disk."""
    timed = _time(rig.folder / "enqueue", rig.times(60, 10))
    path = PATHS[flushes_names(rig.folder)]
    why_not = cuts.missing()
    more = f" Flushes, bytes and cuts are left out: {why_not}." if why_not else ""
    yield from time_figures(timed, path + more)
    if not why_not:
        yield from survey_figures(cuts.surveyed(*(QUICK if rig.is_quick else WHOLE)))


def _time(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the ms of each, round by round."""
    trace = Trace()
    with ExitStack() as opened:
        ours = opened.enter_context(closing(OurQueue(folder / "ours")))
        queues: dict[str, Queue] = {OURS.name: ours}
        for number, one in enumerate(OTHERS):
            queues[one.name] = opened.enter_context(closing(one.open(folder / str(number))))
        for queue in queues.values():
            queue.grow()
        queues[cuts.RAW] = opened.enter_context(closing(RawDisk(folder / "raw", ours.sizes())))
        queues[cuts.RAW].grow()
        os.sync()
        opened.enter_context(trace.watching((chain, "write_durably"), (Outbox, "add")))
        disk_ms: list[float] = []

        def put_ours() -> float:
            trace.clear()
            took_ms = _put_ms(ours, folder)
            disk_ms.append(total_ms(trace.all("write_durably", "add")))
            return took_ms

        jobs = {name: partial(_put_ms, queue, folder) for name, queue in queues.items()}
        took = by_turns(rounds, jobs | {OURS.name: put_ours}, WARM_UP)
    return took | {DISK_ONLY: disk_ms[WARM_UP:]}


def _put_ms(queue: Queue, folder: Path) -> float:
    """Time one `put`; what it left to be written is written before the next one begins."""
    photo = new_photo()
    began_ns, began_s = time.time_ns(), time.perf_counter()
    queue.put(photo)
    took_ms = (time.perf_counter() - began_s) * 1e3
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_mtime_ns >= began_ns - CLOCK_STEP_NS:
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    return took_ms


def time_figures(timed: Mapping[str, Sequence[float]], more: str = "") -> Iterator[Figure]:
    """Yield what each took, by the bare loop and in ms; `more` is a note."""
    how = {
        OURS.name: f"by the bare loop in the same round; {OURS.how}. {more}".strip(),
        DISK_ONLY: "the same without digests, tar and signature",
        cuts.RAW: "the same system calls with the same bytes, and nothing around them",
        **{one.name: one.how for one in OTHERS},
    }
    for name, note in how.items():
        times = ratios(timed[name], timed[cuts.RAW])
        at_most = TIMES_RAW if name == OURS.name else None
        yield Figure(f"{name}: time", "x", times, at_most, digits=2, note=note, panel=TIME)
    for name in how:
        yield Figure(f"  {name}: in ms", "ms", timed[name], digits=2)


def survey_figures(surveys: Sequence[Survey]) -> Iterator[Figure]:
    """Yield flushes and bytes of each, and its losses if it was cut."""
    notes = {
        cuts.OURS.name: "of the disk for each photo, on ext4 with data=ordered; a queue that was "
        "in use, with a log that was full before and is emptied in their midst",
        cuts.OFF_EXT4.name: "made to believe that it is on another file system",
    }
    for one in surveys:
        at_most, note = FLUSHES.get(one.name), notes.get(one.name, "")
        yield Figure(f"{one.name}: flushes", "", one.flushes, at_most, digits=0, note=note)
    note = "bytes to the disk by bytes of photos, ext4's journal and emptied logs included"
    for one in surveys:
        yield Figure(f"{one.name}: written", "x", [one.written], digits=2, note=note)
        note = ""
    note = (
        "power cuts after which a photo is gone that had been called kept, or the queue does not "
        "open; at the writes and flushes of the disk, in order and reordered with torn writes"
    )
    for one in surveys:
        if one.lost:
            at_most = 0.0 if one.name == cuts.OURS.name else None
            name, of, lost = f"{one.name}: lost", f"of {len(one.lost)}", [one.states_with_loss]
            yield Figure(name, of, lost, at_most, digits=0, note=note, panel=CUTS)
            note = ""
