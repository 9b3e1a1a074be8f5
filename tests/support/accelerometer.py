"""Accelerometers that a test moves as a hand does: files as sysfs has them, and a kernel's chip."""

import ctypes
import fcntl
import math
import os
import random
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from hardware.lift import Acceleration

SCALE: Final = 0.000598
"""m/s² of an MPU-6050 at 2 g, as the kernel gives it (inv_mpu_core.c, accel_scale)."""

NOISE_MPS2: Final = 0.0225
"""Source: 0.4 mg/√Hz, PS-MPU-6000A-00, behind the kernel's filter of 20 Hz."""

TURN_DEG_PER_S: Final = 60.0
"""Turn of a device that a hand takes from a seat to its eyes, in a second and a half."""

WRITE_S: Final = 0.01

_ADDRESS: Final = 0x68
_WHO_AM_I, _MPU_6050, _ACCEL_XOUT_H = 0x75, 0x68, 0x3B
"""Source: MPU-6050 register map, RM-MPU-6000A-00."""

_I2C_SLAVE_FORCE, _I2C_SMBUS, _I2C_BLOCK_DATA = 0x0706, 0x0720, 8
"""Source: linux/i2c-dev.h, linux/i2c.h, and the kernel's Documentation/i2c/dev-interface.rst."""


class Hand:
    """A hand that holds a device, or lets it lie: what the axes feel, a hundred times a second."""

    def __init__(self, feel: Callable[[Acceleration], None]) -> None:
        self._feel: Final = feel
        self._random: Final = random.Random(7)
        self._ends: Final = threading.Event()
        self._lifted_s: float | None = None
        self._move()
        self._thread: Final = threading.Thread(target=self._keep_moving)
        self._thread.start()

    def lift(self) -> None:
        """Take the device up, and turn it about without end."""
        self._lifted_s = time.monotonic()

    def lay(self) -> None:
        """Lay the device down as it lay before."""
        self._lifted_s = None

    def close(self) -> None:
        """Leave the readings as they are."""
        self._ends.set()
        self._thread.join()

    def _keep_moving(self) -> None:
        while not self._ends.wait(WRITE_S):
            self._move()

    def _move(self) -> None:
        lifted_s = self._lifted_s
        held_s = 0.0 if lifted_s is None else time.monotonic() - lifted_s
        turn = math.radians(TURN_DEG_PER_S * held_s)
        felt = (9.81 * math.sin(turn), 0.0, 9.81 * math.cos(turn))
        x, y, z = (self._random.gauss(axis, NOISE_MPS2) for axis in felt)
        self._feel((x, y, z))


class Accelerometer(Hand):
    """The files of one sensor below `sysfs`."""

    def __init__(self, sysfs: Path) -> None:
        self._folder: Final = sysfs / "bus/iio/devices/iio:device0"
        self._folder.mkdir(parents=True)
        (self._folder / "in_accel_scale").write_text(f"{SCALE}\n")
        super().__init__(self._write)

    def unplug(self) -> None:
        """End its driver: the kernel removes the files, and an open one gives no number more."""
        self.close()
        for file in self._folder.iterdir():
            file.write_text("")
            file.unlink()
        self._folder.rmdir()

    def _write(self, felt: Acceleration) -> None:
        for axis, mps2 in zip("xyz", felt, strict=True):
            part = self._folder / f"in_accel_{axis}_raw"
            with part.open("r+" if part.exists() else "w") as file:
                file.write(f"{round(mps2 / SCALE):<8}\n")  # in place: an open file sees it


class StubAccelerometer(Hand):
    """An MPU-6050 in the kernel's i2c-stub, driven by the kernel's own driver.

    It is there in the virtual device only, for root; elsewhere the test is skipped.
    """

    def __init__(self) -> None:
        if any(Path("/sys/bus/iio/devices").glob("*/in_accel_x_raw")):
            pytest.skip("this device has an accelerometer of its own")
        for module in (f"i2c-stub chip_addr={_ADDRESS:#x}", "i2c-dev"):
            if subprocess.run(f"modprobe {module}", shell=True, check=False).returncode:
                pytest.skip(f"this kernel has no {module}, or not for this user")
        self._bus: Final = next(
            bus
            for bus in Path("/sys/bus/i2c/devices").glob("i2c-*")
            if (bus / "name").read_text().startswith("SMBus stub")
        )
        self._file: Final = os.open(f"/dev/{self._bus.name}", os.O_RDWR)
        self._set(_WHO_AM_I, bytes([_MPU_6050]))
        super().__init__(self._feel_it)
        (self._bus / "new_device").write_text(f"mpu6050 {_ADDRESS:#x}\n")

    def close(self) -> None:
        """End the kernel's driver."""
        super().close()
        (self._bus / "delete_device").write_text(f"{_ADDRESS:#x}\n")
        os.close(self._file)

    def _feel_it(self, felt: Acceleration) -> None:
        """Set all axes at once: a chip shows no half of a reading."""
        axes = [round(mps2 / SCALE).to_bytes(2, "big", signed=True) for mps2 in felt]
        self._set(_ACCEL_XOUT_H, b"".join(axes))

    def _set(self, register: int, values: bytes) -> None:
        """Write bytes from a register on, as `i2cset -f` with mode `i` does."""
        data = ctypes.create_string_buffer(bytes([len(values)]) + values, 34)
        request = struct.pack("@BBIP", 0, register, _I2C_BLOCK_DATA, ctypes.addressof(data))
        fcntl.ioctl(self._file, _I2C_SLAVE_FORCE, _ADDRESS)
        fcntl.ioctl(self._file, _I2C_SMBUS, request)
