"""Lines of the kernel's gpio-sim, pulled and read through sysfs: a finger and an eye for tests.

They are there in the virtual device only; see tests/system/qemu.
"""

from functools import cache
from pathlib import Path
from typing import BinaryIO

import pytest

_CHIPS = Path("/sys/devices/platform")


def pull(pin: int, way: str) -> None:
    """Pull a line `up` or `down`, as a contact does; skips the test where there is no gpio-sim."""
    _pull_of(pin).write(f"pull-{way}".encode())


def level(pin: int) -> bool:
    """Return True if the line is high now, whatever drives it."""
    return (_line(pin) / "value").read_text().strip() == "1"


@cache
def _pull_of(pin: int) -> BinaryIO:
    """Open it once, without a buffer: a contact bounces within a millisecond."""
    return (_line(pin) / "pull").open("wb", buffering=0)


def _line(pin: int) -> Path:
    lines = next(_CHIPS.glob(f"gpio-sim.*/gpiochip*/sim_gpio{pin}"), None)
    if lines is None:
        pytest.skip("this kernel has no simulated GPIO lines: gpio-sim is not loaded")
    return lines
