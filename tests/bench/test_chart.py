import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.bench import chart, chart_rows
from tests.bench.chart_rows import PANELS, FigureMissing, Kind, names
from tests.support.backend import REPOSITORY

RUN = {"date": "2026-12-01T09:15:02Z", "version": "2026.12.0", "commit": "unknown", "quick": True}
MACHINE = {"machine": "Raspberry Pi 4 Model B Rev 1.5, 4 cores, 4,000 MB", "disk": "ext4 on it"}


@pytest.fixture
def report() -> dict[str, Any]:
    """What a whole run writes, as far as the chart reads it; its numbers are wide."""
    figures: dict[str, list[dict[str, Any]]] = {panel.section: [] for panel in PANELS}
    for panel in PANELS:
        figures[panel.section] += [{"name": name, "median": 100.0} for name in names(panel)]
    return {"run": RUN, "machine": MACHINE, "figures": figures}


@pytest.mark.slow
def test_the_same_run_makes_the_same_pictures(report: dict[str, Any], tmp_path: Path) -> None:
    """Drawn again without a change they are no change to commit."""
    chart.draw(report, tmp_path / "one")
    chart.draw(report, tmp_path / "two")

    for name in ("bench.svg", "bench.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_words_neither_meet_nor_leave_the_paper(report: dict[str, Any]) -> None:
    """A longer label must not make the picture unreadable."""
    canvas = chart.canvas(report)

    extents = [text.get_window_extent() for text in canvas.axes[0].texts if text.get_text()]
    assert len(extents) > sum(2 * len(panel.rows) for panel in PANELS)
    assert all(canvas.bbox.fully_contains(x, y) for e in extents for x, y in e.corners())
    assert not [pair for pair in combinations(extents, 2) if pair[0].overlaps(pair[1])]


def test_figures_that_are_not_there_are_all_named(report: dict[str, Any]) -> None:
    """Half a chart would compare what was not measured."""
    del report["figures"]["press"]
    gone = report["figures"]["enqueue"].pop()["name"]

    with pytest.raises(FigureMissing) as raised:
        chart_rows.bars(report)

    assert f"enqueue: {gone}; " in str(raised.value)
    assert "press: warm press to green" in str(raised.value)


def test_parts_begin_where_the_part_before_ended(report: dict[str, Any]) -> None:
    """One sees that they add up to the whole."""
    press = chart_rows.bars(report)[-1][1]

    parts = [bar for bar in press if bar.kind is Kind.PART]
    assert [part.begins for part in parts] == [0.0, *(part.ends for part in parts[:-1])]
    assert all(bar.begins == 0 for bar in press if bar.kind is not Kind.PART)


def test_of_two_parts_with_one_name_the_first_is_shown(report: dict[str, Any]) -> None:
    """Warm and cold presses have parts of the same names; the chart shows the warm ones."""
    report["figures"]["press"] += [
        {"name": f"    {name}", "median": 500.0} for name in names(PANELS[-1])
    ]

    assert max(bar.ends for bar in chart_rows.bars(report)[-1][1]) < 1000


@pytest.mark.slow
def test_the_chart_is_drawn_from_the_file_alone(report: dict[str, Any], tmp_path: Path) -> None:
    """Whoever has the raw numbers of a run can draw it."""
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench.chart", str(file), str(tmp_path / "drawn")]

    file.write_text(json.dumps(report))
    drawn = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    report["figures"] = {}
    file.write_text(json.dumps(report))
    lacking = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert drawn.returncode == 0, drawn.stderr
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"bench.svg", "bench.png"}
    assert lacking.returncode == 2
    assert "figures that this run of the bench does not have" in lacking.stderr
