"""The frame of every section: a row with its samples and target, the table, and turns."""

import statistics
import textwrap
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tests.support.backend import Backend

WIDTH: Final = 104
"""Columns of a row."""

_INDENT: Final = " " * 6

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table.

    Attributes:
        name: what was measured, in words.
        unit: behind the numbers: "ms", "x", "MB", or nothing.
        samples: every repetition, in order; the median counts.
        at_most: the target; None if there is none.
        digits: behind the point.
        note: how it was measured, if the name cannot say it.
        panel: title of the chart's panel that shows it; the product's row is the first one there.
        bar: its name in that panel.
    """

    name: str
    unit: str
    samples: Sequence[float]
    at_most: float | None = None
    digits: int = 1
    note: str = ""
    panel: str = ""
    bar: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The 10th and the 90th percentile."""
        if len(self.samples) < 2:
            return self.median, self.median
        tenths = statistics.quantiles(self.samples, n=10, method="inclusive")
        return tenths[0], tenths[-1]

    @property
    def is_missed(self) -> bool:
        """Return True if the median, unrounded, is above the target."""
        return self.at_most is not None and self.median > self.at_most

    @property
    def verdict(self) -> str:
        return "" if self.at_most is None else "MISSED" if self.is_missed else "met"

    def number(self, value: float) -> str:
        """Return a value with the digits and the unit of this figure."""
        return f"{value:,.{self.digits}f} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Rig:
    """A run of the benchmark.

    Attributes:
        folder: on the disk that the repository is on; it is deleted when the run ends.
        backend: the reference backend, a process of its own; it asks for certificates.
        is_quick: fewer repetitions, for a look.
    """

    folder: Path
    backend: Backend
    is_quick: bool

    def times(self, usual: int, quick: int) -> int:
        """Return how often to repeat."""
        return quick if self.is_quick else usual


def run_ms(job: Callable[[], object]) -> float:
    """Return how long a job took."""
    began_s = time.perf_counter()
    job()
    return (time.perf_counter() - began_s) * 1e3


def by_turns(
    rounds: int, jobs: Mapping[Key, Callable[[], float]], warm_up: int = 0
) -> dict[Key, list[float]]:
    """Return the samples that each job returned, round by round.

    Each round begins with another job, so that a slow moment of the machine meets all of them.
    The rounds of the warm-up come before and do not count.
    """
    samples: dict[Key, list[float]] = {key: [] for key in jobs}
    keys = list(jobs)
    for number in range(warm_up + rounds):
        first = number % len(keys)
        for key in (*keys[first:], *keys[:first]):
            samples[key].append(jobs[key]())
    return {key: taken[warm_up:] for key, taken in samples.items()}


def ratios(samples: Sequence[float], by: Sequence[float]) -> list[float]:
    """Return each sample by the one of the same round."""
    return [one / other for one, other in zip(samples, by, strict=True)]


def lines(section: str, figures: Sequence[Figure]) -> Iterator[str]:
    """Yield the section's rows, each followed by its note."""
    yield _row(section, "target", "measured", "p10 to p90", "n", "")
    for one in figures:
        low, high = one.spread
        yield _row(
            f"  {one.name}",
            "-" if one.at_most is None else f"≤ {one.at_most:g} {one.unit}".rstrip(),
            one.number(one.median),
            f"{low:,.{one.digits}f} to {high:,.{one.digits}f}" if one.samples[1:] else "-",
            str(len(one.samples)),
            one.verdict,
        )
        yield from textwrap.wrap(one.note, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _row(*cells: str) -> str:
    return "{:<46} {:>9} {:>11} {:>18} {:>5}  {}".format(*cells).rstrip()
