"""Picking the next record and asking for the status: a short queue beside a very long one."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from typing import Any, Final

from agent.models import RecordState
from agent.queue.outbox import CLAIM_S
from agent.queue.paths import Layout
from agent.status import document
from tests.bench.frame import Figure, Rig, by_turns, ratios, run_ms
from tests.bench.queues import OurQueue
from tests.bench.rows import insert, waiting_rows
from tests.support.device import Device

SHORT: Final = 100
LONG: Final = 100_000
DEPTHS: Final = (SHORT, LONG)
TIMES_SHORT: Final = 1.2
STATUS_MS: Final = 10.0
"""Over two years of 150 presses a day must be no slower than a few, except for noise."""

WARM_UP: Final = 3
"""Rounds that are not counted: the first ones open the databases and grow their logs."""

PICKS: Final = 300
"""Picks of ours from each queue: the disk is noisier than the difference that is allowed."""

NOW_S: Final = 1_000.0
"""CLOCK_BOOTTIME of the first pick."""

PACE_S: Final = 2 * CLAIM_S
"""From pick to pick by that clock: what was booked is due again, so that no queue runs empty."""

BACKED_OFF_S: Final = (NOW_S + 1.0, NOW_S + 300.0)
SUSPECT_S: Final = (NOW_S + 300.0, NOW_S + 86_400.0)
"""A failed record waits 300 s at most, a suspect one 5 minutes to a day: agent/sync/backoff.py."""

LONG_ANSWER: Final = "not what was agreed on; " * 10
"""An answer of a backend, longer than the status shows."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Ask short and long queues by turns, so that a slow moment of the disk meets them all."""
    rounds = rig.times(60, 10)
    with ExitStack() as opened:

        def queue(depth: int) -> LongQueue:
            layout = Device(rig.folder / f"depth-{depth}").layout
            return opened.enter_context(closing(LongQueue(layout, depth)))

        ours = {depth: queue(depth) for depth in DEPTHS}
        jobs = {depth: partial(run_ms, one.pick) for depth, one in ours.items()}
        taken = by_turns(PICKS, jobs, WARM_UP)
        statuses = [run_ms(ours[LONG].status) for _ in range(WARM_UP + rounds)][WARM_UP:]
    note = (
        "Outbox.claim with its flush, by turns; each queue has a fifth backed off, 2 % "
        "suspect, and a tenth as many rows delivered before"
    )
    name, times = f"pick the next, {LONG:,} rows by {SHORT:,}", ratios(taken[LONG], taken[SHORT])
    yield Figure(name, "x", times, TIMES_SHORT, digits=2, note=note)
    for depth in DEPTHS:
        yield Figure(f"  {depth:,} rows", "ms", taken[depth], digits=2)
    yield Figure(f"status: its queries, {LONG:,} rows", "ms", statuses, STATUS_MS, digits=3)


class LongQueue(OurQueue):
    """The queue of a device: `depth` rows to send, and a tenth as many that were sent.

    Its write-ahead log was full once: a flush of a log that still grows costs half as much again
    (ext4, 2026-11).
    """

    def __init__(self, layout: Layout, depth: int) -> None:
        super().__init__(layout)
        self._now_s = NOW_S
        insert(self.database, mixed_rows(depth))
        self.grow()

    def pick(self) -> None:
        self._now_s += PACE_S
        if self.outbox.claim(self._now_s, due_s=self._now_s) is None:
            raise RuntimeError("nothing is due, although everything should be")

    def status(self) -> None:
        document.queue_part(self.outbox)


def mixed_rows(depth: int) -> Iterator[dict[str, Any]]:
    """Yield `depth` rows to send after a tenth as many that were sent.

    Of those to send one in five is backed off and one in fifty is suspect, with a long answer;
    the others are due, and the first of them are the ones that came first.
    """
    chance = random.Random(depth)  # the same at every run
    for row in islice(waiting_rows(), depth // 10 + depth):
        number = row["seq"] - depth // 10
        if number <= 0:
            yield row | {"state": RecordState.DELIVERED, "decision": "e30." * 150}
        elif number % 50 == 0:
            due_s = chance.uniform(*SUSPECT_S)
            yield row | {"suspected": 1, "due_s": due_s, "answer": LONG_ANSWER}
        elif number % 5 == 0:
            yield row | {"due_s": chance.uniform(*BACKED_OFF_S), "answer": "503"}
        else:
            yield row
