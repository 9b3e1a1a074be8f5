"""The energy of a shift: how much it took, how long the battery lasts, what is published; pure.

A shift begins when the device leaves its cradle, or is switched on. External power interrupts it,
as that of a van may; an hour of external power ends it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import median_low
from typing import Final

from agent.capture.battery import EMPTY_BELOW_PCT
from agent.status.values import MOST_HOURS
from hardware.power import PowerReading
from hardware.settings import PowerSettings

HOUR_NS: Final = 3_600_000_000_000
"""Interval at which published figures change, in the system's uptime.

It is independent of the shift, so that the moment of a change tells nothing of it.
"""

GAP_S: Final = 10.0
"""Longest time between two readings that counts: a press takes some seconds of the loop.

It also limits what one wrong reading can add: 30 W for 10 s are 0.08 Wh.
"""

ENDS_AFTER_S: Final = 3_600.0
"""External power for this long ends a shift: a cradle in a van gives less between two stops."""

BEGINS_AFTER_S: Final = 60.0
"""Time without external power that begins a shift: a disturbed line begins none."""

SILENT_AFTER_S: Final = 60.0
"""Time without an answer of gauge or sensor from which the part is silent: a reading may fail."""

LEVELS: Final = 5
"""Number of readings of the gauge of which the median counts: one or two may be wrong."""

MEASURED_SHARE: Final = 0.9
"""Least part of a shift in which the sensor answered, so that the rest may be taken as alike."""

WHOLE_SHIFT_S: Final = 4 * 3_600.0
"""Shortest shift whose mean power is published: that of a shorter one tells more of its hours."""

STEP_WH: Final = 2
"""Step of the published energy.

A camera that streams takes at most 1.5 W more (hardware/energy.md): a step is more than an hour of
streaming, and two days in which the camera ran in other hours look alike.
"""

STEPS_PER_W: Final = 20
"""Steps of the published mean power: 0.05 W, finer than two sensors agree."""

FALLEN_PCT: Final = 10
"""Least fall of the gauge from which time is estimated: a gauge jumps by a point or two."""

ESTIMATE_AFTER_S: Final = 3_600.0
"""Least time on the battery for an estimate: a battery that leaves the charger falls fast first."""

DOUBT_FROM_PCT: Final = 20.0
"""Use of the battery, by gauge or by sensor, from which the two are compared."""

DOUBT_FACTOR: Final = 2.0
"""Factor between gauge and sensor from which one of them is wrong, or the battery is worn.

