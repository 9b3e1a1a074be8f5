"""A plugin of pytest: collects the tests once, then forks a process for each mutant.

No child imports the product again, so that a mutant takes a tenth of a processor second.
A child runs the tests that reach the mutated function and stops at the first one that fails.
"""

import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - only to end its threads: they do not survive a fork
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutants import switch
from tests.mutants.children import CHILDREN_AT_ONCE, Job, Note, Work, results, taken_s
from tests.mutants.sample import Outcome
from tests.mutants.switch import function_of

LIMIT_S: Final = 10.0
"""Longest time of one mutant, without waiting for a processor."""

BEGIN: Final = 0.7
"""Part of LIMIT_S after which a child begins no further test."""


class Answer(StrEnum):
    """Results of the tests of one mutant."""

    PASSED = "passed"
    FAILED = "failed"
    LEFT = "left"
    """The tests that began passed; the time was over before the other tests began."""


_OUTCOMES: Final = {Answer.PASSED: Outcome.SURVIVED, Answer.LEFT: Outcome.UNDECIDED}


@dataclass(frozen=True, slots=True)
class Passed:
    """A test that passes on the code as it is.

    Attributes:
        place: its index in the session.
        took_s: how long it took.
        reaches: mutmut's names of the functions that it called in its own process.
    """

    place: int
    took_s: float
    reaches: frozenset[str]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options: the files of mutants and of their outcomes, and the limits of time."""
    parser.addoption("--mutants", nargs=2, metavar=("NAMES", "OUTCOMES"))
    parser.addoption("--mutant-limit-s", type=float, default=LIMIT_S)
    parser.addoption("--mutants-until-s", type=float, default=math.inf)


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Let hypothesis try the same examples each time, and shrink none: failing is enough."""
    settings.register_profile(
        "mutants",
        parent=settings(),
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
    )
    settings.load_profile("mutants")


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run each test once to see which functions it reaches; then try each mutant."""
    names, outcomes = map(Path, session.config.getoption("--mutants"))
    mutants: list[str] = json.loads(names.read_text())
    cv2.setNumThreads(1)
    until_s: float = session.config.getoption("--mutants-until-s")
    trials = Trials(session.items, session.config.getoption("--mutant-limit-s"))
    begun = takewhile(lambda _: time.monotonic() < until_s, mutants)
    outcomes.write_text(json.dumps(dict(trials.outcomes(begun))))
    return True


class Trials:
    """The collected tests, and which of them take part.

    A test takes part if it passes on the unchanged code: once with all others, and again after each
    mutant with which it failed. So a test that fails by this rig or a busy machine kills nothing.
    """

    def __init__(self, items: Sequence[pytest.Item], limit_s: float) -> None:
        self._items = items
        self._limit_s = limit_s
        self._unfit: set[int] = set()

    def outcomes(self, mutants: Iterable[str]) -> Iterable[tuple[str, Outcome]]:
        """Yield how each mutant ended."""
        passed = self._passed()
        _say(f"{len(passed):,} of {len(self._items):,} tests pass on the unchanged code")
        for number, result in enumerate(results(self._judged(one, passed) for one in mutants), 1):
            if number % 100 == 0:
                _say(f"{number:,} mutants")
            yield result
        for place in sorted(self._unfit):
            _say(
                f"takes no part, since it fails on the unchanged code: {self._items[place].nodeid}"
            )

    def _passed(self) -> list[Passed]:
        files = sorted({item.path for item in self._items})
        shares = (set(files[share::CHILDREN_AT_ONCE]) for share in range(CHILDREN_AT_ONCE))
        passed = [test for found in results(map(self._looked, shares)) for test in found]
        self._unfit = set(range(len(self._items))) - {test.place for test in passed}
        return passed

    def _looked(self, share: set[Path]) -> Job[list[Passed]]:
        ended = yield Work(partial(self._look, share))
        assert ended.answer is not None, f"the rig died in {self._items[ended.step].nodeid}"
        return [Passed(place, took_s, frozenset(on)) for place, took_s, on in ended.answer]

    def _look(self, share: set[Path], note: Note) -> list[tuple[int, float, list[str]]]:
        called = switch.note_calls()
        found = []
        mine = [place for place, item in enumerate(self._items) if item.path in share]
        for place, after in pairwise([*mine, None]):
            assert place is not None
            note(place)
            called.clear()
            began_s = taken_s(0)
            if self._passes(place, after):
                found.append((place, taken_s(0) - began_s, sorted(called)))
        return found

    def _judged(self, mutant: str, passed: list[Passed]) -> Job[tuple[str, Outcome]]:
        function = function_of(mutant)
        reaching = sorted((test for test in passed if function in test.reaches), key=_cheapness)
        while places := [test.place for test in reaching if test.place not in self._unfit]:
            ended = yield Work(partial(self._try, mutant, places), self._limit_s)
            if ended.answer in {Answer.PASSED, Answer.LEFT}:
                return mutant, _OUTCOMES[ended.answer]
            again = yield Work(partial(self._try, "", [ended.step]), self._limit_s)
            if ended.is_late and again.step_s > ended.step_s / 2:
                return mutant, Outcome.UNDECIDED
            if again.answer == Answer.PASSED:
                return mutant, Outcome.KILLED
            self._unfit.add(ended.step)
        return mutant, Outcome.NO_TEST

    def _try(self, mutant: str, places: list[int], note: Note) -> str:
        switch.activate(mutant)
        began_s = taken_s(0)
        for place, after in pairwise([*places, None]):
            assert place is not None
            if taken_s(began_s) > BEGIN * self._limit_s:
                return Answer.LEFT
            note(place)
            if not self._passes(place, after):
                return Answer.FAILED
        return Answer.PASSED

    def _passes(self, place: int, after: int | None) -> bool:
        following = None if after is None else self._items[after]
        reports = runtestprotocol(self._items[place], log=False, nextitem=following)
        return all(not report.failed for report in reports)


def _cheapness(test: Passed) -> tuple[int, float]:
    return len(test.reaches), test.took_s


def _say(text: str) -> None:
    print(text, file=sys.__stderr__, flush=True)
