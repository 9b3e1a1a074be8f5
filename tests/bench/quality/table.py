"""Verdicts -> shares of pictures with their confidence intervals, as a Markdown table. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.models import QualityVerdict
from tests.bench.quality.classes import BLURS, EXPOSURES, SHARP
from tests.bench.quality.judging import Judged

_Z: Final = 1.96
"""Standard deviations on either side that hold 95 % of a normal distribution."""

_ABOUT_BLUR: Final = {QualityVerdict.OK, QualityVerdict.NOISY, QualityVerdict.BLURRED}
"""Verdicts that say something about blur: the check asks for the others before it."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of pictures, 0 to 1, its 95 % interval, and the number of their photographs."""

    share: float
    least: float
    most: float
    photographs: int

    def __str__(self) -> str:
        least, share, most = (f"{100 * one:.0f}" for one in (self.least, self.share, self.most))
        return f"{share} ({least} to {most})"


def share(rows: Iterable[Judged], verdicts: Sequence[QualityVerdict]) -> Share:
    """Return the mean of the photographs' shares with one of these verdicts.

    The interval is Wilson's (1927), with as many trials as photographs: the pictures of one
    photograph are alike, and count as one. Shares between 0 and 1 vary less than yes and no do, so
    the interval is rather too wide. It says something also if no picture passes, of which a
    bootstrap makes an interval without width.
    """
    found: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row.verdict in _ABOUT_BLUR:
            found[row.photograph].append(row.verdict in verdicts)
    count = len(found)
    if count == 0:
        return Share(0, 0, 1, 0)
    mean = sum(sum(hits) / len(hits) for hits in found.values()) / count
    middle = (mean + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * (mean * (1 - mean) / count + _Z**2 / (4 * count**2)) ** 0.5
    return Share(mean, max(0.0, middle - half), min(1.0, middle + half), count)


def tables(rows: Sequence[Judged]) -> Iterator[str]:
    """Yield a table's lines: the sharp pictures that do not pass, the blurred ones that do."""
    exposures = [one.name for one in EXPOSURES]
    yield f"| % of pictures (95 % interval) | {' | '.join(exposures)} |"
    yield "| --- " * (1 + len(exposures)) + "|"
    yield _line(rows, SHARP, "sharp, called blurred", [QualityVerdict.BLURRED])
    yield _line(rows, SHARP, "sharp, called noisy", [QualityVerdict.NOISY])
    for blur in BLURS:
        if blur != SHARP:
            yield _line(rows, blur, f"{blur}: ok", [QualityVerdict.OK])
            if any((row.blur, row.verdict) == (blur, QualityVerdict.NOISY) for row in rows):
                passed = [QualityVerdict.OK, QualityVerdict.NOISY]
                yield _line(rows, blur, f"{blur}: ok or noisy", passed)
    yield ""
    counted = sum(row.verdict in _ABOUT_BLUR for row in rows)
    yield (
        f"{counted} pictures of {len({row.photograph for row in rows})} photographs; "
        f"another {len(rows) - counted} are dark, clipped or covered, and do not count."
    )


def _line(rows: Sequence[Judged], blur: str, head: str, verdicts: Sequence[QualityVerdict]) -> str:
    cells = [
        share([row for row in rows if (row.blur, row.exposure) == (blur, one.name)], verdicts)
        for one in EXPOSURES
    ]
    return f"| {head} | {' | '.join(map(str, cells))} |"
