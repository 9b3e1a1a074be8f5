"""Blur is told on real photographs, in every direction: a share of what README's table shows."""

import pytest

from agent.models import QualityVerdict
from tests.bench.quality.judging import GRAINS, SHARP, judged, smears
from tests.bench.quality.photographs import PLACES

pytestmark = pytest.mark.slow

SMEAR_PX = 12


@pytest.mark.parametrize("name", PLACES)
def test_smeared_photograph_is_called_blurred_in_every_direction(name: str) -> None:
    """The sharp one is not, and no direction counts half as much again as another."""
    rows = list(judged([name], [SHARP, *smears(SMEAR_PX)]))

    for row in rows:
        assert (row.verdict is QualityVerdict.BLURRED) == (row.spoilt != SHARP), row
    for grain in GRAINS:
        scores = [row.sharpness for row in rows if row.spoilt != SHARP and row.grain == grain]
        assert max(scores) / min(scores) <= 1.5
