"""Uploading records of 300 KB: ours beside tuspy, tus-js-client, curl and a bare TLS socket.

All of them send to the same reference backend (tests/bench/upload_server.py), each to a process of
its own: a row, a file, flushed, read back and checked, and a signed receipt for every record.
"""

import logging
import statistics
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import longline
from tests.bench.frame import Figure, Rig
from tests.bench.upload_lines import Cutting, over, undisturbed
from tests.bench.upload_runs import CONTENDERS, Load, Run, loaded, run

log = logging.getLogger(__name__)

ROUND_TRIP_S: Final = 0.1

OVER_BARE: Final = 1.05
OVER_TUS: Final = 1.0
IN_VAIN_PCT: Final = 5.0
"""By a raw socket, by other tus clients; and in vain is what was on its way at a cut."""

WARM_RECORDS: Final = 5
"""First records of a connection that are left out at 100 ms: the window is still opening."""

WITHIN_S: Final = 300.0
"""Longest run over a line without cuts."""

FAST: Final = Cutting(1e6, (0.5, 2.5))
SLOW: Final = Cutting(62_500, (10.0, 10.0))
SLOW_NAME: Final = "0.5 Mbit/s"
"""8 Mbit/s with cuts at random, as indoors; 0.5 Mbit/s with one every 10 s, as far from a mast."""

READY_WITHIN_S: Final = 120.0
"""Longest start of all servers that is waited for. Source: 10 s on 2 cores, with room for load."""

LARGE_PCT: Final = 99
"""JPEG quality that makes about 1.6 MB of the scene: 25 s at 0.5 Mbit/s (measured 2026-11)."""

AT_100_MS: Final = "Uploading photos of 300 KB at 100 ms: from receipt to receipt"
"""A panel of the chart."""

BARE: Final = ("ours", "raw socket", "curl")
TUS: Final = ("tuspy", "tus-js-client")

SERVED: Final = (
    "curl and raw socket PUT, the others speak tus, to the same reference backend, and all show "
    "the certificate of an enrolled device"
)

