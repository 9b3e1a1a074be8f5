"""Blur is told on real photographs: a share of what the results' table shows."""

import pytest

from agent.models import QualityVerdict
from tests.bench.quality.classes import SHARP
from tests.bench.quality.judging import Judged, judged
from tests.bench.quality.photographs import PHOTOGRAPHS, Half, missing

HERE = [one for one in PHOTOGRAPHS if one.client == "python" or one.package == "mate-backgrounds"]
"""Photographs in packages that the tests install anyway; all are of the half to choose by."""


def test_name_of_a_photograph_is_its_own() -> None:
    """The name decides the half, and the noise."""
    assert len({one.name for one in PHOTOGRAPHS}) == len(PHOTOGRAPHS)
    assert all(one.half is Half.TUNE for one in HERE)


@pytest.fixture(scope="module")
def rows() -> list[Judged]:
    assert missing(HERE) == []
    return [row for photograph in HERE for row in judged(photograph, [SHARP])]


@pytest.mark.slow
def test_sharp_photograph_is_not_called_blurred(rows: list[Judged]) -> None:
    sharp = [row for row in rows if row.blur == SHARP]

    assert [row for row in sharp if row.verdict is QualityVerdict.BLURRED] == []
