"""An accelerometer in a copy of sysfs: a hand that moves it, and the noise of the real one."""

import math
import random
import threading
from pathlib import Path
from typing import Final

SCALE: Final = 0.000598
"""m/s² of an MPU-6050 at 2 g, as the kernel gives it (inv_mpu_core.c, accel_scale)."""

NOISE_MPS2: Final = 0.0225
"""Source: 0.4 mg/√Hz, PS-MPU-6000A-00, behind the kernel's filter of 20 Hz."""

WRITE_S: Final = 0.01


class Accelerometer:
    """The files of one sensor below `sysfs`, written a hundred times a second."""

    def __init__(self, sysfs: Path) -> None:
        self._folder: Final = sysfs / "bus/iio/devices/iio:device0"
        self._random: Final = random.Random(7)
        self._ends: Final = threading.Event()
        self._turn_deg = 0.0
        self.trembles = False
        self._folder.mkdir(parents=True)
        (self._folder / "in_accel_scale").write_text(f"{SCALE}\n")
        self._write()
        self._thread: Final = threading.Thread(target=self._keep_writing)
        self._thread.start()

    def lift(self) -> None:
        """Take the device into a hand, which never holds it quite still."""
        self.trembles = True

    def lay(self) -> None:
        """Lay the device down."""
        self.trembles = False

    def unplug(self) -> None:
        """End its driver: the kernel removes the files, and an open one gives no number more."""
        self.close()
        for file in self._folder.iterdir():
            file.write_text("")
            file.unlink()
        self._folder.rmdir()

    def close(self) -> None:
        """Leave the files as they are."""
        self._ends.set()
        self._thread.join()

    def _keep_writing(self) -> None:
        while not self._ends.wait(WRITE_S):
            self._turn_deg += 0.2 if self.trembles else 0.0
            self._write()

    def _write(self) -> None:
        turn = math.radians(self._turn_deg)
        felt = (9.81 * math.sin(turn), 0.0, 9.81 * math.cos(turn))
        for axis, mps2 in zip("xyz", felt, strict=True):
            raw = round(self._random.gauss(mps2, NOISE_MPS2) / SCALE)
            part = self._folder / f"in_accel_{axis}_raw"
            with part.open("r+" if part.exists() else "w") as file:
                file.write(f"{raw:<8}\n")  # in place, as sysfs: an open file sees it
