"""The part of a shift's energy that survives the end of the capture process."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from agent.capture.energy import Energy, PublicFigures, Shift
from agent.capture.energy_meter import KEPT_EVERY_NS, EnergyMeter, parsed
from agent.queue.paths import Layout
from hardware.power import PowerReading
from hardware.settings import PowerSettings

READING = PowerReading(80, external=False, under_voltage=None, watts=1.2)
SETTINGS = PowerSettings(gauge=True, current_sensor="ina226")


def layout_in(folder: Path) -> Layout:
    layout = Layout(folder / "state", folder / "run")
    layout.make()
    return layout


def test_a_killed_process_loses_a_minute_of_a_shift_at_most(tmp_path: Path) -> None:
    """The published figures stay too, so that a restart shows no finer ones."""
    layout, now_ns = layout_in(tmp_path), 0
    meter = EnergyMeter(layout, SETTINGS, now_ns)
    for _ in range(2 * 3_600):
        now_ns += 10**9
        meter.take(READING, None, now_ns)
    next_one = EnergyMeter(layout, SETTINGS, now_ns + 10**9)

    lost_s = meter.energy.shift.battery_s - next_one.energy.shift.battery_s
    assert 0 <= lost_s <= KEPT_EVERY_NS / 1e9
    assert next_one.energy.figures == meter.energy.figures == PublicFigures(used_wh=2)
    assert layout.energy_file.stat().st_mode & 0o777 == 0o600


def test_a_run_folder_that_cannot_be_written_costs_no_reading(tmp_path: Path) -> None:
    meter = EnergyMeter(Layout(tmp_path / "no", tmp_path / "no"), SETTINGS, 0)
    meter.take(READING, None, 10**9)
    meter.keep()

    assert meter.take(READING, None, 2 * 10**9).shift.battery_s == 1


def test_a_silent_part_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    meter = EnergyMeter(layout_in(tmp_path), SETTINGS, 0)
    for second in range(120):
        meter.take(PowerReading(80, external=False, under_voltage=None), None, second * 10**9)

    assert ["energy_trouble" in one for one in caplog.messages] == [True]


def test_a_fault_of_the_accelerometer_counts_after_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A loose wire answers or not as a hand moves the device: that would tell of each lift."""
    meter = EnergyMeter(layout_in(tmp_path), SETTINGS, 0)
    told = []
    for second, trouble in enumerate(["loose"] * 50 + [None] + ["loose"] * 70):
        meter.take(READING, trouble, second * 10**9)
        told.append(list(meter.troubles()))

    assert told == [[]] * 110 + [["loose"]] * 11
    assert caplog.messages == []


KEPT: dict[str, Any] = {
    "boot_id": "this",
    "shift": asdict(Shift(3_600.0, 3_600.0, 4_320.0, 6)),
    "figures": asdict(PublicFigures(used_wh=0)),
    "mean_w": 1.31,
    "hour": 1,
    "at_ns": 10**9,
    "level_pct": 74,
}


def test_the_kept_energy_is_read_in_the_same_boot() -> None:
    text = json.dumps(KEPT).encode()
    shift = Shift(3_600.0, 3_600.0, 4_320.0, 6)
    expected = Energy(shift, PublicFigures(0), mean_w=1.31, hour=1, at_ns=10**9, level_pct=74)

    assert parsed(text, "this", 2 * 10**9) == expected
    assert parsed(text, "another", 2 * 10**9) is None
    assert parsed(text, "this", 10**9 - 1) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"shift": None},
        {"shift": asdict(replace(Shift(), used_j=-1.0))},
        {"shift": asdict(replace(Shift(), used_j=float("nan")))},
        {"shift": asdict(replace(Shift(), battery_s=1e300))},
        {"shift": asdict(Shift(5e-324, 5e-324, 2.0**53))},
        {"shift": asdict(Shift(3_600.0, 3_601.0, 4_320.0))},
        {"shift": {**asdict(Shift()), "more": 1}},
        {"shift": {**asdict(Shift()), "is_over": 1}},
        {"figures": {"used_wh": "4", "hours_left": None, "mean_w": None}},
        {"figures": {"used_wh": 4, "hours_left": 2.5, "mean_w": None}},
        {"figures": {"used_wh": 4, "hours_left": None, "mean_w": float("inf")}},
        {"mean_w": [1]},
        {"mean_w": {}},
        {"hour": None},
        {"at_ns": 10**400},
        {"level_pct": True},
    ],
    ids=str,
)
def test_a_kept_energy_that_cannot_be_is_dropped(wrong: dict[str, Any]) -> None:
    assert parsed(json.dumps({**KEPT, **wrong}).encode(), "this", 2 * 10**9) is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 4_096, b"\xff", b"null"])
def test_text_that_is_no_energy_is_dropped(text: bytes) -> None:
    assert parsed(text, "this", 0) is None
