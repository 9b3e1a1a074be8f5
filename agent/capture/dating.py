"""Decides if a boot needs another `time` record because its dates contradict each other; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from agent.models import RecordKind, RecordLabel, from_rfc3339
from agent.queue.labels import LabelSummary
from hardware.clock import ClockSource, Moment
from hardware.floor import AGREES_WITHIN

TIMES_WITHOUT_WAIT: Final = 3
"""`time` records of a boot that may follow each other at once: one by the real-time clock, a wrong
one by the receiver, and the one that contradicts it."""

AGAIN_AFTER_S: Final = 3600.0
"""Wait before each further one: a receiver that contradicts itself all day costs 24 records."""

_LATEST_NS: Final = 2**63 - 1
"""Largest time of CLOCK_MONOTONIC, 292 years. Source: Linux, include/linux/ktime.h: 64 bits."""


@dataclass(frozen=True, slots=True)
class Date:
    """The time that a record of this boot states: at `monotonic_ns` it was `utc`."""

    utc: datetime
    monotonic_ns: int
    source: ClockSource

    def contradicts(self, other: "Date") -> bool:
        """Return whether both cannot be true: they differ by more than a slow clock explains."""
        passed = timedelta(microseconds=(self.monotonic_ns - other.monotonic_ns) / 1000)
        return abs(self.utc - other.utc - passed) > AGREES_WITHIN


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates that this boot's records stated so far.

    Attributes:
        newest: the last date by a source other than UNSYNCED; never by a worse one after a better.
        is_disputed: whether labels contradict each other, and no `time` record followed.
        times: how many `time` records there are.
        newest_time_ns: when the last of these was made, CLOCK_MONOTONIC.
    """

    newest: Date | None = None
    is_disputed: bool = False
    times: int = 0
    newest_time_ns: int = 0

    def after(self, said: Date, *, is_time: bool) -> "Dates":
        """Return the dates with one more record, the newest."""
        if is_time:
            return Dates(said, times=self.times + 1, newest_time_ns=said.monotonic_ns)
        if said.source is ClockSource.UNSYNCED or self._is_better_than(said.source):
            return self
        is_disputed = self.newest is not None and said.contradicts(self.newest)
        return replace(self, newest=said, is_disputed=self.is_disputed or is_disputed)

    def after_label(self, label: RecordLabel) -> "Dates":
        """Return the dates with the record of this label, which this process made just now."""
        said = Date(from_rfc3339(label.utc), label.monotonic_ns, ClockSource(label.clock))
        return self.after(said, is_time=label.kind == RecordKind.TIME)

    def is_time_record_due(self, now: Moment) -> bool:
        """Return whether a `time` record of `now` is due.

        It is due if `now` contradicts the newest date, or if the labels contradict each other and
        `now` settles that. A worse source than that of the newest date never causes a record.
        """
        if self.newest is None or self._is_better_than(now.source):
            return False
        said = Date(now.utc, now.monotonic_ns, now.source)
        if not (self.is_disputed or said.contradicts(self.newest)):
            return False
        waited_s = (now.monotonic_ns - self.newest_time_ns) / 1e9
        return self.times < TIMES_WITHOUT_WAIT or waited_s >= AGAIN_AFTER_S

    def _is_better_than(self, source: ClockSource) -> bool:
        return self.newest is not None and self.newest.source.beats(source)


def of_boot(seen: Iterable[LabelSummary], boot_id: str) -> Dates:
    """Return the dates of the records in `records/`, for a process that starts in the same boot.

    The labels are not verified, so a label without a possible time is ignored.
    """
    dates = Dates()
    for one in sorted(seen, key=attrgetter("monotonic_ns")):
        if one.boot_id == boot_id and 0 <= one.monotonic_ns <= _LATEST_NS:
            try:
                said = Date(from_rfc3339(one.utc), one.monotonic_ns, ClockSource(one.clock))
            except ValueError:  # also for a clock that is no text
                continue
            dates = dates.after(said, is_time=one.is_time)
    return dates
