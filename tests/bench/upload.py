"""Uploading records of 300 KB: ours beside tuspy, tus-js-client, curl and a bare TLS socket.

All of them send to the same reference backend (tests/bench/upload_server.py), each to a process of
its own: a row, a file, flushed, read back and checked, and a signed receipt for every record.
"""

import logging
import statistics
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import longline
from tests.bench.frame import Figure, Rig
from tests.bench.upload_jobs import CONTENDERS
from tests.bench.upload_lines import Cutting, loopback, over, undisturbed
from tests.bench.upload_runs import Load, Run, loaded, run

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

    loopback: int
    rounds: int
    round_records: int
    tus_records: int
    fast: int
    slow: int
    large: int
    window_s: float


USUAL: Final = Sizes(60, 4, 35, 25, 40, 10, 1, 75.0)
QUICK: Final = Sizes(6, 1, 12, 3, 8, 1, 0, 20.0)
FULL: Final = Sizes(1_000, 10, 105, 100, 200, 20, 4, 240.0)


def measure(rig: Rig) -> Iterator[Figure]:
    """Measure four lines; the one with 100 ms only if a TUN device can be made."""
    sizes = QUICK if rig.is_quick else FULL if rig.is_full else USUAL
    folder = rig.folder / "upload"
    yield from _loopback(folder / "loopback", sizes)
    if lacking := longline.missing():
        log.warning("event=left_out what=upload_at_100_ms reason=%r", lacking)
    else:
        yield from _long(folder / "long", sizes)
    yield from _cutting(folder / "cut", sizes)


def _loopback(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    load = loaded(folder / "device", sizes.loopback)
    for name in CONTENDERS:
        with loopback(folder / f"{name} server") as line:
            one = run(name, line, load, folder / name, WITHIN_S)
        note = f"{_told([one])}; {SERVED}" if name == "ours" else _told([one])
        yield Figure(f"loopback: {name}, receipt to receipt", "ms", one.each_ms, note=note)


def _long(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    """Yield times and ratios; they take turns, so that a busy minute hits all of them."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    turns = [(sizes.round_records, BARE)] * sizes.rounds + [(sizes.tus_records, TUS)]
    with undisturbed() as priority:
        for turn, (records, names) in enumerate(turns):
            for one in _turn(folder / f"turn-{turn}", records, names):
                runs[one.name].append(one)
    times = {name: [ms for one in some for ms in _warm(one)] for name, some in runs.items()}
    for name, some in runs.items():
        note = f"{_told(some)}; {priority}"
        head = f"100 ms: {name}, receipt to receipt"
        yield Figure(head, "ms", times[name], note=note, panel=AT_100_MS)
    medians = {name: statistics.median(some) for name, some in times.items()}
    for name in (*BARE[1:], *TUS):
        ratio = medians["ours"] / medians[name]
        at_most = OVER_BARE if name in BARE else OVER_TUS
        yield Figure(f"100 ms: ours over {name}", "x", [ratio], at_most=at_most, digits=3)


def _turn(folder: Path, records: int, names: Iterable[str]) -> Iterator[Run]:
    load = loaded(folder / "device", records)
    with longline.long_line(ROUND_TRIP_S) as line:
        for name in names:
            with over(line, folder / f"{name} server") as opened:
                yield run(name, opened, load, folder / name, WITHIN_S)


def _warm(one: Run) -> list[float]:
    """Leave out the first records, which say what a start costs; tuspy has no other ones."""
    return one.each_ms if one.name == "tuspy" else one.each_ms[min(WARM_RECORDS, one.asked // 3) :]


def _cutting(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    """Let all contenders send all kinds of records at once, each over a line of its own."""
    loads = [
        ("8 Mbit/s", FAST, loaded(folder / "fast", sizes.fast)),
        (SLOW_NAME, SLOW, loaded(folder / "slow", sizes.slow)),
    ]
    if sizes.large:
        large = loaded(folder / "large", sizes.large, LARGE_PCT)
        loads.append((SLOW_NAME, SLOW, large))
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
    line = f"{label}, {one.record_bytes / 1e6:.1f} MB"
    told, at_most = _told([one]), None
    if one.name == "ours":
        told, at_most = f"{told}; {CUTS}", IN_VAIN_PCT
    in_vain = [100 - one.useful_pct]
    panel = f"Uploading with cuts, {line}: bytes sent in vain" if label == SLOW_NAME else ""
    yield Figure(f"{line}: {one.name}, in vain", "%", in_vain, at_most, note=told, panel=panel)
    missing, each_s = one.asked - one.delivered, [one.seconds / max(one.delivered, 1)]
    late = f"{missing} of {one.asked} did not arrive in {one.seconds:.0f} s" if missing else ""
    yield Figure(f"{line}: {one.name}, each", "s", each_s, digits=2, note=late)


def _told(runs: list[Run]) -> str:
    """Return requests, handshakes and bytes of all runs together, in words."""
    records = sum(one.delivered for one in runs)
    each = max(records, 1)
    requests = sum(one.requests for one in runs) / each
    handshakes = sum(one.handshakes for one in runs) / each
    said = f"{records} records of {runs[0].record_bytes / 1e3:,.0f} KB; each {requests:.2f} "
    said += f"requests and {handshakes:.2f} TLS handshakes"
    sent = sum(one.sent_bytes or 0 for one in runs)
    useful = sum(one.useful_bytes for one in runs)
    return f"{said}; useful over sent {useful / sent:.3f}" if sent else said
