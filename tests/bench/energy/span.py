"""An estimate as two figures, low and high."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Span:
    """A low and a high estimate of one figure."""

    low: float
    high: float

    def __add__(self, other: Self) -> Self:
        return type(self)(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Self:
        """Return both estimates, so many times as much."""
        return type(self)(self.low * factor, self.high * factor)

    def by(self, other: Self) -> Self:
        """Return the product: low by low, high by high."""
        return type(self)(self.low * other.low, self.high * other.high)

    def text(self, digits: int) -> str:
        """Return "LOW to HIGH", or one figure if both read the same."""
        low, high = (f"{one:,.{digits}f}" for one in (self.low, self.high))
        return low if low == high else f"{low} to {high}"


NOTHING: Final = Span(0.0, 0.0)


def total(spans: Iterable[Span]) -> Span:
    """Return the sum."""
    found = NOTHING
    for one in spans:
        found += one
    return found
