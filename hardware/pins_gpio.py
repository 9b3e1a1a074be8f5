"""The GPIO pins of this board, through lgpio only; its errors in a technician's words."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from gpiozero import Factory, GPIOZeroError  # noqa: TID251 - shared by the three GPIO doors

from hardware.errors import DeviceMissing


@contextmanager
def claiming(setting: str) -> Iterator[None]:
    """Turn what gpiozero and lgpio raise into DeviceMissing that names `setting`."""
    try:
        yield
    except _errors() as error:
        raise DeviceMissing(
            f"{setting}: no GPIO here ({error}); on a Raspberry Pi install it with "
            "`apt install python3-lgpio`, put the user in the group gpio, and check that "
            "nothing else uses the pin"
        ) from error


@cache
def open_pins() -> Factory:
    """Open the pins once per process, as gpiozero shares them; they are released when it ends.

    No other pin factory is tried: a simulated board is chosen in the configuration.

    Raises:
        ImportError, OSError, GPIOZeroError, lgpio.error: see `claiming`.
    """
    from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415, TID251 - drops a FIFO on import

    return LGPIOFactory()


def _errors() -> tuple[type[BaseException], ...]:
    lgpio = sys.modules.get("lgpio")
    return (GPIOZeroError, ImportError, OSError, *([lgpio.error] if lgpio else []))
