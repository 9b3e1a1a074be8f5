"""The benchmark of queues sees what they keep, what they write, and what they lose."""

import os
import re
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.bench import cuts
from tests.bench.bare import RawDisk
from tests.bench.cuts import UNFLUSHED, Survey
from tests.bench.enqueue import survey_figures
from tests.bench.queues import OURS, Queue, in_folder, new_photo
from tests.support.backend import REPOSITORY

CALLS = "rename,write,writev,pwrite64,fsync,fdatasync"


def keep_one_each(folder: Path) -> None:
    """Keep a photo between two marks by ours, and between the next two by the bare loop."""

    def traced(queue: Queue) -> None:
        photo = new_photo()
        _mark()
        queue.put(photo)
        _mark()

    with closing(in_folder(folder / "ours")) as ours:
        ours.grow()
        with closing(RawDisk(folder / "raw", ours.sizes())) as raw:
            raw.grow()
            traced(ours)
            traced(raw)


def _mark() -> None:
    with suppress(FileNotFoundError):
        Path("marker").rename("marker")


@pytest.mark.parametrize(
    ("survey", "missed"),
    [
        (Survey(OURS.name, [3, 3, 5], 1.2, [0, 0]), []),
        (Survey(OURS.name, [4, 4, 3], 1.2, [0, 0]), ["doorstep: flushes"]),
        (Survey(OURS.name, [3, 3, 3], 1.2, [0, 2]), ["doorstep: lost"]),
    ],
)
def test_a_flush_too_many_and_a_lost_photo_are_missed_targets(
    survey: Survey, missed: list[str]
) -> None:
    """A state that loses a photo is enough."""
    figures = list(survey_figures([survey]))

    assert [one.name for one in figures if one.is_missed] == missed


@pytest.mark.slow
@pytest.mark.alone
def test_the_bare_loop_writes_and_flushes_as_the_product_does(tmp_path: Path) -> None:
    """The limit that ours is measured by does all that ours does to the disk, and no more."""
    log = tmp_path / "calls"
    python = [sys.executable, "-m", "tests.bench.test_enqueue", str(tmp_path)]

    subprocess.run(
        ["strace", "-qq", "-o", str(log), "-e", f"trace={CALLS}", *python],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=True,
    )

    _, ours, _, bare, _ = log.read_text().split('rename("marker", "marker")')
    assert _calls(ours) == _calls(bare)


@pytest.mark.slow
@pytest.mark.alone
def test_power_cuts_show_which_queue_loses_what_it_kept() -> None:
    """Ours loses nothing, and the same cuts see it where something is lost."""
    if why_not := cuts.missing():
        pytest.fail(f"the power cuts need more: {why_not}")

    ours, other = cuts.surveyed(8, 12, OURS.name, UNFLUSHED.name)

    assert ours.lost == [0] * 12
    assert other.states_with_loss > 0
    assert other.written >= 1.0


def _calls(lines: str) -> list[str]:
    """The calls in their order; one that writes two pieces at once counts as one write."""
    found = re.findall(r"^(\w+)\(", lines, re.MULTILINE)
    return [name.replace("writev", "write") for name in found]


if __name__ == "__main__":
    keep_one_each(Path(sys.argv[1]))
