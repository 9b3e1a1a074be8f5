"""The motion of the device: whether a hand has it, or it is at rest."""

from collections.abc import Callable
from typing import Protocol


class Motion(Protocol):
    """A motion sensor; keeps the newest state only, no history."""

    def lifted(self) -> bool | None:
        """Return False only while the device is certainly at rest.

        None if there is no sensor, or a silent one. The caller then behaves as with True: the
        camera streams more often than it must, and no press finds it stopped.
        """

    def listen(self, on_lift: Callable[[], None]) -> None:
        """Call `on_lift` within 0.1 s of the beginning of each lift, from any thread."""

    def trouble(self) -> str | None:
        """Return why a configured sensor is silent, for a technician; None while it answers."""

    def close(self) -> None:
        """Release the sensor, and end all calls; safe to call twice."""
