"""`python -m tests.bench.chart FILE FOLDER`: one picture of a run of the bench, as SVG and PNG.

It reads what `scripts/bench --json FILE` wrote and nothing else; the same file makes the same
bytes.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from tests.bench.chart_rows import Bar, FigureMissing, Kind, Panel, bars

WIDTH_IN: Final = 8.3
"""At 96 px per inch 800 px, about what GitHub shows of a README."""

MARGIN_IN: Final = 0.2
BAR_IN: Final = 0.255
HEAD_IN: Final = 0.62
BELOW_PANEL_IN: Final = 0.15
FOOT_IN: Final = 0.35

LABELS_END_IN: Final = 2.4
LONGEST_IN: Final = 2.35
CELLS_AT_IN: Final = (5.5, 6.32, 6.95)
"""Where labels end, how long the longest bar is, and where the columns beside it begin."""

COLORS: Final = {Kind.OURS: "#0a7d5a", Kind.PART: "#8cc9b5", Kind.OTHER: "#c3c9d0"}
INK: Final = "#1f2328"
FAINT: Final = "#59636e"
PAPER: Final = "#ffffff"
"""Dark ink on white paper of its own, so that it reads on a light and on a dark page."""

FONT: Final = "DejaVu Sans"
"""It comes with matplotlib, so it is there everywhere."""

PNG_DPI: Final = 192
"""Two pixels for one of the 800, for fine screens."""


def draw(report: Mapping[str, Any], folder: Path) -> None:
    """Writes `bench.svg` and `bench.png` into `folder`, which is made if need be.

    Raises:
        FigureMissing: the report is of a part of the bench, or a figure was renamed.
    """
    drawn = canvas(report)
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "doorstep"}):  # without one, its ids are random
        drawn.savefig(folder / "bench.svg", metadata={"Date": None, "Creator": None})
    drawn.savefig(folder / "bench.png", dpi=PNG_DPI, metadata={"Software": None})


def canvas(report: Mapping[str, Any]) -> Canvas:
    """Returns the drawing: one set of axes in inches, downwards.

    Raises:
        FigureMissing: as `draw`.
    """
    panels = bars(report)
    heights_in = [HEAD_IN + BAR_IN * len(rows) + BELOW_PANEL_IN for _, rows in panels]
    height_in = sum(heights_in) + FOOT_IN
    drawn = Canvas(figsize=(WIDTH_IN, height_in), facecolor=PAPER)
    axes = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, WIDTH_IN), ylim=(height_in, 0))
    axes.axis("off")
    top_in = 0.0
    for (panel, rows), panel_in in zip(panels, heights_in, strict=True):
        _draw_panel(axes, panel, rows, top_in)
        top_in += panel_in
    _write(axes, MARGIN_IN, height_in - 0.22, _origin(report), color=FAINT, size=8.5)
    return drawn


def _draw_panel(axes: Axes, panel: Panel, rows: Sequence[Bar], top_in: float) -> None:
    _write(axes, MARGIN_IN, top_in + 0.25, panel.title, size=11.5, weight="bold")
    for x_in, head in zip((MARGIN_IN, *CELLS_AT_IN), (panel.scale, *panel.heads), strict=False):
        _write(axes, x_in, top_in + 0.48, head, color=FAINT, size=8.5)
    scale_in = LONGEST_IN / max(row.ends for row in rows)
    for number, row in enumerate(rows):
        _draw_bar(axes, row, top_in + HEAD_IN + BAR_IN * (number + 0.5), scale_in)


def _draw_bar(axes: Axes, row: Bar, middle_in: float, scale_in: float) -> None:
    weight = "bold" if row.kind is Kind.OURS else "normal"
    left_in, right_in = (LABELS_END_IN + scale_in * end for end in (row.begins, row.ends))
    axes.barh(middle_in, right_in - left_in, BAR_IN * 0.72, left=left_in, color=COLORS[row.kind])
    _write(axes, LABELS_END_IN - 0.08, middle_in, row.label, ha="right", weight=weight)
    _write(axes, right_in + 0.06, middle_in, row.text, weight=weight)
    for x_in, cell in zip(CELLS_AT_IN, row.cells, strict=False):
        _write(axes, x_in, middle_in, cell, weight=weight)


def _write(axes: Axes, x_in: float, y_in: float, words: str, **looks: Any) -> None:
    usual: dict[str, Any] = {"color": INK, "family": FONT, "size": 9.5, "va": "center_baseline"}
    axes.text(x_in, y_in, words, **usual | looks)


def _origin(report: Mapping[str, Any]) -> str:
    run, machine = report["run"], report["machine"]
    file_system = machine["disk"].split()[0]
    told = f"scripts/bench of doorstep {run['version']}, {run['date'][:10]}, {machine['machine']}"
    return f"{told}, {file_system}{', quick run' if run['quick'] else ''}"


def main() -> int:
    """Draw; 2 when the file does not have what the chart shows."""
    parser = argparse.ArgumentParser("python -m tests.bench.chart", description=__doc__)
    parser.add_argument("file", type=Path, help="what scripts/bench --json wrote")
    parser.add_argument("folder", type=Path, help="where bench.svg and bench.png go")
    options = parser.parse_args()
    try:
        draw(json.loads(options.file.read_text()), options.folder)
    except FigureMissing as missing:
        parser.error(str(missing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
