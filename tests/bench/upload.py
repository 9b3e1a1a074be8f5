"""Uploading records of 300 KB: ours beside tuspy, curl and a bare TLS socket.

All of them send to the same reference backend (tests/bench/upload_server.py), each to a process of
its own: a row, a file, flushed, read back and checked, and a signed receipt for every record.
"""

import logging
import statistics
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.bench import longline
from tests.bench.frame import Figure, Rig
from tests.bench.upload_lines import cut_line, over, undisturbed
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

SLOW_BYTES_PER_S: Final = 62_500.0
CUT_EVERY_S: Final = 10.0
"""0.5 Mbit/s with cuts, as far from a mast."""

READY_WITHIN_S: Final = 120.0
"""Longest start of all servers that is waited for. Source: 10 s on 2 cores, with room for load."""

LARGE_PCT: Final = 99
"""JPEG quality that makes about 1.6 MB of the scene: 25 s at 0.5 Mbit/s (measured 2026-11)."""

AT_100_MS: Final = "Uploading photos of 300 KB at 100 ms: from receipt to receipt"
"""A panel of the chart."""

BARE: Final = ("ours", "raw socket", "curl")
TUS: Final = ("tuspy",)

SERVED: Final = (
    "curl and raw socket PUT, the others speak tus, to the same reference backend, and all show "
    "the certificate of an enrolled device"
)

CUTS: Final = (
    "cut every 10 s, all contenders at once, each on a line of its own; after a cut ours continues "
    "as always, tuspy with retries=100, retry_delay=1 (its own: 0 and 30), curl --retry 1000 "
    "--retry-delay 1 and raw socket after 1 s, both from the start"
)


def measure(rig: Rig) -> Iterator[Figure]:
    """Measure the lines; the one with 100 ms only if a TUN device can be made."""
    if lacking := longline.missing():
        log.warning("event=left_out what=upload_at_100_ms reason=%r", lacking)
    else:
        turns = [(rig.times(35, 12), BARE)] * rig.times(4, 1) + [(rig.times(25, 3), TUS)]
        yield from _long(rig.folder / "upload-long", turns)
    loads = [loaded(rig.folder / "slow", rig.times(10, 1))]
    if not rig.is_quick:
        loads.append(loaded(rig.folder / "large", 1, LARGE_PCT))
    yield from _cutting(loads, window_s=rig.times(75, 20))


def _long(folder: Path, turns: Sequence[tuple[int, Sequence[str]]]) -> Iterator[Figure]:
    """Yield times and ratios; they take turns, so that a busy minute hits all of them."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
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
        head, note = f"100 ms: {name}, receipt to receipt", f"{_told(some[-1])}{more}"
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


def _cutting(loads: Sequence[Load], window_s: float) -> Iterator[Figure]:
    """Let all contenders send all kinds of records at once, each over a line of its own."""
    jobs = [(name, load) for load in loads for name in CONTENDERS]
    ready = threading.Barrier(len(jobs))
    with ThreadPoolExecutor(len(jobs)) as pool:
        runs = [pool.submit(_over_cuts, *job, ready, window_s) for job in jobs]
        for one in runs:
            yield _in_vain(one.result())


def _over_cuts(name: str, load: Load, ready: threading.Barrier, window_s: float) -> Run:
    """Begin when the servers of all have started: 10 of them keep a small machine busy."""
    place = load.device.folder / name
    try:
        with cut_line(place / "server", SLOW_BYTES_PER_S, CUT_EVERY_S) as opened:
            ready.wait(READY_WITHIN_S)
            return run(name, opened, load, place / "job", window_s)
    except BaseException:
        ready.abort()
        raise


def _in_vain(one: Run) -> Figure:
    """Return the share of the bytes that were sent in vain."""
    line, at_most = f"0.5 Mbit/s, {one.load.record_bytes / 1e6:.1f} MB", None
    note = _told(one)
    if missing := len(one.load.records) - one.delivered:
        note = f"{note}; {missing} did not arrive in {one.seconds:.0f} s"
    if one.name == "ours":
        note, at_most = f"{note}; {CUTS}", IN_VAIN_PCT
    in_vain = 100 - 100 * one.useful_bytes / one.sent_bytes
    name, panel = f"{line}: {one.name}, in vain", f"Uploading with cuts, {line}: bytes sent in vain"
    return Figure(name, "%", [in_vain], at_most, note=note, panel=panel, bar=one.name)


def _told(one: Run) -> str:
    """Return the requests and handshakes of a run, in words."""
    requests, handshakes = (n / max(one.delivered, 1) for n in (one.requests, one.handshakes))
    return (
        f"{one.delivered} records of {one.load.record_bytes / 1e3:,.0f} KB; "
        f"each {requests:.2f} requests and {handshakes:.2f} TLS handshakes"
    )
