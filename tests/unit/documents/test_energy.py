"""The energy of a shift in hardware/energy.md is what its own figures come to."""

import re
from typing import Final

import pytest

from tests.bench.policy import streaming
from tests.bench.policy.area import CITY, SUBURB
from tests.unit.documents.pages import REPOSITORY

PAGE: Final = (REPOSITORY / "hardware/energy.md").read_text()
TABLE: Final = PAGE.partition("| at 5.1 V, 9 hours |")[2].partition("\n\n")[0]

SUPPLY_V: Final = 5.1
SHIFT_H: Final = 9.0
BATTERY_WH: Final = 19.5
CHARGING_W: Final = 8.2 * 0.85
"""Into the battery in the cradle, as it comes out again. Source: the page, above the table."""

ROWS: Final = {
    name: (int(current), [float(one) for one in re.findall(r"([\d.]+)(?: h| Wh)", cells)])
    for name, current, cells in re.findall(r"^\| ([^|]+) \| (\d+) mA \|(.+)", TABLE, re.MULTILINE)
}
"""Current in mA, then hours and Wh of each shift in turn: suburb, city, only at presses."""

STREAMING_MA, STREAMS = ROWS["board, the camera streaming"]
CAMERA_MA: Final = ROWS["camera"][0]


def energy_wh(current_ma: float, hours: float) -> float:
    return current_ma / 1000 * SUPPLY_V * hours


def bold(row: str) -> list[float]:
    """Return the figures of one of the last rows."""
    cells = TABLE.partition(f"\n| {row} |")[2].partition("\n")[0]
    return [float(one) for one in re.findall(r"\*\*([\d.]+) ", cells)]


@pytest.mark.parametrize("name", ROWS)
def test_each_energy_of_the_page_is_current_times_hours(name: str) -> None:
    current_ma, figures = ROWS[name]

    assert len(figures) == 6
    for hours, told_wh in zip(figures[::2], figures[1::2], strict=True):
        assert energy_wh(current_ma, hours) == pytest.approx(told_wh, abs=0.08)


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_the_last_rows_follow_from_the_ones_above(shift: int) -> None:
    hours = {name: figures[2 * shift] for name, (_, figures) in ROWS.items()}
    all_wh = sum(energy_wh(current_ma, hours[name]) for name, (current_ma, _) in ROWS.items())
    lack_wh = max(0.0, all_wh - BATTERY_WH)

    assert hours["camera"] == hours["board, the camera streaming"]
    assert hours["camera"] + hours["board, the camera stopped"] == SHIFT_H
    assert bold("**all**")[shift] == pytest.approx(all_wh, abs=0.06)
    lasts_h = BATTERY_WH / all_wh * SHIFT_H
    assert bold("19.5 Wh last")[shift] == pytest.approx(lasts_h, abs=0.06)
    cradle_h = lack_wh / (all_wh / SHIFT_H + CHARGING_W)
    assert bold("so long in the cradle, for 9 hours")[shift] == pytest.approx(cradle_h, abs=0.06)


def test_the_text_of_the_page_has_the_figures_of_its_tables() -> None:
    stopped_ma = ROWS["board, the camera stopped"][0]
    hour_wh = energy_wh(STREAMING_MA + CAMERA_MA - stopped_ma, 1)

    assert f"| camera | {CAMERA_MA} mA | {CAMERA_MA} mA |" in PAGE
    assert f"| board | {STREAMING_MA} mA |" in PAGE
    assert f"{BATTERY_WH} Wh are left" in PAGE
    assert f"An hour of streaming takes {hour_wh:.1f} Wh more" in PAGE
    assert f"{0.9 * hour_wh:.1f} to {1.9 * hour_wh:.1f} Wh in the suburb" in PAGE


@pytest.mark.slow
def test_the_hours_of_streaming_are_those_of_simulated_rounds() -> None:
    """In the suburb, 0.9 to 1.9 of these hours are only for the minute after a press."""
    found = {(row.area, row.waits): row for row in streaming.rows([SUBURB, CITY], rounds=3, seed=4)}

    for area, told_h in (("suburb", STREAMS[0]), ("city", STREAMS[2])):
        most = found[area, streaming.NEXT]
        assert most.all_h == pytest.approx(told_h, rel=0.25)
        assert found[area, streaming.LAST].all_h <= most.all_h * 1.02
    hours_h = [found["suburb", waits].lingering_h for waits in (streaming.NEXT, streaming.LAST)]
    assert hours_h == pytest.approx([0.9, 1.9], rel=0.25)
