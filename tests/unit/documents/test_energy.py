"""The energy of a shift in hardware/README.md is what its figures come to."""

import pytest

from tests.bench.policy import streaming
from tests.bench.policy.area import CITY, SUBURB
from tests.unit.documents import energy
from tests.unit.documents.pages import REPOSITORY

PAGE = (REPOSITORY / "hardware/README.md").read_text()


def test_the_page_has_the_table_as_it_is_reckoned() -> None:
    """After a figure changed: python -m tests.unit.documents.energy"""
    assert "\n".join(energy.table()) in PAGE


def test_the_page_says_what_streaming_less_saves() -> None:
    least, most = (hours * energy.hour_wh() for hours in energy.LINGERS_H)

    assert f"An hour of streaming takes {energy.hour_wh():.1f} Wh more" in PAGE
    assert f"{least:.1f} to {most:.1f} Wh" in PAGE


def test_currents_are_those_of_the_page_s_own_tables() -> None:
    assert f"| camera | {energy.CAMERA_MA} mA | {energy.CAMERA_MA} mA |" in PAGE
    assert f"| board | {energy.STREAMING_MA} mA |" in PAGE
    assert f"{energy.BATTERY_WH} Wh are left" in PAGE


@pytest.mark.slow
def test_the_hours_of_streaming_are_those_of_simulated_rounds() -> None:
    found = {(row.area, row.waits): row for row in streaming.rows([SUBURB, CITY], rounds=3, seed=4)}

    for area in ("suburb", "city"):
        most = found[area, streaming.NEXT]
        assert most.all_h == pytest.approx(energy.STREAMS_H[area], rel=0.25)
        assert found[area, streaming.LAST].all_h <= most.all_h * 1.02
    lingers = [found["suburb", waits].lingering_h for waits in (streaming.NEXT, streaming.LAST)]
    assert lingers == pytest.approx(energy.LINGERS_H, rel=0.25)
