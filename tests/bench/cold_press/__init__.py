"""Simulated presses after a start, after the lamp was lit, in changed and in unchanged light.

The exposures are those of the simulated camera's automatic, and the product's own rule waits
(`hardware/settling.py`).
"""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agent.capture.burst import BURST, LAMP_BELOW_LUX
from hardware.picamera2_state import SAMPLED, WATCH_NS
from hardware.settling import FRAMES_MOST, Settling, SettlingRule
from hardware.simulated.auto_exposure import (
    IMX708,
    LIBCAMERA,
    NOISE,
    TARGET,
    AutoExposure,
    Tuning,
)
from hardware.simulated.scenes import (
    EXPOSURE_LUX_US,
    EXPOSURE_MAX_US,
    EXPOSURE_MIN_US,
    GAIN_MAX,
)
from hardware.simulated.stream import HIDDEN, START_NS

WRONG_TIMES: Final = 1.5
"""Factor between a kept frame's exposure and the right one, from which it counts as wrong.

It is a little over half a stop."""

DARKEST: Final = float(EXPOSURE_MAX_US * GAIN_MAX)

NOISES: Final = ((0.0, 0.0), (0.01, 0.01), (0.02, 0.02), (0.03, 0.0), (0.0, 0.04), (0.02, 0.03))
"""Deviation of the brightness from frame to frame, and amplitude of a slow wave of it.

A hand shakes, and lamps flicker; a few per cent are assumed."""

SPREADS: Final = (0.0, 0.5, 1.0, 1.5)
"""Spread of the light within a scene, as the deviation of its logarithm.

From none to that of a door in the sun beside one in the shade. In a scene with a wide spread, parts
are white while the mean is right."""

LAMP_LUX: Final = (3.0, 300.0)
"""Light that the lamp adds at 2 m and at 0.2 m: four LEDs add 14 lx at 1 m (hardware/README.md)."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The camera and the light of a press: a mean of `lux_before` first, of `lux` later."""

    tuning: Tuning
    delay: int
    fps: int
    spread: float
    noise: tuple[float, float]
    lux: float
    lux_before: float


@dataclass(frozen=True, slots=True)
class Press:
    """The frames of a stream, counted from 0, and the press among them.

    Attributes:
        exposures: exposure of each frame, us times gain.
        right: the right exposure, us times gain.
        newest: the newest frame at the press; -1 for none.
        first: the first frame that began after the press.
        lit: the first frame that began after the lamp was lit; 0 if it was not lit.
        measured_lux: the illuminance that each frame reports.
    """

    conditions: Conditions
    exposures: Sequence[float]
    right: float
    newest: int
    first: int
    lit: int
    measured_lux: Sequence[float]


@dataclass(frozen=True, slots=True)
class Wait:
    """The end of a wait: the factor by which the burst's worst frame is off, and the delay."""

    settled: bool
    times_off: float
    added_s: float

    @property
    def is_wrong(self) -> bool:
        """True if a frame that may be kept is wrong."""
        return self.times_off > WRONG_TIMES


def brightness(exposure: float, lux: float, spread: float) -> float:
    """Return the mean brightness of a scene whose light has a log-normal distribution.

    Parts that are too bright are white: this is the mean of min(1, x) for a log-normal x.
    """
    mean = TARGET * exposure * lux / EXPOSURE_LUX_US
    if not spread:
        return min(1.0, mean) + NOISE
    below = -(math.log(mean) - spread**2 / 2) / spread
    return mean * _normal(below - spread) + 1 - _normal(below) + NOISE


def _normal(deviations: float) -> float:
    return math.erfc(-deviations / math.sqrt(2)) / 2


def right_exposure(lux: float, spread: float) -> float:
    """Return the exposure that the automatic reaches without noise, us times gain."""
    automatic = AutoExposure(LIBCAMERA, delay=1)
    for _ in range(120):
        automatic.measure(brightness(automatic.exposure, lux, spread))
    return automatic.exposure


def _conditions(chance: random.Random, lux: float, lux_before: float) -> Conditions:
    return Conditions(
        tuning=chance.choice((LIBCAMERA, IMX708)),
        delay=chance.choice((2, 3, 4)),
        fps=chance.choice((15, 30)),
        spread=chance.choice(SPREADS),
        noise=chance.choice(NOISES),
        lux=lux,
        lux_before=lux_before,
    )


def _frames(
    automatic: AutoExposure, conditions: Conditions, chance: random.Random, before: int
) -> Iterator[tuple[float, float]]:
    """Yield exposure and reported lux of each frame; the light changes within frame `before`."""
    deviation, amplitude = conditions.noise
    hz, phase = chance.uniform(1, 6), chance.uniform(0, 2 * math.pi)
    number = 0
    while True:
        share = 0.0 if number < before else chance.random() if number == before else 1.0
        lux = conditions.lux_before + share * (conditions.lux - conditions.lux_before)
        wave = amplitude * math.sin(phase + 2 * math.pi * hz * number / conditions.fps)
        exposure = automatic.exposure
        seen = brightness(
            exposure, lux * (1 + chance.gauss(0, deviation) + wave), conditions.spread
        )
        yield exposure, seen * EXPOSURE_LUX_US / (TARGET * exposure)
        automatic.measure(min(1.0, seen))
        number += 1


def _automatic(conditions: Conditions, stale: float) -> AutoExposure:
    """Return an automatic after a process's first frames, which resumes from `stale`."""
    automatic = AutoExposure(conditions.tuning, conditions.delay)
    for _ in range(conditions.tuning.startup_frames):
        automatic.measure(TARGET)
    automatic.follow(EXPOSURE_LUX_US / stale)
    automatic.start()
    return automatic


