"""The contract of every supply, on the simulated one and on a copy of sysfs in a folder."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hardware.drivers.power_sysfs import SysfsPower
from hardware.power import Power, PowerReading
from hardware.settings import PowerSettings
from hardware.simulated.power import SimulatedPower
from hardware.simulated.world import World

BEFORE = PowerReading(80, external=True, under_voltage=False, watts=1.25)
AFTER = PowerReading(4, external=False, under_voltage=True, watts=2.5)
SILENT = PowerReading(None, external=False, under_voltage=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """A supply, what changes it, and whether the system was asked to stop.

    It changes from BEFORE to AFTER; the second time, gauge and current sensor fall silent.
    """

    power: Power
    change: Callable[[], None]
    is_shut_down: Callable[[], bool]


def simulated(folder: Path, _: pytest.MonkeyPatch) -> Bench:
    script = folder / "world.toml"
    script.write_text(
        "[[at]]\nsecond = 0\nexternal = true\nwatts = 1.25\n"
        "[[at]]\npress = 1\nbattery_pct = 4\nexternal = false\nunder_voltage = true\nwatts = 2.5\n"
        "[[at]]\npress = 2\ngauge = false\nwatts = 0\n"
    )
    world = World(script, folder)
    power = SimulatedPower(PowerSettings("simulated", current_sensor="ina226"), world)
    return Bench(power, lambda: world.press(time.monotonic_ns()), lambda: power.is_shut_down)


def sysfs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """As the kernel lays it out, and a `systemctl` that only notes what it is asked for."""
    asked = folder / "asked"
    systemctl = folder / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f'#!/bin/sh\necho "$@" >"{asked}"\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("systemctl") == str(systemctl), "this would power the machine off"
    lay_out(folder, BEFORE)
    later = iter((AFTER, SILENT))
    return Bench(
        SysfsPower(PowerSettings("sysfs", folder, current_sensor="ina226")),
        lambda: lay_out(folder, next(later)),
        lambda: asked.exists() and asked.read_text().split()[0] == "poweroff",
    )


def lay_out(folder: Path, reading: PowerReading) -> None:
    files = {
        "power_supply/BAT0/type": "Battery",
        "power_supply/BAT0/capacity": "" if reading.battery_pct is None else reading.battery_pct,
        "power_supply/USB/type": "USB",
        "power_supply/USB/online": int(bool(reading.external)),
        "hwmon/hwmon2/name": "rpi_volt",
        "hwmon/hwmon2/in0_lcrit_alarm": int(bool(reading.under_voltage)),
        "hwmon/hwmon3/name": "ina226",
        "hwmon/hwmon3/power1_input": round((reading.watts or 0) * 1e6),
    }
    for name, text in files.items():
        path = folder / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


@pytest.fixture(params=[simulated, sysfs], ids=lambda opener: opener.__name__)
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    opener: Callable[[Path, pytest.MonkeyPatch], Bench] = request.param
    return opener(tmp_path, monkeypatch)


def test_a_reading_is_of_now(bench: Bench) -> None:
    """Nothing is kept from the reading before: a battery that drains is seen to."""
    assert bench.power.read() == BEFORE

    bench.change()

    assert bench.power.read() == AFTER


def test_a_silent_gauge_and_sensor_leave_the_rest(bench: Bench) -> None:
    bench.change()
    bench.change()

    assert bench.power.read() == SILENT


def test_reading_asks_for_no_power_off(bench: Bench) -> None:
    """Not even at 4 %: that is the loop's to decide."""
    bench.change()
    bench.power.read()

    assert not bench.is_shut_down()


def test_a_power_off_is_asked_for_and_not_waited_for(bench: Bench) -> None:
    """The process is still there to be stopped in order."""
    began_s = time.monotonic()

    bench.power.shut_down()

    assert time.monotonic() - began_s < 1
    assert bench.is_shut_down()
    assert bench.power.read() == BEFORE
