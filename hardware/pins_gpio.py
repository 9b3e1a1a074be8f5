"""The GPIO pins of this board, through lgpio only; its errors in a technician's words."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from tempfile import TemporaryDirectory
from typing import Final

from gpiozero import Factory, GPIOZeroError  # noqa: TID251 - shared by the three GPIO drivers

from hardware.driver import DeviceFiles
from hardware.errors import DeviceBusy, DeviceMissing

WORK_FOLDER: Final = "LG_WD"
"""Variable with lgpio's folder for its FIFO. Source: lg 0.2.2, lguGetWorkDir in lgUtil.c."""

BUSY: Final = "GPIO busy"
"""Message of lgpio for LG_GPIO_BUSY. Source: lg 0.2.2, lgErr.c."""


def device_files(_settings: object) -> DeviceFiles:
    """Return what lgpio opens, for the drivers that use pins."""
    return DeviceFiles("the GPIO pins", "gpio", ("gpiochip*",))


@contextmanager
def claiming(setting: str) -> Iterator[None]:
    """Turn what gpiozero and lgpio raise into DeviceBusy or DeviceMissing that names `setting`."""
    try:
        yield
    except _errors() as error:
        if BUSY in str(error):
            raise DeviceBusy(f"{setting}: another process has its pin; end it first") from error
        raise DeviceMissing(
            f"{setting}: no GPIO here ({error}); on a Raspberry Pi install it with "
            "`apt install python3-lgpio`, put the user in the group gpio, and check that "
            "nothing else uses the pin"
        ) from error


@contextmanager
def releasing() -> Iterator[None]:
    """Ignore "GPIO busy" while a pin is released: its line is closed already.

    gpiozero then claims it as an input. The kernel refuses that while lgpio's own thread still
    polls the closed line; lgpio waits 2 ms for the thread, too short on a busy processor.
    Source: lg 0.2.2, xSetAsFree in lgGpio.c.
    """
    try:
        yield
    except _errors() as error:
        if BUSY not in str(error):
            raise


@cache
def open_pins() -> Factory:
    """Open the pins once per process, as gpiozero shares them; they are released when it ends.

    No other pin factory is tried: a simulated board is chosen in the configuration.

    Raises:
        ImportError, OSError, GPIOZeroError, lgpio.error: see `claiming`.
    """
    with _fifo_elsewhere():
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415, TID251 - drops a FIFO

    return LGPIOFactory()


@contextmanager
def _fifo_elsewhere() -> Iterator[None]:
    """Give lgpio a work folder of this user's own while it is imported, and delete it afterwards.

    On import it makes a FIFO there, opens both ends, and stays in that folder. Without this the
    folder is the current one, which may be another user's: then nothing works. The name is needed
    no more once both ends are open, so that nothing is left, however the process ends.
    """
    before, folder = _current_folder(), os.environ.get(WORK_FOLDER)
    with TemporaryDirectory(prefix="doorstep-lgpio-") as own:
        os.environ[WORK_FOLDER] = own  # putenv(3): lgpio asks getenv(3)
        try:
            yield
        finally:
            if folder is None:
                del os.environ[WORK_FOLDER]
            else:
                os.environ[WORK_FOLDER] = folder
            _go_to(before)


def _current_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - Path.cwd() is no shorter
    except FileNotFoundError:  # somebody has deleted it
        return "/"


def _go_to(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError:  # root's own, left when its command went on as another user
        os.chdir("/")


def _errors() -> tuple[type[BaseException], ...]:
    lgpio = sys.modules.get("lgpio")
    return (GPIOZeroError, ImportError, OSError, *([lgpio.error] if lgpio else []))