def _stale(chance: random.Random) -> float:
    """Return the last exposure of the stream before: for the dark, the sun, or between them."""
    between = math.exp(chance.uniform(math.log(EXPOSURE_MIN_US), math.log(DARKEST)))
    return chance.choice((DARKEST, DARKEST, EXPOSURE_MIN_US, EXPOSURE_MIN_US, between))


def _log_uniform(chance: random.Random, least: float, most: float) -> float:
    return math.exp(chance.uniform(math.log(least), math.log(most)))


def cold(chance: random.Random) -> Press:
    """Press 0 to 1 s after a start; one start in four is the first of a process."""
    lux = _log_uniform(chance, 0.1, 100_000)
    conditions = _conditions(chance, lux, lux)
    if chance.random() < 0.25:
        automatic, hidden = AutoExposure(conditions.tuning, conditions.delay), HIDDEN
    else:
        automatic, hidden = _automatic(conditions, _stale(chance)), 0
    frames = _frames(automatic, conditions, chance, before=-1)
    newest = math.floor((chance.uniform(0, 1) - START_NS / 1e9) * conditions.fps)
    return _press(conditions, [*islice(frames, hidden, hidden + 80)], max(-1, newest), lit=0)


def after_lamp(chance: random.Random) -> Press:
    """Light the lamp in the dark, in a stream that has long been on, or after its second frame."""
    dark = _log_uniform(chance, 0.01, LAMP_BELOW_LUX)
    conditions = _conditions(chance, dark + _log_uniform(chance, *LAMP_LUX), dark)
    is_warm = chance.random() < 0.5
    stale = right_exposure(dark, conditions.spread) if is_warm else _stale(chance)
    before = 40 if is_warm else 2
    automatic = _automatic(conditions, stale)
    frames = [*islice(_frames(automatic, conditions, chance, before), before + 80)]
    return _press(conditions, frames, before, lit=before + 1)


def warm(chance: random.Random) -> Press:
    """Press while the camera has long been streaming in this light."""
    lux = _log_uniform(chance, 0.1, 100_000)
    conditions = _conditions(chance, lux, lux)
    automatic = _automatic(conditions, right_exposure(lux, conditions.spread))
    frames = [*islice(_frames(automatic, conditions, chance, before=-1), 140)]
    return _press(conditions, frames, 60, lit=0)


def light_changed(chance: random.Random) -> Press:
    """Press 0 to 2 s after a camera that has long been streaming came out of its holster."""
    lux, lux_before = (_log_uniform(chance, 0.1, 100_000) for _ in range(2))
    conditions = _conditions(chance, lux, lux_before)
    automatic = _automatic(conditions, right_exposure(lux_before, conditions.spread))
    newest = 40 + math.floor(chance.uniform(0, 2) * conditions.fps)
    frames = [*islice(_frames(automatic, conditions, chance, before=40), newest + 80)]
    return _press(conditions, frames, newest, lit=0)


GROUPS: Final = {
    "cold": cold,
    "after the lamp": after_lamp,
    "light changed": light_changed,
    "warm": warm,
}


def _press(
    conditions: Conditions, frames: Sequence[tuple[float, float]], newest: int, *, lit: int
) -> Press:
    """Return a press during the frame after `newest`, or a lamp lit during `newest`.

    That frame began too early to be kept.
    """
    exposures, measured_lux = zip(*frames, strict=True)
    right = right_exposure(conditions.lux, conditions.spread)
    first = 0 if newest < 0 else newest + 1 if lit else newest + 2
    return Press(conditions, exposures, right, newest, first, lit, measured_lux)


def wait(press: Press, rule: SettlingRule, read: int | None = None) -> Wait:
    """Wait by a rule as drivers do: frames before the press count, and at most 30 more.

    Args:
        press: the frames and the press.
        rule: the rule.
        read: which of ten frames is read before the press while the exposure is at rest, as
            `hardware.picamera2_state.StreamState` does; None for all.
    """
    settling, frame_ns = Settling(rule), 1_000_000_000 // press.conditions.fps
    settled = is_at_rest = False
    for number, exposure in enumerate(press.exposures):
        if number >= press.newest or not is_at_rest or number % SAMPLED == read:
            settling.add(number * frame_ns, exposure)
            is_long_used = number * frame_ns >= WATCH_NS
            is_at_rest = read is not None and is_long_used and settling.settled()
        if number >= press.newest:
            settled = settling.settled(press.lit * frame_ns)
            if settled or number == press.newest + FRAMES_MOST:
                break
    begin = max(number, press.first)
    burst = press.exposures[begin : begin + BURST]
    times_off = max(max(one / press.right, press.right / one) for one in burst)
    return Wait(settled, times_off, (begin - press.first) / press.conditions.fps)


def wrong_lamps(presses: Iterable[Press], rule: SettlingRule) -> tuple[int, int, int]:
    """Count presses whose newest frame reports the wrong light for the lamp.

    Within a tenth of the limit, neither answer is wrong.

    Returns:
        Presses with the lamp lit by day; presses without it in the dark; and presses that stay
        without it after the first frame of the settled burst was asked too.
    """
    by_day = in_the_dark = in_the_end = 0
    for press in presses:
        is_lit = press.measured_lux[max(0, press.newest)] < LAMP_BELOW_LUX
        begin = press.first + round(wait(press, rule).added_s * press.conditions.fps)
        is_lit_later = press.measured_lux[begin] < LAMP_BELOW_LUX
        by_day += is_lit and press.conditions.lux > 1.1 * LAMP_BELOW_LUX
        is_dark = press.conditions.lux < 0.9 * LAMP_BELOW_LUX
        in_the_dark += is_dark and not is_lit
        in_the_end += is_dark and not is_lit and not is_lit_later
    return by_day, in_the_dark, in_the_end
