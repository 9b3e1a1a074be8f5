"""Keeping a photo of 300 KB: ours beside another queue, and beside the bare system calls."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

from agent.queue.disk import flushes_names
from agent.queue.paths import Layout
from tests.bench import cuts
from tests.bench.bare import RawDisk
from tests.bench.cuts import Survey
from tests.bench.frame import Figure, Rig, by_turns, ratios, run_ms
from tests.bench.queues import OTHER, OURS, Queue, SignedQueue, in_folder, new_photo

TIMES_RAW: Final = 2.0
FLUSHES: Final = 3.0
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
    flushes = (
        "3 flushes" if flushes_names(rig.folder) else "5 flushes, as on no ext4 with a journal"
    )
    why_not = cuts.missing()
    more = f" Flushes, bytes and cuts are left out: {why_not}." if why_not else ""
    notes = {
        OURS.name: f"by the bare loop in the same round, with {flushes} flushes; {OURS.how}.{more}",
        DISK_ONLY: "the same without digests, tar and signature",
        cuts.RAW: "the same writes and flushes of as many bytes, and nothing around them",
        OTHER.name: OTHER.how,
    }
    for name, note in notes.items():
        times = ratios(timed[name], timed[cuts.RAW])
        at_most = TIMES_RAW if name == OURS.name else None
        row = f"{name}: time"
        yield Figure(row, "x", times, at_most, digits=2, note=note, panel=TIME, bar=name)
    for name in notes:
        yield Figure(f"  {name}: in ms", "ms", timed[name], digits=2)
    if not why_not:
        numbers = QUICK if rig.is_quick else WHOLE
        yield from survey_figures(cuts.surveyed(*numbers, OURS.name, cuts.RAW, OTHER.name))


def _time(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the ms of each, round by round."""
    with ExitStack() as opened:
        ours = in_folder(folder / "ours")
        signed = SignedQueue(Layout(folder / "signed", folder / "run"))
        queues: dict[str, Queue] = {
            OURS.name: ours,
            DISK_ONLY: signed,
            OTHER.name: OTHER.open(folder / "other"),
            cuts.RAW: RawDisk(folder / "raw", ours.sizes()),
        }
        for queue in queues.values():
            opened.enter_context(closing(queue))
            queue.grow()
        jobs = {name: partial(_put_ms, queue) for name, queue in queues.items()}
        return by_turns(rounds, jobs, WARM_UP)


def _put_ms(queue: Queue) -> float:
    """Time one `put`; all that earlier ones left to be written is written before it begins."""
    photo = new_photo()
    os.sync()
    return run_ms(lambda: queue.put(photo))


def survey_figures(surveys: Sequence[Survey]) -> Iterator[Figure]:
    """Yield flushes and bytes of each, and its losses."""
    flushes = (
        "of the disk for each photo, on ext4 with data=ordered; a queue that was in use, with a "
        "log that was full before and is emptied in their midst"
    )
    written = "bytes to the disk by bytes of photos, ext4's journal and emptied logs included"
    lost = (
        "power cuts after which a photo is gone that had been called kept, or the queue does not "
        "open; at the writes and flushes of the disk, in order and reordered with torn writes"
    )
    for one in surveys:
        is_ours = one.name == OURS.name
        at_most = FLUSHES if is_ours else None
        yield Figure(f"{one.name}: flushes", "", one.flushes, at_most, digits=0, note=flushes)
        yield Figure(f"{one.name}: written", "x", [one.written], digits=2, note=written)
        yield Figure(
            f"{one.name}: lost",
            f"of {len(one.lost)}",
            [one.states_with_loss],
            at_most=0.0 if is_ours else None,
            digits=0,
            note=lost,
            panel=CUTS,
            bar=one.name,
        )
        flushes = written = lost = ""
