"""The small parts of a simulated board."""

import logging
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from hardware.clock import ClockSource
from hardware.clock_system import SystemClock
from hardware.indicator import Signal
from hardware.power import PowerReading
from hardware.simulated import (
    SimulatedIndicator,
    SimulatedLamp,
    SimulatedPower,
    simulated_witness,
)
from hardware.simulated_world import World


def world(folder: Path, text: str) -> World:
    path = folder / "world.toml"
    path.write_text(text, encoding="utf-8")
    return World(path, folder)


def test_the_log_tells_the_light_once_per_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    indicator = SimulatedIndicator()

    for signal in (Signal.READY, Signal.HOLD_STILL, Signal.HOLD_STILL, Signal.SAVED):
        indicator.show(signal)

    assert [signal for signal, _ in indicator.shown] == ["ready", *["hold_still"] * 2, "saved"]
    assert caplog.messages == [
        "event=light signal=ready",
        "event=light signal=hold_still",
        "event=light signal=saved",
    ]


def test_the_lamp_lights_the_world_until_it_is_closed(tmp_path: Path) -> None:
    dark = world(tmp_path, "")
    lamp = SimulatedLamp(dark)

    lamp.on()
    assert dark.lamp_lit(time.monotonic_ns())
    lamp.close()
    lamp.close()
    assert not dark.lamp_lit(time.monotonic_ns())


def test_the_supply_is_what_the_script_says(tmp_path: Path) -> None:
    drained = world(
        tmp_path, "[[at]]\npress = 1\nbattery_pct = 4\nexternal = true\nunder_voltage = true"
    )
    power = SimulatedPower(drained)

    assert power.read() == PowerReading(80, external=False, under_voltage=False)
    drained.press(time.monotonic_ns())
    assert power.read() == PowerReading(4, external=True, under_voltage=True)


def test_shutting_down_leaves_the_machine_on(tmp_path: Path) -> None:
    power = SimulatedPower(world(tmp_path, ""))

    assert not power.is_shut_down
    power.shut_down()
    assert power.is_shut_down


def test_the_clock_is_synchronised_while_the_script_says_so(tmp_path: Path) -> None:
    lost = world(
        tmp_path, '[[at]]\npress = 1\nclock = "unsynced"\n[[at]]\npress = 2\nclock = "rtc"'
    )
    clock = SystemClock(datetime.now(UTC) - timedelta(days=1), partial(simulated_witness, lost))

    sources = [clock.now().source]
    for _ in range(2):
        lost.press(time.monotonic_ns())
        sources.append(clock.now().source)

    assert sources == [ClockSource.NTP, ClockSource.UNSYNCED, ClockSource.RTC]
