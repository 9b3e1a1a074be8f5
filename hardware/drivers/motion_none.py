"""No motion sensor: none is fitted."""

from collections.abc import Callable
from typing import Final

from hardware.driver import Driver


class NoMotion:
    """The absence of a sensor as `hardware.motion.Motion`."""

    def lifted(self) -> None:
        """Return None: it is unknown whether the device is lifted."""

    def listen(self, on_lift: Callable[[], None]) -> None:
        """Do nothing: no lift is seen."""

    def trouble(self) -> None:
        """Return None: a sensor that is not fitted is no fault."""

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


DRIVER: Final = Driver(open=lambda _settings, _world: NoMotion(), device_files=None)