CUTS: Final = (
    "cut at random after 0.5 to 2.5 s at 8 Mbit/s, every 10 s at 0.5 Mbit/s, all contenders at "
    "once, each on a line of its own; after a cut ours continues as always, tuspy with "
    "retries=100, retry_delay=1 (its own: 0 and 30), tus-js-client with its defaults, curl "
    "--retry 1000 --retry-delay 1 and raw socket after 1 s, both from the start"
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of records that each contender sends.

    Attributes:
        rounds, round_records: at 100 ms, of ours, raw socket and curl in turn.
        tus_records: at 100 ms, of each tus client.
        large: records of 1.6 MB at 0.5 Mbit/s.
        window_s: how long a contender may try on a line with cuts.
    """

    rounds: int
    round_records: int
    tus_records: int
    fast: int
    slow: int
    large: int
    window_s: float


USUAL: Final = Sizes(4, 35, 25, 40, 10, 1, 75.0)
QUICK: Final = Sizes(1, 12, 3, 8, 1, 0, 20.0)
FULL: Final = Sizes(10, 105, 100, 200, 20, 4, 240.0)


def measure(rig: Rig) -> Iterator[Figure]:
    """Measure the lines; the one with 100 ms only if a TUN device can be made."""
    sizes = QUICK if rig.is_quick else FULL if rig.is_full else USUAL
    if lacking := longline.missing():
        log.warning("event=left_out what=upload_at_100_ms reason=%r", lacking)
    else:
        yield from _long(rig.folder / "upload-long", sizes)
    yield from _cutting(rig.folder / "upload-cut", sizes)


def _long(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    """Yield times and ratios; they take turns, so that a busy minute hits all of them."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    turns = [(sizes.round_records, BARE)] * sizes.rounds + [(sizes.tus_records, TUS)]
    with undisturbed() as priority:
        for turn, (records, names) in enumerate(turns):
            above = folder / f"turn-{turn}"
            load = loaded(above / "device", records)
            with longline.long_line(ROUND_TRIP_S) as line:
                for name in names:
                    with over(line, above / f"{name} server") as opened:
                        runs[name].append(run(name, opened, load, above / name, WITHIN_S))
    times = {name: [ms for one in some for ms in _warm(one)] for name, some in runs.items()}
    more = f"; {priority}; {SERVED}"
    for name, some in runs.items():
        head, note = f"100 ms: {name}, receipt to receipt", f"{_told(some)}{more}"
        yield Figure(head, "ms", times[name], note=note, panel=AT_100_MS, bar=name)
        more = ""
    for name in (*BARE[1:], *TUS):
        ratio = statistics.median(times["ours"]) / statistics.median(times[name])
        at_most = OVER_BARE if name in BARE else OVER_TUS
        yield Figure(f"100 ms: ours over {name}", "x", [ratio], at_most=at_most, digits=3)


def _warm(one: Run) -> list[float]:
    """Leave out the first records, which say what a start costs; tuspy has no other ones."""
    first = 0 if one.name == "tuspy" else min(WARM_RECORDS, len(one.load.records) // 3)
    return one.each_ms[first:]


def _cutting(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    """Let all contenders send all kinds of records at once, each over a line of its own."""
    loads = [
        ("8 Mbit/s", FAST, loaded(folder / "fast", sizes.fast)),
        (SLOW_NAME, SLOW, loaded(folder / "slow", sizes.slow)),
    ]
    if sizes.large:
        loads.append((SLOW_NAME, SLOW, loaded(folder / "large", sizes.large, LARGE_PCT)))
    jobs = [(label, line, load, name) for label, line, load in loads for name in CONTENDERS]
    ready = threading.Barrier(len(jobs))
    with ThreadPoolExecutor(len(jobs)) as pool:
        runs = [
            (label, pool.submit(_over_cuts, name, line, load, ready, sizes.window_s))
            for label, line, load, name in jobs
        ]
        for label, one in runs:
            yield from _cut_figures(label, one.result())


def _over_cuts(
    name: str, line: Cutting, load: Load, ready: threading.Barrier, window_s: float
) -> Run:
    """Begin when the servers of all have started: 15 of them keep a small machine busy."""
    place = load.device.folder / name
    try:
        with line.open(place / "server") as opened:
            ready.wait(READY_WITHIN_S)
            return run(name, opened, load, place / "job", window_s)
    except BaseException:
        ready.abort()
        raise


def _cut_figures(label: str, one: Run) -> Iterator[Figure]:
    """Yield what was sent in vain, and the time."""
    line = f"{label}, {one.load.record_bytes / 1e6:.1f} MB"
    note, at_most = _told([one]), None
    if one.name == "ours":
        note, at_most = f"{note}; {CUTS}", IN_VAIN_PCT
    name, in_vain = f"{line}: {one.name}, in vain", 100 - 100 * one.useful_bytes / one.sent_bytes
    panel = f"Uploading with cuts, {line}: bytes sent in vain" if label == SLOW_NAME else ""
    yield Figure(name, "%", [in_vain], at_most, note=note, panel=panel, bar=one.name)
    each_s = [one.seconds / max(one.delivered, 1)]
    missing = len(one.load.records) - one.delivered
    late = f"{missing} did not arrive in {one.seconds:.0f} s" if missing else ""
    yield Figure(f"{line}: {one.name}, each", "s", each_s, digits=2, note=late)


def _told(runs: list[Run]) -> str:
    """Return requests and handshakes of all runs together, in words."""
    records = sum(one.delivered for one in runs)
    requests, handshakes = (
        sum(some) / max(records, 1)
        for some in ((one.requests for one in runs), (one.handshakes for one in runs))
    )
    size_kb = runs[0].load.record_bytes / 1e3
    return (
        f"{records} records of {size_kb:,.0f} KB; each {requests:.2f} requests and "
        f"{handshakes:.2f} TLS handshakes"
    )
