"""Keeping a photo of 300 KB: ours beside other queues, and beside the bare system calls."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from agent.capture import chain
from agent.queue.disk import flushes_names
from agent.queue.outbox import Outbox
from tests.bench import cuts
from tests.bench.cuts import Survey
from tests.bench.figures import Figure
from tests.bench.queues import OTHERS, OURS, Keeper, OurQueue, new_photo
from tests.bench.rawdisk import RawDisk, sizes
from tests.bench.rig import Rig
from tests.bench.trace import Trace, total_ms

TIMES_RAW: Final = 2.0
FLUSHES: Final = {cuts.OURS.name: 3.0, cuts.OFF_EXT4.name: 5.0}
"""By the bare system calls, and flushes per photo: the price that tests/README.md names."""

WHOLE: Final = (28, 60)
QUICK: Final = (14, 20)
"""Photos that each queue keeps on a logged disk, and how often it is cut.

Fourteen photos fill SQLite's log of 1000 pages once, where they lie in the database.
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

PI: Final = (
    "a slower card brings ours nearer to the bare calls, a slower core takes it further away: "
    "hashing and signing are its own part"
)


def measure(rig: Rig) -> list[Figure]:
    """Times all of them in the run's folder, then looks at what they write to a logged disk."""
    timed = _time(rig.folder / "enqueue", rig.rounds)
    path = PATHS[flushes_names(rig.folder)]
    if why_not := cuts.missing():
        return time_figures(timed, f"{path} Flushes, bytes and cuts are left out: {why_not}.")
    surveys = cuts.surveyed(*(QUICK if rig.is_quick else WHOLE))
    return [*time_figures(timed, path), *survey_figures(surveys)]


def _time(folder: Path, rounds: int) -> dict[str, list[float]]:
    """By turns, each time another one first; what each took, in ms, round by round."""
    trace = Trace()
    with ExitStack() as opened:
        ours = opened.enter_context(closing(OurQueue(folder / "ours")))
        keepers: dict[str, Keeper] = {OURS.name: ours}
        for number, one in enumerate(OTHERS):
            keepers[one.name] = opened.enter_context(closing(one.open(folder / str(number))))
        for keeper in keepers.values():
            keeper.grow()
        keepers[cuts.RAW] = opened.enter_context(closing(RawDisk(folder / "raw", sizes(ours))))
        keepers[cuts.RAW].grow()
        os.sync()
        opened.enter_context(trace.watching((chain, "write_durably"), (Outbox, "add")))
        took: dict[str, list[float]] = {name: [] for name in (*keepers, DISK_ONLY)}
        for number in range(WARM_UP + rounds):
            trace.clear()
            for name in _turned(list(keepers), number):
                took[name].append(_put_ms(keepers[name], folder))
            took[DISK_ONLY].append(total_ms(trace.all("write_durably", "add")))
    return {name: times[WARM_UP:] for name, times in took.items()}


CLOCK_STEP_NS: Final = 20_000_000
"""A file's time may lie so far back. Source: the kernel's tick, 10 ms at most, twice."""


def _put_ms(keeper: Keeper, folder: Path) -> float:
    """Times one `put`; what it left to be written is written before the next one begins."""
    photo = new_photo()
    began_ns = time.time_ns()
    began_s = time.perf_counter()
    keeper.put(photo)
    took_ms = (time.perf_counter() - began_s) * 1e3
    for file in _changed(folder, began_ns - CLOCK_STEP_NS):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return took_ms


def _changed(folder: Path, since_ns: int) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_mtime_ns >= since_ns:
            yield file


def _turned(names: Sequence[str], number: int) -> list[str]:
    first = number % len(names)
    return [*names[first:], *names[:first]]


def time_figures(timed: Mapping[str, Sequence[float]], more: str = "") -> list[Figure]:
    """Returns what each took, by the bare loop and in ms; `more` is a note."""
    raw_ms = timed[cuts.RAW]
    how = {
        OURS.name: f"by the bare loop in the same round; {OURS.how}. {more}".strip(),
        DISK_ONLY: "the same without digests, tar and signature",
        cuts.RAW: "the same system calls with the same bytes, and nothing around them",
        **{one.name: one.how for one in OTHERS},
    }
    ratios = (
        Figure(
            f"{name}: time",
            "x",
            [one_ms / by_ms for one_ms, by_ms in zip(timed[name], raw_ms, strict=True)],
            at_most=TIMES_RAW if name == OURS.name else None,
            digits=2,
            note=words,
            pi=PI if name == OURS.name else "",
        )
        for name, words in how.items()
    )
    return [*ratios, *(Figure(f"  {name}: in ms", "ms", timed[name], digits=2) for name in how)]


def survey_figures(surveys: Sequence[Survey]) -> list[Figure]:
    """Returns flushes and bytes of each, and its losses where it was cut."""
    return [
        *(_flushes(one) for one in surveys),
        *(_written(one) for one in surveys),
        *(figure for one in surveys if one.lost for figure in _losses(one)),
    ]


def _flushes(one: Survey) -> Figure:
    notes = {
        cuts.OURS.name: "of the disk for each photo, on ext4 with data=ordered; a queue that was "
        "in use, with a log that was full before and is emptied in their midst",
        cuts.OFF_EXT4.name: "made to believe that it is on another file system",
    }
    return Figure(
        f"{one.name}: flushes",
        "",
        one.flushes,
        at_most=FLUSHES.get(one.name),
        digits=0,
        note=notes.get(one.name, ""),
    )


def _written(one: Survey) -> Figure:
    is_ours = one.name == cuts.OURS.name
    note = "bytes to the disk by bytes of photos, ext4's journal and emptied logs included"
    return Figure(
        f"{one.name}: written", "x", [one.written], digits=2, note=note if is_ours else ""
    )


def _losses(one: Survey) -> list[Figure]:
    is_ours = one.name == cuts.OURS.name
    note = (
        "power cuts after which a photo is gone that had been called kept, or the queue does not "
        "open; at the writes and flushes of the disk, in order and reordered with torn writes"
    )
    lost, states = float(one.states_with_loss), float(len(one.lost))
    bar = 0.0 if is_ours else None
    return [
        Figure(f"{one.name}: lost", "", [lost], bar, digits=0, note=note if is_ours else ""),
        Figure(f"  {one.name}: states", "", [states], digits=0),
    ]
