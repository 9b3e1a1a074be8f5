"""What is measured, what it should be, and the table that says both; pure."""

import statistics
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

WIDTH: Final = 104
"""Columns of a row."""

_NAME_WIDTH: Final = 46
_INDENT: Final = " " * 6


class Verdict(StrEnum):
    """What a figure comes to; UNBARRED where nothing was promised."""

    MET = "met"
    MISSED = "MISSED"
    UNBARRED = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        name: what was measured, in words.
        unit: behind the numbers: "ms", "x", "MB", or nothing.
        samples: every repetition, in order; the median counts.
        at_most: the promise; None where there is none.
        exactly: whether less than `at_most` is wrong, too.
        digits: behind the point.
        pi: what would differ on a Pi.
        note: how it was measured, where the name cannot say it.
    """

    name: str
    unit: str
    samples: Sequence[float]
    at_most: float | None = None
    exactly: bool = False
    digits: int = 1
    pi: str = ""
    note: str = ""

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
        """Compares the median unrounded, so that no bar moves by a digit."""
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
            "note": self.note,
            "on_a_pi": self.pi,
        }


def lines(section: str, figures: Sequence[Figure]) -> Iterator[str]:
    """Yields the section's rows, each followed by its notes."""
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
        yield from _wrapped(figure.note)
        yield from _wrapped(figure.pi and f"on a Pi: {figure.pi}")


def row(name: str, *cells: str) -> str:
    """Returns one row; `cells` are target, measured, spread, count and verdict."""
    target, measured, spread, count, verdict = cells
    columns = f"{name:<{_NAME_WIDTH}} {target:>9} {measured:>11} {spread:>18} {count:>5}  {verdict}"
    return columns.rstrip()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _target(figure: Figure) -> str:
    if figure.at_most is None:
        return "-"
    return f"{'=' if figure.exactly else '≤'} {figure.at_most:g} {figure.unit}".rstrip()


def _number(value: float, figure: Figure) -> str:
    return f"{value:,.{figure.digits}f} {figure.unit}".rstrip()


def _spread(figure: Figure) -> str:
    low, high = figure.spread
    return f"{low:,.{figure.digits}f} to {high:,.{figure.digits}f}" if figure.samples[1:] else "-"
