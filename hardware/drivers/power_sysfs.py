"""The supply as Linux reports it in sysfs: batteries, mains, a Pi's under-voltage, and watts."""

import subprocess
from pathlib import Path
from typing import Final

from hardware.driver import Driver
from hardware.errors import DeviceError
from hardware.power import PowerReading, charge_pct, watts
from hardware.settings import PowerSettings

POWER_OFF: Final = ("systemctl", "poweroff", "--no-block")
"""Returns once the job is queued, so that we are there to be stopped. Source: systemctl(1)."""

POWER_OFF_S: Final = 10.0
"""Longest wait for systemd to queue the job."""

BATTERY: Final = "Battery"
EXTERNAL: Final = frozenset({"Mains", "USB", "USB_C", "USB_PD", "USB_PD_DRP", "Wireless"})
"""Values of `type`. Source: the kernel's Documentation/ABI/testing/sysfs-class-power."""

UNDER_VOLTAGE: Final = "rpi_volt"
"""Name of the sensor whose in0_lcrit_alarm is 1 in under-voltage. Source: raspberrypi-hwmon.rst."""

POWER: Final = "power1_input"
"""A sensor's power in microwatts. Source: the kernel's Documentation/hwmon/ina2xx.rst."""


class SysfsPower:
    """The supply as `hardware.power.Power`; several batteries count as their mean."""

    def __init__(self, settings: PowerSettings) -> None:
        self._sysfs: Final = settings.sysfs
        self._sensor: Final = settings.current_sensor

    def read(self) -> PowerReading:
        """Read it now; None for what this board does not tell."""
        supplies = sorted(self._sysfs.glob("class/power_supply/*"))
        capacities = [
            capacity
            for supply in supplies
            if _text(supply / "type") == BATTERY and _text(supply / "scope") != "Device"
            if (capacity := charge_pct(_number(supply / "capacity"))) is not None
        ]
        onlines = [
            online
            for supply in supplies
            if _text(supply / "type") in EXTERNAL
            if (online := _number(supply / "online")) is not None
        ]
        return PowerReading(
            battery_pct=round(sum(capacities) / len(capacities)) if capacities else None,
            external=any(onlines) if onlines else None,
            under_voltage=self._under_voltage(),
            watts=self._watts(),
        )

    def shut_down(self) -> None:
        """Ask systemd to power off; returns at once.

        Raises:
            DeviceError: it did not take the request.
        """
        try:
            subprocess.run(POWER_OFF, check=True, timeout=POWER_OFF_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise DeviceError(
                f"`{' '.join(POWER_OFF)}` failed: {error}; "
                "the unit's user needs polkit's org.freedesktop.login1.power-off"
            ) from error

    def _under_voltage(self) -> bool | None:
        for sensor in self._sysfs.glob("class/hwmon/*"):
            if _text(sensor / "name") == UNDER_VOLTAGE:
                alarm = _number(sensor / "in0_lcrit_alarm")
                return None if alarm is None else alarm != 0
        return None

    def _watts(self) -> float | None:
        """Read the current sensor; several of its name say nothing, since one has another lead."""
        if not self._sensor:
            return None
        sensors = self._sysfs.glob("class/hwmon/*")
        found = [sensor for sensor in sensors if _text(sensor / "name") == self._sensor]
        return watts(_number(found[0] / POWER)) if len(found) == 1 else None


def _text(path: Path) -> str | None:
    """Return a file's line; None if it is not there, or its driver does not answer."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None


DRIVER: Final = Driver(open=lambda settings, _world: SysfsPower(settings), device_files=None)
