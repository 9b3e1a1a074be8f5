"""The supply read from sysfs, as the kernel lays it out."""

from pathlib import Path

import pytest

from hardware.drivers.power_sysfs import SysfsPower
from hardware.power import Power, PowerReading
from hardware.settings import PowerSettings


def power(sysfs: Path, current_sensor: str = "") -> Power:
    return SysfsPower(PowerSettings("sysfs", sysfs, current_sensor=current_sensor))


def device(sysfs: Path, kind: str, number: str, /, **files: str) -> Path:
    folder = sysfs / "class" / kind / number
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text + "\n")
    return folder


def test_a_board_without_any_of_it_knows_nothing(tmp_path: Path) -> None:
    """Absent is a normal answer."""
    assert power(tmp_path).read() == PowerReading(None, None, None)


def test_charger_is_enough_if_one_of_several_is_there(tmp_path: Path) -> None:
    """USB is plugged in, the cradle is not."""
    device(tmp_path, "power_supply", "cradle", type="Mains", online="0")
    device(tmp_path, "power_supply", "usb", type="USB", online="1")

    assert power(tmp_path).read().external is True


def test_two_batteries_count_as_their_mean(tmp_path: Path) -> None:
    """Both feed the same board."""
    device(tmp_path, "power_supply", "BAT0", type="Battery", capacity="90")
    device(tmp_path, "power_supply", "BAT1", type="Battery", capacity="31")

    assert power(tmp_path).read().battery_pct == 60


def test_the_battery_of_a_mouse_is_not_ours(tmp_path: Path) -> None:
    """scope = Device is a peripheral's battery."""
    device(tmp_path, "power_supply", "hidpp", type="Battery", capacity="5", scope="Device")

    assert power(tmp_path).read().battery_pct is None


@pytest.mark.parametrize(("alarm", "under_voltage"), [("0", False), ("1", True)])
def test_voltage_below_the_limit_of_a_pi_is_read(
    tmp_path: Path, alarm: str, under_voltage: bool
) -> None:
    """The alarm of rpi_volt, whatever number the sensor got."""
    device(tmp_path, "hwmon", "hwmon0", name="cpu_thermal", in0_lcrit_alarm="1")
    device(tmp_path, "hwmon", "hwmon3", name="rpi_volt", in0_lcrit_alarm=alarm)

    assert power(tmp_path).read().under_voltage is under_voltage


@pytest.mark.parametrize("capacity", ["", "full", "6 4", "-1", "111", "255", "9" * 4_000])
def test_a_gauge_that_answers_nonsense_is_absent(tmp_path: Path, capacity: str) -> None:
    """A driver that fails while it is read costs a figure, not the process."""
    device(tmp_path, "power_supply", "BAT0", type="Battery", capacity=capacity)
    device(tmp_path, "power_supply", "AC", type="Mains")

    assert power(tmp_path).read() == PowerReading(None, None, None)


def test_a_gauge_that_counts_a_little_above_100_is_full(tmp_path: Path) -> None:
    device(tmp_path, "power_supply", "BAT0", type="Battery", capacity="104")

    assert power(tmp_path).read().battery_pct == 100


@pytest.mark.parametrize(
    ("told", "watts"),
    [
        ("1310000", 1.31),
        ("0", None),  # its shunt is not in the lead
        ("-1310000", None),
        ("655360000000", None),
        ("1" + "0" * 400, None),  # no float is that large
        ("9" * 5_000, None),
        ("nan", None),
        ("1.31", None),
        ("", None),
    ],
)
def test_a_current_sensor_tells_microwatts_and_nonsense_is_silence(
    tmp_path: Path, told: str, watts: float | None
) -> None:
    device(tmp_path, "hwmon", "hwmon0", name="cpu_thermal", power1_input="9000000")
    device(tmp_path, "hwmon", "hwmon1", name="ina226", power1_input=told)

    assert power(tmp_path, "ina226").read().watts == watts


def test_a_current_sensor_counts_only_by_its_name(tmp_path: Path) -> None:
    """Another sensor measures another lead, and so does one of two with the same name."""
    device(tmp_path, "hwmon", "hwmon1", name="ina226", power1_input="1310000")

    assert power(tmp_path).read().watts is None
    assert power(tmp_path, "ina219").read().watts is None

    device(tmp_path, "hwmon", "hwmon2", name="ina226", power1_input="1310000")

    assert power(tmp_path, "ina226").read().watts is None
