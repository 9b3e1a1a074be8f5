from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

from tests.bench import chart, enqueue, upload
from tests.bench.frame import Figure

RUN = {"date": "2026-12-01T09:15:02Z", "version": "2026.12.0", "commit": "unknown", "quick": True}
MACHINE = {"machine": "Raspberry Pi 4 Model B Rev 1.5, 4 cores, 4,000 MB", "disk": "ext4 on it"}

LABELS = ("  doorstep: time", "persist-queue Queue, chunksize=1: time")


@pytest.fixture
def report() -> dict[str, Any]:
    """What a run writes; its words are as wide as those of a real one."""
    titles = (enqueue.TIME, enqueue.CUTS, upload.AT_100_MS)
    rows = [Figure(name, "ms", [12_345.0], panel=one) for one in titles for name in LABELS]
    rows.append(Figure("not drawn", "ms", [1.0]))
    figures = {"upload": [row.to_json() for row in rows]}
    return {"run": RUN, "machine": MACHINE, "figures": figures}


def test_words_neither_meet_nor_leave_the_paper(report: dict[str, Any]) -> None:
    """A longer label must not make the picture unreadable."""
    canvas = chart.canvas(report)
    canvas.draw_without_rendering()

    texts = [one for one in canvas.findobj(Text) if isinstance(one, Text)]
    words = [one for one in texts if one.get_text() and one.get_visible()]
    extents = [one.get_window_extent() for one in words]
    assert len(extents) == 3 * (1 + 2 + 2) + 1
    assert all(canvas.bbox.fully_contains(x, y) for e in extents for x, y in e.corners())
    assert not [pair for pair in combinations(extents, 2) if pair[0].overlaps(pair[1])]


@pytest.mark.slow
def test_the_same_run_makes_the_same_pictures(report: dict[str, Any], tmp_path: Path) -> None:
    """Drawn again without a change they are no change to commit."""
    chart.draw(report, tmp_path / "one")
    chart.draw(report, tmp_path / "two")

    for name in ("bench.svg", "bench.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