An aged and cold battery gives 0.7 of its energy; a shunt of another value makes a factor of 2 to
10, and a gauge that is stuck an infinite one.
"""


@dataclass(frozen=True, slots=True)
class Shift:
    """The use of the battery in one shift, without the time on external power.

    Attributes:
        battery_s: time on the battery.
        measured_s: the part of it in which the current sensor answered.
        used_j: the energy that the device took in that part.
        fallen_pct: the fall of the gauge.
        is_over: True if the device was on external power for an hour since.
    """

    battery_s: float = 0.0
    measured_s: float = 0.0
    used_j: float = 0.0
    fallen_pct: int = 0
    is_over: bool = False

    @property
    def used_wh(self) -> float | None:
        """The energy of the shift; None if the sensor answered for too little of it."""
        if not self.measured_s or self.measured_s < MEASURED_SHARE * self.battery_s:
            return None
        return self.used_j / self.measured_s * self.battery_s / 3_600

    @property
    def mean_w(self) -> float | None:
        """The mean power of the shift; None if it was too short, or measured too little."""
        if self.battery_s < WHOLE_SHIFT_S or self.used_wh is None:
            return None
        return self.used_j / self.measured_s

    def hours_left(self, level_pct: int) -> float | None:
        """Return the hours until the device shuts down, if it goes on as in this shift.

        The gauge alone decides, and so the estimate suits an aged or cold battery. None before the
        gauge has fallen far enough.
        """
        if self.battery_s < ESTIMATE_AFTER_S or self.fallen_pct < FALLEN_PCT:
            return None
        left_pct = max(0, level_pct - EMPTY_BELOW_PCT)
        return left_pct / self.fallen_pct * self.battery_s / 3_600

    def after(self, gone_s: float, watts: float | None, fallen_pct: int) -> "Shift":
        """Return the shift after some more time on the battery."""
        measured_s = 0.0 if watts is None else gone_s
        return replace(
            self,
            battery_s=self.battery_s + gone_s,
            measured_s=self.measured_s + measured_s,
            used_j=self.used_j + measured_s * (watts or 0.0),
            fallen_pct=self.fallen_pct + fallen_pct,
        )


@dataclass(frozen=True, slots=True)
class PublicFigures:
    """The figures that a status shows: too coarse to tell when the camera ran.

    Attributes:
        used_wh: energy of the shift so far, or of the last one, rounded down to steps of 2 Wh.
        hours_left: whole hours until the device shuts down, at most 6; None with external power.
        mean_w: mean power of the last whole shift that has ended, in steps of 0.05 W.
    """

    used_wh: int | None = None
    hours_left: int | None = None
    mean_w: float | None = None


@dataclass(frozen=True, slots=True)
class Energy:
    """The result of the readings of the supply, one a second; each reading makes another value.

    Attributes:
        shift: the shift, or in the cradle the last one.
        figures: what is published now.
        mean_w: exact mean power of the last whole shift.
        hour: the uptime's hour of `figures`.
        at_ns: time of the last reading, CLOCK_MONOTONIC.
        level_pct: the charge by the last readings.
        levels: the last readings of the gauge.
        gauge_silent_s: time since the gauge answered.
        sensor_silent_s: time since the current sensor answered.
        external: whether there was external power at the last reading.
        external_s: time since that changed.
    """

    shift: Shift = field(default_factory=Shift)
    figures: PublicFigures = field(default_factory=PublicFigures)
    mean_w: float | None = None
    hour: int | None = None
    at_ns: int | None = None
    level_pct: int | None = None
    levels: tuple[int, ...] = ()
    gauge_silent_s: float = 0.0
    sensor_silent_s: float = 0.0
    external: bool | None = None
    external_s: float = 0.0

    @property
    def hours_left(self) -> float | None:
        """The hours until the device shuts down; None if unknown, or with external power."""
        if self.external or self.level_pct is None or self.gauge_silent_s >= SILENT_AFTER_S:
            return None
        return self.shift.hours_left(self.level_pct)

    def after(self, power: PowerReading, now_ns: int) -> "Energy":
        """Return the energy after a reading at this time."""
        gone_s = 0.0 if self.at_ns is None else (now_ns - self.at_ns) / 1e9
        gone_s = gone_s if 0.0 < gone_s <= GAP_S else 0.0
        external = bool(power.external)
        answered = () if power.battery_pct is None else (power.battery_pct,)
        levels = (*self.levels, *answered)[-LEVELS:]
        read = replace(
            self,
            at_ns=now_ns,
            level_pct=median_low(levels) if levels else self.level_pct,
            levels=levels,
            gauge_silent_s=0.0 if answered else self.gauge_silent_s + gone_s,
            sensor_silent_s=0.0 if power.watts is not None else self.sensor_silent_s + gone_s,
            external=external,
            external_s=self.external_s + gone_s if external is self.external else 0.0,
        )
        shift = _next_shift(read, gone_s, power.watts, self.level_pct)
        ended_w = shift.mean_w if shift.is_over else None
        counted = replace(read, shift=shift, mean_w=self.mean_w if ended_w is None else ended_w)
        return _with_figures(counted, now_ns // HOUR_NS)


def _next_shift(
    read: Energy, gone_s: float, watts: float | None, level_before: int | None
) -> Shift:
    shift = read.shift
    if read.external:
        is_over = shift.is_over or read.external_s >= ENDS_AFTER_S
        return replace(shift, is_over=is_over)
    if shift.is_over:
        return Shift() if read.external_s >= BEGINS_AFTER_S else shift
    if level_before is None or read.level_pct is None:
        return shift.after(gone_s, watts, 0)
    return shift.after(gone_s, watts, level_before - read.level_pct)


def _with_figures(energy: Energy, hour: int) -> Energy:
    """Return the energy with the figures of this hour of the uptime."""
    if energy.hour is None or hour == energy.hour:
        return replace(energy, hour=hour)
    used_wh, left_h, mean_w = energy.shift.used_wh, energy.hours_left, energy.mean_w
    figures = PublicFigures(
        used_wh=None if used_wh is None else int(used_wh) // STEP_WH * STEP_WH,
        hours_left=None if left_h is None else min(int(left_h), MOST_HOURS),
        mean_w=None if mean_w is None else round(mean_w * STEPS_PER_W) / STEPS_PER_W,
    )
    return replace(energy, hour=hour, figures=figures)


def is_gauge_silent(energy: Energy, settings: PowerSettings) -> bool:
    """Return True if a gauge is built in, and does not answer."""
    return settings.gauge and energy.gauge_silent_s >= SILENT_AFTER_S


def troubles(energy: Energy, settings: PowerSettings) -> Iterator[str]:
    """Yield what is wrong with the parts that measure energy."""
    if is_gauge_silent(energy, settings):
        yield "fuel gauge silent"
    if settings.current_sensor and energy.sensor_silent_s >= SILENT_AFTER_S:
        yield f"sensor {settings.current_sensor} silent"
    if settings.gauge and _contradict(energy.shift, settings.battery_wh):
        yield "battery worn, or gauge and sensor contradict each other"


def _contradict(shift: Shift, battery_wh: float) -> bool:
    """Return True if the gauge's fall and the sensor's energy cannot be of one good battery."""
    if shift.used_wh is None:
        return False
    by_sensor_pct = 100 * shift.used_wh / battery_wh
    less, more = sorted((by_sensor_pct, float(shift.fallen_pct)))
    return more >= DOUBT_FROM_PCT and more > DOUBT_FACTOR * less
