"""The faults that are tried by the thousand, and what came of each."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.models import RecordState
from tests.faults.network.box import Ending, Fault, Way
from tests.faults.network.rig import Exchange, Rig, in_memory, rig

SMALL_PHOTO_BYTES: Final = 300
"""A record of some 3.5 KB, where no byte of its body matters more than another."""

LATER_PHOTO_BYTES: Final = 300_000
"""A photo for the points further on. The usual size of one."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The line is harmed at one byte of an attempt."""

    exchange: Exchange
    fault: Fault
    photo_bytes: int = SMALL_PHOTO_BYTES

    def __str__(self) -> str:
        fault = self.fault
        return f"{self.exchange}, {fault.way}, {fault.ending} at byte {fault.after_bytes}"

    def endure(self, on: Rig) -> list[str]:
        return on.harmed(self.fault, self.exchange, self.photo_bytes)


@dataclass(frozen=True, slots=True)
class Status:
    """Something answers all requests of one method with a bare status; below 200 it is final."""

    exchange: Exchange
    method: str
    status: int

    def __str__(self) -> str:
        return f"{self.exchange}, {self.method} answered {self.status}"

    def endure(self, on: Rig) -> list[str]:
        """HEAD aside, no status alone makes a record anything but pending."""
        item = on.prepare(self.exchange, SMALL_PHOTO_BYTES)
        on.inner.set(methods=[self.method], status=self.status)
        on.attempt(item)
        state = on.row(item).state
        wrong = [f"it is {state}"] if self.method != "HEAD" and state != RecordState.PENDING else []
        return on.outcome(item, wrong)


Case = Cut | Status


@dataclass(frozen=True, slots=True)
class Plan:
    """The density of the cases.

    Attributes:
        first_bytes: of the body of the first attempt, cut after every one; its headers too.
        later: points at random in a photo of the usual size.
        every: one byte in so many of the other requests and their answers.
        seed: chooses the points at random.
    """

    first_bytes: int = 2048
    later: int = 500
    every: int = 11
    seed: int = 1

    def series(self) -> dict[str, Sequence[Case]]:
        """The cases by what they are called; sends records without faults to learn the lengths."""
        with in_memory() as folder, rig(folder) as healthy:
            first = self._first(healthy)
            rest = {
                f"{exchange}: {_WAYS[way]}, {ending}": self._others(healthy, exchange, way, ending)
                for exchange, way, ending in _OTHERS
            }
        return first | rest | _statuses()

    def _first(self, healthy: Rig) -> dict[str, Sequence[Case]]:
        exchange, small, large = Exchange.FIRST, 1000 + self.first_bytes, LATER_PHOTO_BYTES
        points = range(healthy.extent(exchange, small).head_bytes + self.first_bytes + 1)
        whole = healthy.extent(exchange, large).passed["up"]
        rng = random.Random(self.seed)
        later = sorted(rng.sample(range(points.stop, whole), self.later - 1))
        return {
            f"{exchange}: requests, cut": [Cut(exchange, Fault("up", at), small) for at in points],
            f"{exchange}: requests, cut later": [
                Cut(exchange, Fault("up", at), large) for at in [*later, whole]
            ],
        }

    def _others(self, healthy: Rig, exchange: Exchange, way: Way, ending: Ending) -> list[Cut]:
        extent = healthy.extent(exchange, SMALL_PHOTO_BYTES)
        begin, end = 0, extent.passed[way]
        if ending is Ending.FLIP:
            begin, end = extent.head_bytes if way == "up" else 0, end - 1
        is_answer_cut = exchange is Exchange.FIRST and ending is not Ending.FLIP
        every = 1 if is_answer_cut else self.every * (8 if ending is Ending.FLIP else 1)
        points = sorted({*range(begin, end, every), end})
        return [Cut(exchange, Fault(way, point, ending)) for point in points]


_WAYS: Final[dict[Way, str]] = {"up": "requests", "down": "answers"}

_OTHERS: Final[list[tuple[Exchange, Way, Ending]]] = [
    (Exchange.FIRST, "down", Ending.CUT),
    (Exchange.FIRST, "down", Ending.CLOSE),
    (Exchange.FIRST, "up", Ending.FLIP),
    (Exchange.FIRST, "down", Ending.FLIP),
    (Exchange.AGAIN, "up", Ending.CUT),
    (Exchange.AGAIN, "down", Ending.CUT),
    (Exchange.AGAIN, "down", Ending.CLOSE),
    (Exchange.RECEIPT, "up", Ending.CUT),
    (Exchange.RECEIPT, "down", Ending.CUT),
    (Exchange.RECEIPT, "down", Ending.CLOSE),
    (Exchange.RECEIPT, "down", Ending.FLIP),
]
"""Requests are altered in the body of the first attempt only: that is the wrong digest."""

_ANSWERED: Final = [
    (Exchange.FIRST, "POST"),
    (Exchange.AGAIN, "HEAD"),
    (Exchange.AGAIN, "PATCH"),
    (Exchange.RECEIPT, "HEAD"),
    (Exchange.RECEIPT, "POST"),
]


def _statuses() -> dict[str, Sequence[Case]]:
    return {
        f"{exchange}: {method} answered 100 to 599": [
            Status(exchange, method, status) for status in range(100, 600)
        ]
        for exchange, method in _ANSWERED
    }


def violations(cases: Sequence[Case]) -> list[str]:
    """Try case after case on one device; returns one line for each that broke a promise."""
    with in_memory() as folder, rig(folder) as one:
        tried = ((case, _endured(case, one)) for case in cases)
        return [f"{case}: {'; '.join(wrong)}" for case, wrong in tried if wrong]


def _endured(case: Case, one: Rig) -> list[str]:
    try:
        return case.endure(one)
    except AssertionError as error:  # a record was not where even the way to the case needs it
        for item in one.device.outbox.items(RecordState.PENDING, 0, 1000):
            one.set_aside(item, [])
        return [str(error).partition("\n")[0]]
