"""Time: UTC, monotonic, boot id, and who vouches for the UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Protocol

BUILT: Final = datetime(2026, 11, 29, tzinfo=UTC)
"""Build date: no earlier time is believed, since no program runs before its build.

Each release moves it.
"""


class ClockSource(StrEnum):
    """The source of the wall clock, best first: the network corrects a receiver's wrong date."""

    NTP = "ntp"
    GNSS = "gnss"
    RTC = "rtc"
    UNSYNCED = "unsynced"

    def beats(self, other: "ClockSource") -> bool:
        """Return True if this source counts and the other does not, where both have a time."""
        best_first = list(ClockSource)
        return best_first.index(self) < best_first.index(other)


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as this device knows it.

    Attributes:
        utc: aware, UTC; a guess if `source` is UNSYNCED.
        monotonic_ns: CLOCK_MONOTONIC.
        boot_id: the kernel's random id of this boot.
        source: the source of `utc`.
        uncertainty_s: bound of the error of `utc`, if the source gives one; None if UNSYNCED.
    """

    utc: datetime
    monotonic_ns: int
    boot_id: str
    source: ClockSource
    uncertainty_s: float | None


class Clock(Protocol):
    """A clock that dates any recent CLOCK_MONOTONIC instant."""

    def now(self) -> Moment:
        """Return this instant."""

    def at(self, monotonic_ns: int) -> Moment:
        """Return the instant `monotonic_ns` of this boot, dated by what is known at the call."""

    def boottime_s(self) -> float:
        """Return CLOCK_BOOTTIME in seconds: it continues in suspend, and starts again at boot."""

    def learn(self, gnss_utc: datetime, received_ns: int) -> None:
        """Take a GNSS time that came at `received_ns`; one that is not possible is refused."""

    def recall(self, utc: datetime, monotonic_ns: int) -> None:
        """Take the date that an earlier process of this boot gave `monotonic_ns` by GNSS."""

    def is_possible(self, gnss_utc: datetime) -> bool:
        """Return True if a GNSS time may be true; a receiver after its week rollover says 2007.

        The floor judges it as far as that is firm: a forged time does not refuse the truth.
        """

    def move_floor(self, utc: datetime, firm: datetime | None = None) -> None:
        """Put the time floor there; `hardware.floor` says where it may go.

        `firm` is the floor without what GNSS alone raised it by in this boot; None: all is firm.
        """

    @property
    def floor(self) -> datetime:
        """The latest time that is certainly past."""
