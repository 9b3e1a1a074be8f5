"""Picking the next item and telling the status: a short queue beside very long ones."""

import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from itertools import product
from typing import Final, TypeVar

from agent.config import load
from tests.bench.device import new_device
from tests.bench.figures import Figure
from tests.bench.pickers import LiteQueuePicker, OurQueue, PersistQueuePicker, Picker
from tests.bench.rig import Rig
from tests.bench.status import DOCUMENT_BYTES
from tests.support import sqlite_memory
from tests.support.backend import REPOSITORY
from tests.support.device import Device

SHORT: Final = 100
LONG: Final = 100_000
DEPTHS: Final = (SHORT, 10_000, LONG)
TIMES_SHORT: Final = 1.2
STATUS_MS: Final = 10.0
"""Over two years of 150 presses a day must be no slower than a few, but for noise."""

OTHERS: Final[dict[str, type[PersistQueuePicker | LiteQueuePicker]]] = {
    "persist-queue SQLiteAckQueue": PersistQueuePicker,
    "litequeue": LiteQueuePicker,
}

WARM_UP: Final = 3
"""Rounds that are not counted: the first ones open the databases and grow their logs."""

PICKS: Final = 300
"""Picks of ours from each queue: the disk is noisier than the difference that is allowed."""

Queue = TypeVar("Queue")
Key = TypeVar("Key")


def measure(rig: Rig) -> list[Figure]:
    """Asks short and long queues by turns, so that a slow moment of the disk meets them all."""
    devices = {depth: new_device(rig.folder / f"depth-{depth}", rig.backend) for depth in DEPTHS}
    with ExitStack() as opened:
        ours = {
            depth: opened.enter_context(closing(OurQueue(load(device.config), depth)))
            for depth, device in devices.items()
        }
        sqlite_memory.lift_limit()  # it is for our queues alone
        others: dict[tuple[str, int], Picker] = {
            (name, depth): opened.enter_context(
                closing(kind(rig.folder / f"{name}-{depth}", depth))
            )
            for (name, kind), depth in product(OTHERS.items(), DEPTHS)
        }
        whole = _by_turns(PICKS, ours, _pick_ms)
        beside = _by_turns(rig.rounds, others, _pick_ms)
        query = _by_turns(PICKS, ours, _pick_query_ms)
        status = _by_turns(rig.rounds, ours, _status_query_ms)
    return [
        *_pick_figures(whole, query),
        *(
            figure
            for name in OTHERS
            for figure in _other_figures(name, {depth: beside[name, depth] for depth in DEPTHS})
        ),
        *_status_figures(status),
        *(_document_figure(depth, device) for depth, device in devices.items()),
    ]


def _by_turns(
    rounds: int, queues: Mapping[Key, Queue], act: Callable[[Queue], float]
) -> dict[Key, list[float]]:
    taken: dict[Key, list[float]] = {key: [] for key in queues}
    for number in range(WARM_UP + rounds):
        for key in list(queues)[:: 1 if number % 2 else -1]:
            took = act(queues[key])
            if number >= WARM_UP:
                taken[key].append(took)
    return taken


def _pick_ms(queue: Picker) -> float:
    began_s = time.perf_counter()
    queue.pick()
    return (time.perf_counter() - began_s) * 1e3


def _pick_query_ms(queue: OurQueue) -> float:
    before_ms = queue.query_ms
    queue.pick()
    return queue.query_ms - before_ms


def _status_query_ms(queue: OurQueue) -> float:
    before_ms = queue.query_ms
    queue.status()
    return queue.query_ms - before_ms


def _pick_figures(whole: dict[int, list[float]], query: dict[int, list[float]]) -> list[Figure]:
    return [
        Figure(
            f"pick the next item, {LONG:,} rows by {SHORT:,}",
            "x",
            _times_short(whole),
            at_most=TIMES_SHORT,
            digits=2,
            note="Outbox.claim with its flush, by turns; each queue has a fifth backed off, "
            "2 % suspect, and a tenth as many rows delivered before",
            pi="the flush weighs more there, so the ratio is nearer to 1.",
        ),
        Figure("  its statement alone", "x", _times_short(query), digits=2),
        *(Figure(f"  pick, {depth:,} rows", "ms", whole[depth], digits=2) for depth in DEPTHS),
        *(
            Figure(f"    its statement, {depth:,} rows", "ms", query[depth], digits=3)
            for depth in DEPTHS
        ),
    ]


def _other_figures(name: str, whole: dict[int, list[float]]) -> list[Figure]:
    return [
        Figure(
            f"{name}: {LONG:,} by {SHORT:,}",
            "x",
            _times_short(whole),
            digits=2,
            note=OTHERS[name].note,
        ),
        *(Figure(f"  {name}, {depth:,} rows", "ms", whole[depth], digits=2) for depth in DEPTHS),
    ]


def _times_short(taken: dict[int, list[float]]) -> list[float]:
    """Returns the ratio of each round."""
    return [long / short for short, long in zip(taken[SHORT], taken[LONG], strict=True)]


def _status_figures(taken: dict[int, list[float]]) -> list[Figure]:
    return [
        Figure(
            f"status: its statements, {depth:,} rows",
            "ms",
            taken[depth],
            at_most=STATUS_MS if depth == LONG else None,
            digits=3,
        )
        for depth in DEPTHS
    ]


def _document_figure(depth: int, device: Device) -> Figure:
    words = device.words("status", "--json")
    said = subprocess.run(words, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout
    return Figure(
        f"status: document, {depth:,} rows",
        "B",
        [float(len(said))],
        at_most=DOCUMENT_BYTES,
        digits=0,
    )
