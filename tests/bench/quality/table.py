"""What was said of the photographs, as tables in Markdown."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from agent.models import Verdict
from tests.bench.quality.judging import GRAINS, SHARP, SMEARS_PX, SOFT, Judged, Said, Spoilt, smears

Which = Callable[[Judged], Said]


def lines(rows: Sequence[Judged]) -> Iterator[str]:
    """Yield the tables: verdicts, scores by photograph, and how much a direction matters."""
    yield from _verdicts(rows)
    for which, words in ((_before, "2026.11.1"), (_now, "now")):
        yield ""
        yield from _scores(rows, which, words)


def by_direction(rows: Sequence[Judged], which: Which) -> float:
    """Return the highest score by the lowest, of smears that differ by direction only."""
    scores = [which(row).sharpness for row in rows]
    return max(scores) / min(scores) if min(scores) > 0 else float("inf")


def _verdicts(rows: Sequence[Judged]) -> Iterator[str]:
    yield "| photographs | grain | pictures | blurred, 2026.11.1 | blurred, now | noisy, both |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for words, ways in _kinds():
        for grain in GRAINS:
            some = [row for row in rows if row.spoilt in ways and row.grain == grain]
            then, now = ([which(row).verdict for row in some] for which in (_before, _now))
            counts = (len(some), then.count(Verdict.BLURRED), now.count(Verdict.BLURRED))
            cells = " | ".join(str(one) for one in counts)
            yield f"| {words} | {grain} | {cells} | {now.count(Verdict.NOISY)} |"


def _kinds() -> Iterator[tuple[str, tuple[Spoilt, ...]]]:
    yield "sharp", (SHARP,)
    for soft in SOFT:
        yield f"softened, {soft.softness_px} px", (soft,)
    for length_px in SMEARS_PX:
        yield f"smeared, {length_px} px, eight directions", smears(length_px)


def _scores(rows: Sequence[Judged], which: Which, words: str) -> Iterator[str]:
    heads = " | ".join(f"smeared, {length_px} px" for length_px in SMEARS_PX)
    yield f"| sharpness, {words} | grain | sharp | softened, 1, 2, 4 px | {heads} |"
    yield "| --- " * (4 + len(SMEARS_PX)) + "|"
    for (name, grain), group in groupby(
        sorted(rows, key=lambda row: row.grain), key=lambda row: (row.name, row.grain)
    ):
        some = list(group)
        sharp, *soft = (_score(some, which, way) for way in (SHARP, *SOFT))
        smeared = " | ".join(_span(some, which, length_px) for length_px in SMEARS_PX)
        yield f"| {name} | {grain} | {sharp} | {', '.join(soft)} | {smeared} |"


def _score(rows: Sequence[Judged], which: Which, way: Spoilt) -> str:
    return next(f"{which(row).sharpness:.0f}" for row in rows if row.spoilt == way)


def _span(rows: Sequence[Judged], which: Which, length_px: float) -> str:
    """Return the scores' span over the directions, and how much one is of the other."""
    some = [row for row in rows if row.spoilt in smears(length_px)]
    scores = [which(row).sharpness for row in some]
    times = by_direction(some, which)
    words = "below 0" if times == float("inf") else f"{times:.1f}x"
    return f"{min(scores):.0f} to {max(scores):.0f}, {words}"


def _before(row: Judged) -> Said:
    return row.before


def _now(row: Judged) -> Said:
    return row.now
