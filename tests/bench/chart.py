"""The picture of a run of the bench: a panel for each title that rows name, the product first."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from tests.bench.frame import Figure

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


def draw(figures: Iterable[Figure], origin: str, folder: Path) -> None:
    """Write `bench.png` into `folder`, which is made if need be; `origin` is its footer.

    Without a row that has a panel there is only the footer.
    """
    panels: dict[str, list[Figure]] = {}
    for one in figures:
        if one.panel:
            panels.setdefault(one.panel, []).append(one)
    heights = [len(rows) + HEAD_BARS for rows in panels.values()]
    drawn = Canvas(figsize=(WIDTH_IN, BAR_IN * (sum(heights) + 2)), layout="constrained")
    if panels:
        places = drawn.subplots(len(panels), 1, height_ratios=heights, squeeze=False)
        for axes, (title, rows) in zip(places[:, 0], panels.items(), strict=True):
            _draw(axes, title, rows)
    drawn.supxlabel(origin, x=0.01, ha="left", color=FAINT, fontsize=8.5)
    folder.mkdir(parents=True, exist_ok=True)
    drawn.savefig(folder / "bench.png", dpi=PNG_DPI, metadata={"Software": None})


def _draw(axes: Axes, title: str, rows: Sequence[Figure]) -> None:
    lengths = [row.median for row in rows]
    is_ours = [row is rows[0] or row.bar.startswith("doorstep") for row in rows]
    drawn = axes.barh(
        [row.bar for row in rows],
        lengths,
        height=0.72,
        color=[OURS if ours else OTHER for ours in is_ours],
    )
    axes.bar_label(drawn, [row.number(row.median) for row in rows], padding=4, fontsize=9)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlim(0, 1.15 * max(*lengths, 1e-9))
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=9)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
