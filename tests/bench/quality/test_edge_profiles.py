"""The score by the profiles of edges: smears, and pictures without edges."""

import numpy as np
import pytest

from tests.bench.quality.classes import BLURS, DAY, NIGHT, SHARP, Exposure, exposed
from tests.bench.quality.edge_profiles import BLURRED_BELOW, sharpness
from tests.bench.quality.leaves import dead_leaves
from tests.bench.quality.spoiling import light_of


@pytest.mark.parametrize("exposure", [DAY, NIGHT], ids=lambda exposure: exposure.name)
def test_smeared_chart_scores_below_the_limit_in_noise_too(exposure: Exposure) -> None:
    """A chart of discs has edges in every direction; its noise is a sensor's."""
    rng = np.random.default_rng(1)
    light = light_of(dead_leaves(seed=1))
    sharp, *smeared = (
        sharpness(exposed(blurred, exposure, rng))
        for blur in (SHARP, "straight smear, 12 px")
        for blurred in BLURS[blur](light, rng)
    )

    assert max(smeared) < 0.9 * BLURRED_BELOW < 1.1 * BLURRED_BELOW < sharp


@pytest.mark.parametrize("level", [0, 128])
def test_picture_of_nothing_has_no_edges(level: int) -> None:
    assert sharpness(np.full((64, 64, 3), level, np.uint8)) == 0
