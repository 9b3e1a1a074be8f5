"""The system's clock, and who vouches for it: NTP, a GNSS time, a real-time clock, or nobody."""

import ctypes
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from hardware import chrony
from hardware.change_detector import ChangeDetector
from hardware.clock import BUILT, ClockSource, Moment
from hardware.errors import DeviceError
from hardware.floor import AGREES_WITHIN, SHELF_LIFE

log = logging.getLogger(__name__)

_LIBC: Final = ctypes.CDLL(None)

NTP_UNCERTAINTY_S: Final = 5.0
"""Source: timesyncd.conf(5), RootDistanceMaxSec: servers more than 5 s off are refused.

chrony is stricter: maxdistance, 3 s.
"""

GNSS_UNCERTAINTY_S: Final = 1.0
"""Source: a receiver at 1 Hz tells a fix before the next one, so it arrives less than 1 s late."""

DRIFT: Final = 500e-6
"""Growth of the error of an old GNSS time. Source: MAXFREQ, linux/timex.h: 500 ppm at most."""

GNSS_AGREES_WITHIN: Final = timedelta(seconds=2)
"""Two GNSS times agree when the monotonic clock says so; each may come up to 1 s late."""

BEHIND_AT_MOST: Final = timedelta(days=1)
"""A GNSS date may be so far before the floor, and is refused as a week rollover below that.

A receipt raises the floor past the last fix, by as much as the backend's clock is ahead: hours
where a time zone is wrong. A week rollover is 1024 weeks, 19.6 years (IS-GPS-200, 20.3.3.3.1.1).
"""

RTC_DRIFT_S: Final = 60.0
"""Source: a watch crystal is good to 20 ppm, which is 52 s in the 30 days since it was last set."""

RTC_AGREES_WITHIN_S: Final = 60.0
"""The system runs apart from the RTC that set it, by DRIFT 43 s a day at most."""

ASK_EVERY_S: Final = 10.0
"""Greatest age of chronyd's answer: it polls a receiver every 16 s, and a server more rarely.

Source: chrony.conf(5), the default `poll 4` of refclock, and `minpoll 6` of server.
"""

_TIMESYNCD: Final = Path("run/systemd/timesync/synchronized")
"""Made when timesyncd has set the clock. Source: systemd-timesyncd.service(8)."""

TIME_ERROR: Final = 5
"""Result of adjtimex while the clock is not synchronised. Source: adjtimex(2)."""

STA_UNSYNC: Final = 0x40
"""Status bit that says the same; some daemons set only one of the two. Source: adjtimex(2)."""


