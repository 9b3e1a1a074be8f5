"""The certain time: a clock and a receipt that agree; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hardware.clock import ClockSource, Moment
from hardware.floor import AGREES_WITHIN, LATEST

_SYNCHRONISED: Final = frozenset({ClockSource.GNSS, ClockSource.NTP})
"""Sources that count; a real-time clock may be years off."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A clock and a receipt of the same boot that agree: what is past by both is past.

    Attributes:
        boot_id: the boot in which they did; in another one it says nothing.
        utc: what the earlier of the two said.
        boottime_s: CLOCK_BOOTTIME then.
    """

    boot_id: str
    utc: datetime
    boottime_s: float


def agreed(received: datetime, moment: Moment, boottime_s: float) -> Agreement | None:
    """Return the time on which the clock and a receipt that capture verified in this boot agree.

    Neither is enough: network time and GNSS are not authenticated, and the backend's clock may be
    wrong. If they differ by less than a day, the earlier of them is certainly past.
    None if they do not agree, and for a receipt of a year that is too late to be believed.
    """
    if moment.source not in _SYNCHRONISED or received > LATEST:
        return None
    if abs(received - moment.utc) > AGREES_WITHIN:
        return None
    return Agreement(moment.boot_id, min(received, moment.utc), boottime_s)


def certain_now(known: Agreement | None, moment: Moment, boottime_s: float) -> datetime | None:
    """Return the latest time that is certainly reached at `boottime_s`; None if it is unknown.

    It counts in the same boot only: CLOCK_BOOTTIME starts again with the next. If the network's
    time is behind, it counts; if it is ahead, it does not.
    """
    if known is None or known.boot_id != moment.boot_id or boottime_s < known.boottime_s:
        return None
    utc = known.utc + timedelta(seconds=boottime_s - known.boottime_s)
    return min(utc, moment.utc) if moment.source in _SYNCHRONISED else utc
