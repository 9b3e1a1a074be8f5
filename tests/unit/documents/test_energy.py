"""The energy model keeps its sums, and hardware/energy.md says of it what it says.

Another test compares the tables of the page with the model.
"""

from typing import Final

import pytest

from hardware.settings import PowerSettings
from tests.bench.energy.boards import BOARDS, PI_4, STREAMINGS, TUNED, Board, Streaming
from tests.bench.energy.loads import LOADS, Load
from tests.bench.energy.pack import CHARGES_W, EFFICIENCY, NEW, OLD_COLD
from tests.bench.energy.shift import PRESSES, SHIFT_H, Shift
from tests.bench.energy.span import NOTHING, Span
from tests.bench.energy.tables import SUBURB, WAYS, Sensor
from tests.unit.documents.pages import REPOSITORY

STREAMING: Final = Streaming("of a test", Span(0.5, 1), "made up")


def test_shift_costs_waiting_and_streaming_and_each_press() -> None:
    load = Load("of a test", Span(0.1, 0.2), Span(36, 72), "made up")
    shift = Shift(Board("of a test", Span(1, 2), STREAMING, "made up"), Span(2, 4), (load,))

    presses_wh = PRESSES * 36 / 3600
    assert shift.energy_wh.low == pytest.approx(1.1 * SHIFT_H + 0.5 * 2 + presses_wh)
    assert shift.energy_wh.high == pytest.approx(2.2 * SHIFT_H + 1 * 4 + 2 * presses_wh)


def test_pack_and_cradle_together_give_what_a_shift_costs() -> None:
    """The cradle gives only what the pack lacks; with enough in the pack, nothing."""
    shift = Shift(Board("of a test", Span(1.2, 1.8), STREAMING, "made up"), NOTHING, ())
    cradle_h = shift.cradle_h(OLD_COLD)

    spent_wh = shift.mean_w.high * (SHIFT_H - cradle_h.high)
    charged_wh = cradle_h.high * CHARGES_W * EFFICIENCY.low
    assert cradle_h.low == 0
    assert OLD_COLD.usable_wh + charged_wh == pytest.approx(spent_wh)


def test_supply_that_runs_a_hungry_device_charges_with_the_rest() -> None:
    shift = Shift(Board("of a test", Span(3, 4), STREAMING, "made up"), NOTHING, ())
    cradle_h = shift.cradle_h(NEW)

    charged_wh = [
        mean_w * (SHIFT_H - hours_h) - NEW.usable_wh
        for mean_w, hours_h in ((3, cradle_h.low), (4, cradle_h.high))
    ]
    assert charged_wh[1] / cradle_h.high < charged_wh[0] / cradle_h.low < CHARGES_W * EFFICIENCY.low


def test_each_figure_is_a_low_and_a_high_one_with_a_source() -> None:
    spans = [*(one.waits_w for one in BOARDS), *(one.adds_w for one in STREAMINGS)]
    spans += [span for load in LOADS for span in (load.always_w, load.press_j)]

    assert all(0 <= span.low <= span.high for span in spans)
    assert all(one.source for one in (*BOARDS, *STREAMINGS, *LOADS))


@pytest.mark.parametrize("way", WAYS)
def test_recommended_build_lasts_a_shift_by_the_high_estimates(way: str) -> None:
    """The page promises it in its first lines, also for an aged pack at 0 °C."""
    assert Shift(TUNED, WAYS[way]).lasts_h(OLD_COLD).low >= SHIFT_H


def test_page_begins_with_the_hours_of_the_longest_streaming() -> None:
    shift = Shift(TUNED, WAYS[SUBURB])
    new_h, old_cold_h = (shift.lasts_h(pack).low for pack in (NEW, OLD_COLD))

    first = (REPOSITORY / "hardware" / "energy.md").read_text(encoding="utf-8")[:1500]
    assert f"a new pack lasts {new_h:.1f} hours, and an aged one {old_cold_h:.1f} hours" in first


def test_pi_4_does_not_last_a_shift_even_if_it_only_waits() -> None:
    """The page says so in its first lines; the page of the bench build compares the two boards."""
    waiting = Shift(PI_4, NOTHING)

    assert waiting.lasts_h(NEW).high < SHIFT_H
    assert waiting.energy_wh.low > Shift(TUNED, WAYS[SUBURB]).energy_wh.high


@pytest.mark.parametrize(
    ("way", "most_w", "new_h", "old_cold_h"),
    [(SUBURB, 1.55, 12, 9), (f"suburb, {Sensor.CARRIED}", 1.3, 15, 10.5)],
)
def test_shift_in_the_suburb_stays_within_its_power(
    way: str, most_w: float, new_h: float, old_cold_h: float
) -> None:
    """A part or a rule that takes more than the product aims at is noticed here."""
    shift = Shift(TUNED, WAYS[way])

    assert shift.mean_w.high <= most_w
    assert shift.lasts_h(NEW).low >= new_h
    assert shift.lasts_h(OLD_COLD).low >= old_cold_h


def test_status_counts_with_the_pack_of_the_build() -> None:
    """A device that says how many hours are left takes the pack that the page builds in."""
    battery_wh = PowerSettings("simulated").battery_wh

    assert battery_wh == pytest.approx(NEW.usable_wh, abs=0.05)