class _Timex(ctypes.Structure):
    """The head of `struct timex`, and room for its tail. Source: adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("tail", ctypes.c_byte * 256),
    )


class SystemWitness:
    """The judge of the system time's source: NTP, GNSS, RTC or UNSYNCED.

    NTP or GNSS on the word of the kernel, which chrony and timesyncd both keep informed, or of
    timesyncd's file: ProtectClock= forbids to ask the kernel, and chrony then has no witness.
    GNSS where chronyd says that it follows a reference clock, or a server on this machine: it sets
    the clock by what the receiver says. All others count as the network: timesyncd knows nothing
    else, and who gives no answer cannot be told apart.
    RTC when the first one shows the time that the system has: without its battery a board's RTC
    exists too, but starts in 1970.

    Args:
        root: a prefix for tests.
        port: where chronyd answers.
    """

    def __init__(self, root: Path = Path("/"), port: int = chrony.PORT) -> None:
        self._root: Final = root
        self._port: Final = port
        self._asked_s = -ASK_EVERY_S
        self._follows: chrony.Reference | None = None

    def __call__(self) -> ClockSource:
        """Return the source now; starts no process, and takes `chrony.WAIT_S` at most."""
        if _kernel_is_synchronised() or (self._root / _TIMESYNCD).exists():
            follows = self._reference()
            return ClockSource.NTP if follows is None or follows.is_network else ClockSource.GNSS
        try:
            rtc_s = int((self._root / "sys/class/rtc/rtc0/since_epoch").read_text())
        except (OSError, ValueError):
            return ClockSource.UNSYNCED
        agrees = abs(rtc_s - time.time()) <= RTC_AGREES_WITHIN_S
        return ClockSource.RTC if agrees else ClockSource.UNSYNCED

    def _reference(self) -> chrony.Reference | None:
        now_s = time.monotonic()
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s, self._follows = now_s, chrony.reference(self._port)
        return self._follows


def _kernel_is_synchronised() -> bool:
    timex = _Timex(modes=0)
    state = _LIBC.adjtimex(ctypes.byref(timex))
    return 0 <= state != TIME_ERROR and not timex.status & STA_UNSYNC


@dataclass(frozen=True, slots=True)
class _Known:
    """A UTC time, the CLOCK_MONOTONIC instant at which it held, and how wrong it may be."""

    utc: datetime
    at_ns: int
    error_s: float = 0.0

    def utc_at(self, monotonic_ns: int) -> datetime:
        return self.utc + timedelta(microseconds=(monotonic_ns - self.at_ns) / 1000)


class SystemClock:
    """The clock of this machine, as `hardware.clock.Clock`; nothing of it survives a power cut.

    Nobody is believed before the build date, and no floor is before it.
    NTP counts first, also before the floor: a GNSS time that disagrees with it is not used.
    Then the system's time where GNSS keeps it, then the newest GNSS time, carried on by
    CLOCK_MONOTONIC, then the RTC, if not before the floor.
    Else the time is a guess: the later of the system's and the floor with what passed since then.
    """

    def __init__(
        self,
        floor: datetime,
        witness: Callable[[], ClockSource] | None = None,
        root: Path = Path("/"),
    ) -> None:
        self._witness: Final = witness or SystemWitness(root)
        self._boot_id: Final = boot_id(root)
        self._floor = _Known(max(BUILT, floor), time.monotonic_ns())
        self._firm = self._floor.utc
        self._ceiling: Final = self._floor.utc + SHELF_LIFE
        self._told: _Known | None = None
        self._gnss: _Known | None = None
        self._refusing = ChangeDetector(last=False)

    @property
    def floor(self) -> datetime:
        """The latest time that is certainly past."""
        return self._floor.utc

    def move_floor(self, utc: datetime, firm: datetime | None = None) -> None:
        """Put the time floor there; one that stays goes on being carried by CLOCK_MONOTONIC."""
        self._firm = utc if firm is None else firm
        if utc != self._floor.utc:
            self._floor = _Known(max(BUILT, utc), time.monotonic_ns())

    def learn(self, gnss_utc: datetime, received_ns: int) -> None:
        """Take a GNSS time that came at `received_ns`; one that is not possible is refused."""
        if self.is_possible(gnss_utc):
            self._weigh(_Known(gnss_utc, received_ns, GNSS_UNCERTAINTY_S))
            self._refusing.last = False
        elif self._refusing.changed(now=True):
            log.warning(
                "event=gnss_time_refused utc=%s floor=%s meaning=receiver_week_rollover",
                gnss_utc.isoformat(),
                self._firm.isoformat(),
            )

    def recall(self, utc: datetime, monotonic_ns: int) -> None:
        """Take the date that an earlier process of this boot gave `monotonic_ns` by GNSS.

        What that process knew may have been as old as the boot, when CLOCK_MONOTONIC was 0.
        """
        drift_s = monotonic_ns / 1e9 * DRIFT
        known = _Known(utc, monotonic_ns, GNSS_UNCERTAINTY_S + drift_s)
        if self.is_possible(known.utc_at(time.monotonic_ns())):
            self._gnss = known

    def is_possible(self, gnss_utc: datetime) -> bool:
        """Return True if a GNSS time may be true: not far before the firm floor, nor far ahead."""
        return max(BUILT, self._firm - BEHIND_AT_MOST) <= gnss_utc <= self._ceiling

    def _weigh(self, told: _Known) -> None:
        """Trust a GNSS time that the one before agrees with: a single one may be anything."""
        before, self._told = self._told, told
        if before is None or before.at_ns == told.at_ns:
            return
        if abs(before.utc_at(told.at_ns) - told.utc) <= GNSS_AGREES_WITHIN:
            self._gnss = told

    def now(self) -> Moment:
        """Return this instant."""
        return self.at(time.monotonic_ns())

    def at(self, monotonic_ns: int) -> Moment:
        """Return the instant `monotonic_ns` of this boot, dated by what is known at the call."""
        known, source, uncertainty_s = self._best(monotonic_ns)
        return Moment(
            known.utc_at(monotonic_ns), monotonic_ns, self._boot_id, source, uncertainty_s
        )

    def boottime_s(self) -> float:
        """Return CLOCK_BOOTTIME in seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def _doubt(self, network: _Known) -> None:
        """Forget a GNSS time that the network's contradicts: it would be back without network."""
        gnss = self._gnss
        if gnss and abs(gnss.utc_at(network.at_ns) - network.utc) > AGREES_WITHIN:
            self._gnss = None

    def _best(self, monotonic_ns: int) -> tuple[_Known, ClockSource, float | None]:
        system = _Known(datetime.now(UTC), time.monotonic_ns())
        vouched = self._witness()
        if vouched is ClockSource.NTP and system.utc >= BUILT:
            self._doubt(system)
            return system, ClockSource.NTP, NTP_UNCERTAINTY_S
        if vouched is ClockSource.GNSS and self.is_possible(system.utc):
            return system, ClockSource.GNSS, NTP_UNCERTAINTY_S
        if gnss := self._gnss:
            drift_s = abs(monotonic_ns - gnss.at_ns) / 1e9 * DRIFT
            return gnss, ClockSource.GNSS, gnss.error_s + drift_s
        if vouched is ClockSource.RTC and system.utc >= self._floor.utc:
            return system, ClockSource.RTC, RTC_DRIFT_S + RTC_AGREES_WITHIN_S
        if system.utc >= self._floor.utc_at(system.at_ns):
            return system, ClockSource.UNSYNCED, None
        return self._floor, ClockSource.UNSYNCED, None


def boot_id(root: Path = Path("/")) -> str:
    """Return the kernel's random id of this boot; `root` is a prefix for tests.

    Raises:
        DeviceError: /proc is hidden from this process.
    """
    path = root / "proc/sys/kernel/random/boot_id"
    try:
        return path.read_text().strip()
    except OSError as error:
        raise DeviceError(
            f"{path}: {error.strerror}, so records cannot be tied to this boot; "
            "the unit must not set ProcSubset=pid"
        ) from error
