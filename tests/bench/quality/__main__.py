"""`python -m tests.bench.quality`: blur on real photographs, as tables in Markdown."""

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby

from agent.models import QualityVerdict
from tests.bench.quality import judging
from tests.bench.quality.judging import GRAINS, SHARP, SMEARS_PX, SOFT, Judged, Spoilt, smears
from tests.bench.quality.photographs import PLACES
from tests.support import needs


def main() -> None:
    """Judge every photograph, spoilt in every way, and print the tables."""
    argparse.ArgumentParser(prog="python -m tests.bench.quality", description=__doc__).parse_args()
    needs.check("mate")
    rows = list(judging.judged(PLACES, judging.ALL))
    print("\n".join([*_verdicts(rows), "", *_scores(rows)]))


def _verdicts(rows: Sequence[Judged]) -> Iterator[str]:
    yield "| photographs | grain | pictures | blurred | noisy |"
    yield "| --- | --- | --- | --- | --- |"
    for words, ways in _kinds():
        for grain in GRAINS:
            found = [row.verdict for row in rows if row.spoilt in ways and row.grain == grain]
            blurred, noisy = found.count(QualityVerdict.BLURRED), found.count(QualityVerdict.NOISY)
            yield f"| {words} | {grain} | {len(found)} | {blurred} | {noisy} |"


def _kinds() -> Iterator[tuple[str, tuple[Spoilt, ...]]]:
    yield "sharp", (SHARP,)
    for soft in SOFT:
        yield f"softened, {soft.softness_px} px", (soft,)
    for length_px in SMEARS_PX:
        yield f"smeared, {length_px} px, eight directions", smears(length_px)


def _scores(rows: Sequence[Judged]) -> Iterator[str]:
    heads = " | ".join(f"smeared, {length_px} px" for length_px in SMEARS_PX)
    yield f"| sharpness | grain | sharp | softened, 1, 2, 4 px | {heads} |"
    yield "| --- " * (4 + len(SMEARS_PX)) + "|"
    for (name, grain), group in groupby(
        sorted(rows, key=lambda row: row.grain), key=lambda row: (row.name, row.grain)
    ):
        score = {row.spoilt: row.sharpness for row in group}
        sharp, *soft = (f"{score[way]:.0f}" for way in (SHARP, *SOFT))
        spans = ([score[way] for way in smears(length_px)] for length_px in SMEARS_PX)
        smeared = " | ".join(
            f"{min(span):.0f} to {max(span):.0f}, {max(span) / min(span):.1f}x" for span in spans
        )
        yield f"| {name} | {grain} | {sharp} | {', '.join(soft)} | {smeared} |"


if __name__ == "__main__":
    main()
