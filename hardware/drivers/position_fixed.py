"""A set place, for benches: no receiver, no accuracy, no time of its own."""

import time
from typing import Final

from hardware.driver import PositionDriver
from hardware.errors import DeviceMissing
from hardware.position import Fix
from hardware.settings import PositionSettings


class FixedPosition:
    """The place of the configuration as `hardware.position.Position`, always just received."""

    def __init__(self, settings: PositionSettings) -> None:
        if settings.lat_deg is None or settings.lon_deg is None:
            raise DeviceMissing(
                'position.kind = "fixed" needs position.lat_deg and position.lon_deg'
            )
        self._lat_deg: Final = settings.lat_deg
        self._lon_deg: Final = settings.lon_deg

    @property
    def simulated(self) -> bool:
        """No receiver said so."""
        return True

    def last_fix(self) -> Fix:
        """Return the set place, received now."""
        return Fix(
            lat_deg=self._lat_deg,
            lon_deg=self._lon_deg,
            alt_m=None,
            eph_m=None,
            hdop=None,
            satellites=None,
            mode=2,
            speed_mps=0.0,
            utc=None,
            received_ns=time.monotonic_ns(),
        )

    def trouble(self) -> None:
        """Return None: this source is never out of reach."""

    def close(self) -> None:
        """Do nothing: there is no connection."""


DRIVER: Final = PositionDriver(
    open=lambda settings, _world: FixedPosition(settings), device_files=None, method="MANUAL"
)
