"""Blur is found on real photographs: a share of what the results' table shows."""

import pytest

from agent.models import QualityVerdict
from tests.bench.quality.classes import EXPOSURES, SHARP, Exposure
from tests.bench.quality.judging import Judged, judged
from tests.bench.quality.photographs import PHOTOGRAPHS, Half, missing
from tests.bench.quality.table import share

SMEAR, FOCUS = "straight smear, 24 px", "out of focus, 3 px"

HERE = [one for one in PHOTOGRAPHS if one.client == "python" or one.name in ("wood", "twowings")]
"""Photographs in packages that the tests install anyway, by which thresholds were chosen."""


def test_name_of_a_photograph_is_its_own() -> None:
    """The name decides the half, and the noise."""
    assert len({one.name for one in PHOTOGRAPHS}) == len(PHOTOGRAPHS)
    assert all(one.half is Half.TUNE for one in HERE)


@pytest.fixture(scope="module")
def rows() -> list[Judged]:
    assert missing(HERE) == []
    return [row for one in HERE for row in judged(one, [SHARP, SMEAR, FOCUS])]


@pytest.mark.slow
@pytest.mark.parametrize("exposure", EXPOSURES, ids=lambda exposure: exposure.name)
def test_blurred_photograph_is_found_in_any_light(rows: list[Judged], exposure: Exposure) -> None:
    """At most one sharp photograph is called blurred; blurred textures may pass at night."""
    found = {
        blur: share(
            [row for row in rows if (row.blur, row.exposure) == (blur, exposure.name)],
            [QualityVerdict.BLURRED],
        ).share
        for blur in (SHARP, SMEAR, FOCUS)
    }

    assert found[SHARP] <= 0.1
    assert found[SMEAR] >= 0.85
    assert found[FOCUS] >= 0.85
