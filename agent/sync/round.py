"""A round: each waiting record is tried once, for a client that waits for it (`sync --once`)."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from agent.errors import NotNow

Progress = Callable[[int, int], None]
"""Called with how many records were tried, and how many there are."""


@dataclass(frozen=True, slots=True)
class RoundResult:
    """The result of a round.

    Attributes:
        tried: records that had their attempt.
        delivered: those of them that the backend has.
        waiting: records that are still to be sent, with suspect ones.
        paused: why the backend does not let this device in, or None.
        unkept: kinds of documents that came and wait for capture.
    """

    tried: int
    delivered: int
    waiting: int
    paused: str | None
    unkept: Sequence[str] = ()


@dataclass(slots=True)
class Round:
    """The records that were due or backed off at `started_s` (CLOCK_BOOTTIME), each tried once."""

    progress: Progress = lambda _tried, _total: None
    has_begun: bool = False
    started_s: float = 0.0
    total: int = 0
    tried: int = 0
    delivered: int = 0
    result: RoundResult | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def begin(self, now_s: float, total: int) -> None:
        """Begin the round, with `total` records to try."""
        self.started_s, self.total, self.has_begun = now_s, total, True

    def count(self, *, delivered: bool) -> None:
        """Count another record that was tried."""
        self.tried += 1
        self.delivered += delivered
        self.progress(self.tried, max(self.total, self.tried))

    def end(self, waiting: int, paused: str | None, unkept: Sequence[str] = ()) -> None:
        """End the round, and wake the client that waits for it."""
        self.result = RoundResult(self.tried, self.delivered, waiting, paused, unkept)
        self.over.set()

    def wait(self) -> RoundResult:
        """Wait for the end of the round.

        Raises:
            NotNow: the loop was stopped before.
        """
        self.over.wait()
        if self.result is None:
            raise NotNow("sync was stopped meanwhile; ask again")
        return self.result


def read(answer: dict[str, Any]) -> RoundResult:
    """Read the answer of a running sync.

    Raises:
        NotNow: it is something else; another release may run.
    """
    try:
        return RoundResult(**{**answer, "unkept": tuple(map(str, answer.get("unkept", ())))})
    except TypeError as error:
        raise NotNow(f"the running sync answered something else: {error}") from error


class Rounds:
    """The rounds that were asked for, from any thread; the loop serves one after the other."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[Round] = queue.SimpleQueue()
        self._current: Round | None = None

    def ask(self, round_: Round) -> Round:
        """Queue a round behind the others."""
        self._asked.put(round_)
        return round_

    def current(self) -> Round | None:
        """Return the current round, or else the next; None when no client waits."""
        if self._current is None or self._current.over.is_set():
            self._current = None
            with suppress(queue.Empty):
                self._current = self._asked.get_nowait()
        return self._current

    def abandon(self) -> None:
        """End the waits of all clients, whose rounds will not be completed."""
        while round_ := self.current():
            round_.over.set()
