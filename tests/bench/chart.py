"""`python -m tests.bench.chart FILE FOLDER`: one picture of a run of the bench, as SVG and PNG.

It reads what `scripts/bench --json FILE` wrote and nothing else; the same file makes the same
bytes. A panel has the rows that name it, the product's first.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

WIDTH_IN: Final = 8.3
"""At 96 px per inch 800 px, about what GitHub shows of a README."""

BAR_IN: Final = 0.25
HEAD_BARS: Final = 1.8
"""Height of a panel's title, in bars."""

OURS: Final = "#0a7d5a"
OTHER: Final = "#c3c9d0"
FAINT: Final = "#59636e"

PNG_DPI: Final = 192
"""Two pixels for one of the 800, for fine screens."""

Row = Mapping[str, Any]
"""What Figure.to_json returns."""


def draw(report: Mapping[str, Any], folder: Path) -> None:
    """Write `bench.svg` and `bench.png` into `folder`, which is made if need be."""
    drawn = canvas(report)
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "doorstep"}):  # without one, its ids are random
        drawn.savefig(folder / "bench.svg", metadata={"Date": None, "Creator": None})
    drawn.savefig(folder / "bench.png", dpi=PNG_DPI, metadata={"Software": None})


def canvas(report: Mapping[str, Any]) -> Canvas:
    """Return the drawing; only the footer if no section with a panel was measured."""
    panels: dict[str, list[Row]] = {}
    for row in (one for rows in report["figures"].values() for one in rows if one["panel"]):
        panels.setdefault(row["panel"], []).append(row)
    heights = [len(rows) + HEAD_BARS for rows in panels.values()]
    drawn = Canvas(figsize=(WIDTH_IN, BAR_IN * (sum(heights) + 2)), layout="constrained")
    if panels:
        places = drawn.subplots(len(panels), 1, height_ratios=heights, squeeze=False)
        for axes, (title, rows) in zip(places[:, 0], panels.items(), strict=True):
            _draw(axes, title, rows)
    drawn.supxlabel(_origin(report), x=0.01, ha="left", color=FAINT, fontsize=8.5)
    return drawn


def _draw(axes: Axes, title: str, rows: Sequence[Row]) -> None:
    lengths = [row["median"] for row in rows]
    drawn = axes.barh(
        _labels([row["name"].strip() for row in rows]),
        lengths,
        height=0.72,
        clip_on=False,  # the ids of clip paths vary
        color=[OURS if _is_ours(row, rows[0]) else OTHER for row in rows],
    )
    texts = [f"{row['median']:,.{row['digits']}f} {row['unit']}".strip() for row in rows]
    axes.bar_label(drawn, texts, padding=4, fontsize=9)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlim(0, 1.15 * max(*lengths, 1e-9))
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=9)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)


def _labels(names: Sequence[str]) -> list[str]:
    """Return what distinguishes the names: without the words that all begin and end with."""
    if len(names) < 2:
        return list(names)
    words = [name.replace(":", " :").replace(",", " ,").split() for name in names]
    begin = _alike(words)
    end = _alike([one[:begin:-1] for one in words])
    kept = (" ".join(one[begin : len(one) - end]) for one in words)
    return [one.replace(" :", ":").replace(" ,", ",") for one in kept]


def _alike(words: Sequence[Sequence[str]]) -> int:
    """Return how many words all begin with."""
    return sum(1 for _ in takewhile(lambda one: len(set(one)) == 1, zip(*words, strict=False)))


def _is_ours(row: Row, first: Row) -> bool:
    """Return whether a row is the first of its panel, or another of the product's."""
    return row is first or row["name"].strip().startswith("doorstep")


def _origin(report: Mapping[str, Any]) -> str:
    run, machine = report["run"], report["machine"]
    file_system = machine["disk"].split()[0]
    told = f"scripts/bench of doorstep {run['version']}, {run['date'][:10]}, {machine['machine']}"
    return f"{told}, {file_system}{', quick run' if run['quick'] else ''}"


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.bench.chart", description=__doc__)
    parser.add_argument("file", type=Path, help="what scripts/bench --json wrote")
    parser.add_argument("folder", type=Path, help="where bench.svg and bench.png go")
    options = parser.parse_args()
    draw(json.loads(options.file.read_text()), options.folder)


if __name__ == "__main__":
    main()
