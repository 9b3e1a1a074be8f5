"""The frame of every section: a row with its samples and target, the table, and turns."""

import statistics
import textwrap
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.support.backend import Backend

WIDTH: Final = 104
"""Columns of a row."""

_NAME_WIDTH: Final = 46
_INDENT: Final = " " * 6

Key = TypeVar("Key", bound=Hashable)


class Verdict(StrEnum):
    """Result of a comparison with the target; UNBARRED means that there is no target."""

    MET = "met"
    MISSED = "MISSED"
    UNBARRED = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Attributes:
        name: what was measured, in words.
        unit: behind the numbers: "ms", "x", "MB", or nothing.
        samples: every repetition, in order; the median counts.
        at_most: the target; None if there is none.
        exactly: whether less than `at_most` is wrong, too.
        digits: behind the point.
        note: how it was measured, if the name cannot say it.
        panel: title of the chart's panel that shows it; the product's row is the first one there.
    """

    name: str
    unit: str
    samples: Sequence[float]
    at_most: float | None = None
    exactly: bool = False
    digits: int = 1
    note: str = ""
    panel: str = ""

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
    def verdict(self) -> Verdict:
        """Compare the median unrounded, so that no digit moves the target."""
        if self.at_most is None:
            return Verdict.UNBARRED
        wrong = self.median != self.at_most if self.exactly else self.median > self.at_most
        return Verdict.MISSED if wrong else Verdict.MET

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "target": self.at_most,
            "exactly": self.exactly,
            "median": self.median,
            "p10": self.spread[0],
            "p90": self.spread[1],
            "verdict": self.verdict or None,
            "samples": list(self.samples),
            "digits": self.digits,
            "note": self.note,
            "panel": self.panel,
        }


@dataclass(frozen=True, slots=True)
class Rig:
    """One run of the benchmark.

    Attributes:
        folder: on the disk that the repository is on; it is deleted when the run ends.
        backend: the reference backend, a process of its own; it asks for certificates.
        is_quick: fewer repetitions, for a look.
        is_full: 1,000 records in each upload, however long they take.
    """

    folder: Path
    backend: Backend
    is_quick: bool
    is_full: bool = False

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
    yield row(section, "target", "measured", "p10 to p90", "n", "")
    for figure in figures:
        yield row(
            f"  {figure.name}",
            _target(figure),
            _number(figure.median, figure),
            _spread(figure),
            str(len(figure.samples)),
            figure.verdict,
        )
        yield from textwrap.wrap(
            figure.note, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
        )


def row(name: str, *cells: str) -> str:
    """Return one row; `cells` are target, measured, spread, count and verdict."""
    target, measured, spread, count, verdict = cells
    columns = f"{name:<{_NAME_WIDTH}} {target:>9} {measured:>11} {spread:>18} {count:>5}  {verdict}"
    return columns.rstrip()


def _target(figure: Figure) -> str:
    if figure.at_most is None:
        return "-"
    return f"{'=' if figure.exactly else '≤'} {figure.at_most:g} {figure.unit}".rstrip()


def _number(value: float, figure: Figure) -> str:
    return f"{value:,.{figure.digits}f} {figure.unit}".rstrip()


def _spread(figure: Figure) -> str:
    low, high = figure.spread
    return f"{low:,.{figure.digits}f} to {high:,.{figure.digits}f}" if figure.samples[1:] else "-"
