"""Keeping a photo of 300 KB: ours beside other queues, and beside the bare system calls."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

from agent.capture import record_writer
from agent.queue.disk import flushes_names
from agent.queue.outbox import Outbox
from tests.bench import cuts
from tests.bench.bare import RawDisk
from tests.bench.cuts import Survey
from tests.bench.frame import Figure, Rig, by_turns, ratios, run_ms
from tests.bench.queues import OTHERS, OURS, Queue, in_folder, new_photo
from tests.bench.trace import Trace

TIMES_RAW: Final = 2.0
FLUSHES: Final = {cuts.OURS.name: 3.0, cuts.OFF_EXT4.name: 5.0}
"""By the bare system calls, and flushes per photo: the price that tests/results.md names."""

WHOLE: Final = (28, 60)
QUICK: Final = (14, 20)
"""Photos that each queue keeps on a logged disk, and how often it is cut.

Fourteen photos fill SQLite's log of 1000 pages once, if they are in the database.
"""

DISK_ONLY: Final = "doorstep from signed bytes"
"""Beside the names of the contenders."""

WARM_UP: Final = 2
"""Rounds that are not counted: first writes to a file are slower."""

TIME: Final = "Saving a 300 KB photo: time, by a bare loop"
CUTS: Final = "Power cuts that lose a photo which had been called kept"
"""Panels of the chart."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Time all of them in the run's folder, then look at what they write to a logged disk."""
    timed = _time(rig.folder / "enqueue", rig.times(60, 10))
    names = "with their files" if flushes_names(rig.folder) else "for themselves: see off ext4"
    why_not = cuts.missing()
    more = f" Flushes, bytes and cuts are left out: {why_not}." if why_not else ""
    notes = {
        OURS.name: f"by the bare loop in the same round; {OURS.how}. Names are flushed {names}."
        f"{more}",
        DISK_ONLY: "the same without digests, tar and signature",
        cuts.RAW: "the same system calls with the same bytes, and nothing around them",
        **{one.name: one.how for one in OTHERS},
    }
    for name, note in notes.items():
        times = ratios(timed[name], timed[cuts.RAW])
        at_most = TIMES_RAW if name == OURS.name else None
        row = f"{name}: time"
        yield Figure(row, "x", times, at_most, digits=2, note=note, panel=TIME, bar=name)
    for name in notes:
        yield Figure(f"  {name}: in ms", "ms", timed[name], digits=2)
    if not why_not:
        yield from survey_figures(cuts.surveyed(*(QUICK if rig.is_quick else WHOLE)))


def _time(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the ms of each, round by round."""
    trace, disk_ms = Trace(), list[float]()
    with ExitStack() as opened:
        ours = opened.enter_context(closing(in_folder(folder / "ours")))
        queues: dict[str, Queue] = {OURS.name: ours}
        for number, one in enumerate(OTHERS):
            queues[one.name] = opened.enter_context(closing(one.open(folder / str(number))))
        queues[cuts.RAW] = opened.enter_context(closing(RawDisk(folder / "raw", ours.sizes())))
        for queue in queues.values():
            queue.grow()
        opened.enter_context(trace.watching((record_writer, "write_durably"), (Outbox, "add")))

        def put_ours() -> float:
            trace.clear()
            took_ms = _put_ms(ours)
            disk_ms.append(trace.total_ms("write_durably", "add"))
            return took_ms

        jobs = {name: partial(_put_ms, queue) for name, queue in queues.items()}
        took = by_turns(rounds, jobs | {OURS.name: put_ours}, WARM_UP)
    return took | {DISK_ONLY: disk_ms[WARM_UP:]}


def _put_ms(queue: Queue) -> float:
    """Time one `put`; all that earlier ones left to be written is written before it begins."""
    photo = new_photo()
    os.sync()
    return run_ms(lambda: queue.put(photo))


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
            yield Figure(
                f"{one.name}: lost",
                f"of {len(one.lost)}",
                [one.states_with_loss],
                at_most=0.0 if one.name == cuts.OURS.name else None,
                digits=0,
                note=note,
                panel=CUTS,
                bar=one.name,
            )
            note = ""
