"""The time floor, the latest time that is certainly past: what moves it, and how far; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hardware.clock import BUILT, ClockSource, Moment

SHELF_LIFE: Final = timedelta(days=15 * 365)
"""Longer than a device lies unused, and shorter than a week rollover, 19.6 years."""

LATEST: Final = BUILT + SHELF_LIFE
"""Nothing that is dated later moves the floor: one wrong year would end a device for good."""

AGREES_WITHIN: Final = timedelta(days=1)
"""Two witnesses agree so closely: time zones that were set wrong are hours, a fault is more."""

GNSS_RAISES_BY: Final = timedelta(days=180)
"""Furthest that GNSS alone raises the floor at once: a signal can be forged by who stands near.

A device that lay unused for a year has its floor right again after two days.
"""

ALLOWANCE_S: Final = 86_400.0
"""So long one allowance counts, CLOCK_BOOTTIME: a day is longer than anybody stands near."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far GNSS alone may raise the floor: GNSS_RAISES_BY from where it was.

    Attributes:
        boot_id: the boot that it counts in.
        begun_s: CLOCK_BOOTTIME when it began.
        base: the floor then.
    """

    boot_id: str
    begun_s: float
    base: datetime

    def holds(self, boot_id: str, boottime_s: float) -> bool:
        """Whether it is still the one that counts."""
        return self.boot_id == boot_id and 0 <= boottime_s - self.begun_s < ALLOWANCE_S


@dataclass(frozen=True, slots=True)
class Floor:
    """The floor, and what GNSS may still do about it; None where it did nothing yet."""

    utc: datetime = BUILT
    allowance: Allowance | None = None


def by_receipt(floor: Floor, received: datetime) -> Floor:
    """The floor after a receipt, whose signature was verified."""
    if not floor.utc < received <= LATEST:
        return floor
    return Floor(received, floor.allowance)


def by_clock(
    floor: Floor, moment: Moment, boottime_s: float, fix_utc: datetime | None = None
) -> Floor:
    """The floor after a look at the clock and at the newest fix.

    The network's time counts more than all that GNSS and receipts said: the floor is never after
    it, and it lifts the limit from a fix that agrees with it. It raises nothing by itself, since
    it is not authenticated. GNSS alone raises the floor by little. Nobody beats the build date.
    """
    match moment.source:
        case ClockSource.NTP:
            agrees = fix_utc is not None and abs(fix_utc - moment.utc) <= AGREES_WITHIN
            told = max(floor.utc, fix_utc) if fix_utc and agrees else floor.utc
            return Floor(max(BUILT, min(told, moment.utc, LATEST)))
        case ClockSource.GNSS:
            told = moment.utc - timedelta(seconds=moment.uncertainty_s or 0.0)
            return _by_gnss(floor, told, moment.boot_id, boottime_s)
        case ClockSource.RTC | ClockSource.UNSYNCED:
            return floor


def _by_gnss(floor: Floor, told: datetime, boot_id: str, boottime_s: float) -> Floor:
    if not floor.utc < told <= LATEST:
        return floor
    allowance = floor.allowance
    if allowance is None or not allowance.holds(boot_id, boottime_s):
        allowance = Allowance(boot_id, boottime_s, floor.utc)
    return Floor(max(floor.utc, min(told, allowance.base + GNSS_RAISES_BY)), allowance)


def as_kept(utc: datetime | None) -> datetime:
    """The floor that an earlier process kept; one that nothing can have raised so far is none."""
    return utc if utc is not None and BUILT <= utc <= LATEST else BUILT
