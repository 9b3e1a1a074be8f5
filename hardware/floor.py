"""The time floor, the latest time that is certainly past: what moves it, and how far; pure.

A week rollover of a receiver cannot move it: for 19 years after the build, each dates a fix before
the build.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hardware.clock import BUILT, ClockSource, Moment
from hardware.position import Fix

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
"""Life of an allowance, by CLOCK_BOOTTIME: a forger does not stay near a device for a day."""

FRESH_S: Final = 5.0
"""Age up to which a fix shows what the receiver hears: it sends one each second, some are lost."""


@dataclass(frozen=True, slots=True)
class GnssAllowance:
    """The limit for GNSS alone: GNSS_RAISES_BY above a floor that is a day old or older.

    Attributes:
        boot_id: the boot that it counts in.
        begun_s: CLOCK_BOOTTIME when it began.
        base: the floor that it counts from: before GNSS, or as it was when the last one began.
        reached: the floor when it began; the next one counts from there. A forger whose signal
            covers the end of one and the start of the next gains nothing by that.
        firm: the floor without all that GNSS alone raised it by in this boot.
    """

    boot_id: str
    begun_s: float
    base: datetime
    reached: datetime
    firm: datetime

    def holds(self, boot_id: str, boottime_s: float) -> bool:
        """Return True if it is still the one that counts."""
        return self.boot_id == boot_id and 0 <= boottime_s - self.begun_s < ALLOWANCE_S


@dataclass(frozen=True, slots=True)
class Floor:
    """The floor, and what GNSS may still do about it; None where it did nothing yet."""

    utc: datetime = BUILT
    allowance: GnssAllowance | None = None

    def firm(self, boot_id: str) -> datetime:
        """Return the floor that judges fixes: a forged fix may have raised `utc` past true ones."""
        allowance = self.allowance
        return allowance.firm if allowance and allowance.boot_id == boot_id else self.utc


def by_receipt(floor: Floor, received: datetime) -> Floor:
    """Return the floor after a receipt, whose signature was verified."""
    if received > LATEST:
        return floor
    allowance = floor.allowance
    if allowance is not None:
        allowance = replace(allowance, firm=max(allowance.firm, received))
    return Floor(max(floor.utc, received), allowance)


def by_clock(floor: Floor, moment: Moment, boottime_s: float, fix: Fix | None = None) -> Floor:
    """Return the floor after a reading of the clock and of the newest fix.

    The network's time counts more than GNSS and receipts: the floor is never after it, and it lifts
    the limit from a fix that agrees with it. It raises nothing by itself, since it is not
    authenticated. GNSS alone raises the floor by little, and only while a fix agrees with the
    clock: a clock continues from a time that it heard once. The floor is never before the build
    date.
    """
    fix_utc = None if fix is None else fix.utc
    agrees = fix_utc is not None and abs(fix_utc - moment.utc) <= AGREES_WITHIN
    match moment.source:
        case ClockSource.NTP:
            told = max(floor.utc, fix_utc) if fix_utc and agrees else floor.utc
            return Floor(max(BUILT, min(told, moment.utc, LATEST)))
        case ClockSource.GNSS:
            is_fresh = fix is not None and moment.monotonic_ns - fix.received_ns <= FRESH_S * 1e9
            told = moment.utc - timedelta(seconds=moment.uncertainty_s or 0.0)
            if agrees and is_fresh and floor.utc < told <= LATEST:
                return _by_gnss(floor, told, moment.boot_id, boottime_s)
    return floor


def _by_gnss(floor: Floor, told: datetime, boot_id: str, boottime_s: float) -> Floor:
    allowance = floor.allowance
    if allowance and allowance.holds(boot_id, boottime_s):
        return Floor(_raised(floor.utc, told, allowance.base), allowance)
    is_next = allowance is not None and allowance.boot_id == boot_id
    base = allowance.reached if allowance and is_next else floor.utc
    utc = _raised(floor.utc, told, base)
    return Floor(utc, GnssAllowance(boot_id, boottime_s, base, utc, floor.firm(boot_id)))


def _raised(floor: datetime, told: datetime, base: datetime) -> datetime:
    return max(floor, min(told, base + GNSS_RAISES_BY))


def as_kept(utc: datetime | None) -> datetime:
    """Return the floor that an earlier process kept; BUILT without one, or if it is impossible."""
    return utc if utc is not None and BUILT <= utc <= LATEST else BUILT
