"""The position of the device: fixes with their accuracy, or none."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fix:
    """A position fix.

    Attributes:
        lat_deg: WGS 84 latitude, -90 to 90.
        lon_deg: WGS 84 longitude, -180 to 180.
        alt_m: above mean sea level; None in a 2D fix.
        eph_m: the receiver's horizontal error estimate; None without one.
        hdop: horizontal dilution of precision; None until the receiver sends it.
        satellites: used in the fix; None until the receiver sends it.
        mode: 2 or 3 dimensions.
        speed_mps: over ground; None if unknown.
        utc: the fix's own time by the receiver; None before it has one.
        received_ns: CLOCK_MONOTONIC when it arrived.
    """

    lat_deg: float
    lon_deg: float
    alt_m: float | None
    eph_m: float | None
    hdop: float | None
    satellites: int | None
    mode: int
    speed_mps: float | None
    utc: datetime | None
    received_ns: int


class Position(Protocol):
    """A source of fixes; keeps the newest one only, no track."""

    @property
    def simulated(self) -> bool:
        """True if its fixes are anything but a receiver's own."""

    def last_fix(self) -> Fix | None:
        """Return the newest fix of any age, or None; the caller judges its age by `received_ns`."""

    def trouble(self) -> str | None:
        """Return why the source gives no fixes, for a technician; None while it does."""

    def close(self) -> None:
        """Disconnect from the source; safe to call twice."""
