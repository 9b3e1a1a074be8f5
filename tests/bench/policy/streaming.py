"""How long the camera streams on a round: the product's own rule, asked all the way."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import Final

from agent.capture.duties import TICK_S
from agent.rule import policy, reach
from agent.rule.manifest import Manifest, PhotoRule
from agent.rule.policy import Allowed
from hardware.lift import STILL_S
from hardware.settings import CameraSettings
from tests.bench.policy import walk
from tests.bench.policy.area import STOPS, Area, Spot
from tests.bench.policy.rules import EPH_FACTOR
from tests.bench.policy.walk import WALK_MPS, Door
from tests.bench.policy.warmth import WARM_S, wait_s

LAST: Final = "at the last door"
NEXT: Final = "at the next"

LINGER_S: Final = CameraSettings("simulated").linger_s
"""The default of `camera.linger_s`."""

EVERY_S: Final = 3.0
"""How often the rule is asked here, about; on a device, once a second."""

DRIVES_ABOVE_M: Final = 100.0
"""A way that is longer is driven: who parks nearer walks. Made up."""

DRIVE_MPS: Final = 8.0
"""30 km/h. Made up."""

DOOR_S: Final = 30.0
"""From the arrival at a door to the press, of who waits elsewhere. Made up."""

WAKES_S: Final = 0.1
"""Longest time from a lift's begin until the camera is started. Source: `hardware/motion.py`."""


@dataclass(frozen=True, slots=True)
class Lift:
    """When the motion sensor of a device says that it is lifted: at each door, and on the way.

    Attributes:
        lasts_s: time for which it says so at a door.
        before_press_s: time from the begin of this lift to the press.
        walks: it also says so while the driver walks: from door to door, and for DOOR_S before and
            after each press. False for a device that lies in the van until it is lifted.
        drives: it also says so while the van drives.
    """

    lasts_s: float
    before_press_s: float
    walks: bool = False
    drives: bool = False


@dataclass(frozen=True, slots=True)
class Streaming:
    """Hours of one area, the mean of its rounds.

    Attributes:
        waits: where the time between two doors is spent: "at the last door" or "at the next".
        round_h: from the first press to the last.
        all_h: the camera streamed.
        lingering_h: of these, only because a press had been served shortly before.
        wait_s: mean wait of a press with a photo for its first exposure.
        warm: share of these presses that wait for WARM_S at most.
    """

    area: str
    waits: str
    round_h: float
    all_h: float
    lingering_h: float
    wait_s: float
    warm: float


Span = tuple[float, float]
"""From one second of a round to another."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What the rule says from one second of a round to another.

    Attributes:
        may: the camera may stream.
        may_linger: the camera may if a press was served shortly before.
    """

    begin_s: float
    end_s: float
    may: bool
    may_linger: bool


@dataclass(frozen=True, slots=True)
class Walked:
    """What happens on a round, whatever the camera does.

    Attributes:
        moments: all of the round, in order.
        presses: the second of the press at each door, and whether it made a photo.
        walks: when the driver walks from door to door.
        drives: when the driver drives from door to door.
    """

    moments: list[Moment]
    presses: list[tuple[float, bool]]
    walks: list[Span]
    drives: list[Span]


def rows(
    areas: Iterable[Area],
    rounds: int,
    seed: int,
    *,
    linger_s: float = LINGER_S,
    lift: Lift | None = None,
) -> list[Streaming]:
    """Walk `rounds` rounds in each area, twice: what really happens lies between the two.

    Other levers need no other walk.

    Args:
        areas: where.
        rounds: number of rounds in each area.
        seed: seed of the random numbers.
        linger_s: time for which the camera stays on after a photo.
        lift: how the device is lifted; None without a motion sensor.
    """
    return [
        _mean(area, waits, _walked(area, rounds, seed, waits), linger_s, lift)
        for area in areas
        for waits in (LAST, NEXT)
    ]


def _mean(
    area: Area, waits: str, walked: Sequence[Walked], linger_s: float, lift: Lift | None
) -> Streaming:
    all_h = lingering_h = 0.0
    waits_s, rng = list[float](), random.Random(area.name)
    for one in walked:
        spans = streams(one, linger_s, lift)
        all_h += _hours(spans)
        lingering_h += _hours(spans) - _hours(streams(one, 0.0, lift))
        for pressed_s, is_photo in one.presses:
            if is_photo:
                waits_s.append(wait_s(_streamed_s(spans, pressed_s), rng))
    return Streaming(
        area.name,
        waits,
        area.pace_s * STOPS / 3600,
        all_h / len(walked),
        lingering_h / len(walked),
        fmean(waits_s),
        fmean(one <= WARM_S for one in waits_s),
    )


def streams(one: Walked, linger_s: float, lift: Lift | None) -> list[Span]:
    """Return when the camera streams."""
    permitted = _joined(_permitted(one, linger_s))
    if lift is None:
        return permitted
    return _common(permitted, _joined(sorted(_lifted(one, lift))))


def _permitted(one: Walked, linger_s: float) -> Iterator[Span]:
    photos = iter([pressed_s for pressed_s, is_photo in one.presses if is_photo])
    lingers_until_s, following_s = -math.inf, next(photos, math.inf)
    for moment in one.moments:
        if following_s <= moment.begin_s:
            lingers_until_s, following_s = following_s + linger_s, next(photos, math.inf)
        if moment.may:
            yield moment.begin_s, moment.end_s
        elif moment.may_linger and lingers_until_s > moment.begin_s:
            yield moment.begin_s, min(moment.end_s, lingers_until_s)


def _lifted(one: Walked, lift: Lift) -> Iterator[Span]:
    """Yield when lifts let the camera stream; the loop stops it at one of its turns."""
    for pressed_s, _ in one.presses:
        begin_s = pressed_s - lift.before_press_s
        yield begin_s + WAKES_S, begin_s + lift.lasts_s + TICK_S / 2
    moves = [*one.drives] if lift.drives else []
    if lift.walks:
        moves += one.walks
        moves += [(pressed_s - DOOR_S, pressed_s + DOOR_S) for pressed_s, _ in one.presses]
    for begin_s, end_s in moves:
        yield begin_s + WAKES_S, end_s + STILL_S + TICK_S / 2


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans that are ordered by their begin, with those as one that touch."""
    found: list[Span] = []
    for begin_s, end_s in spans:
        if found and begin_s <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end_s)
        else:
            found.append((begin_s, end_s))
    return found


def _common(some: list[Span], others: list[Span]) -> list[Span]:
    """Return what is within both; each is ordered and does not overlap itself."""
    found, first = list[Span](), 0
    for begin_s, end_s in some:
        while first < len(others) and others[first][1] <= begin_s:
            first += 1
        for other_begin_s, other_end_s in others[first:]:
            if other_begin_s >= end_s:
                break
            found.append((max(begin_s, other_begin_s), min(end_s, other_end_s)))
    return found


def _hours(spans: Iterable[Span]) -> float:
    return sum(end_s - begin_s for begin_s, end_s in spans) / 3600


def _streamed_s(spans: Iterable[Span], pressed_s: float) -> float | None:
    """Return for how long the camera has streamed at a press; None if it is stopped."""
    for begin_s, end_s in spans:
        if begin_s < pressed_s <= end_s:
            return pressed_s - begin_s
    return None


@cache
def _walked(area: Area, rounds: int, seed: int, waits: str) -> tuple[Walked, ...]:
    """Walk the rounds, and ask the rule all the way."""
    walked = walk.rounds([area], rounds, seed, "/streaming")
    return tuple(_round(area, one.doors, one.rng, waits) for one in walked)


def _round(area: Area, doors: list[Door], rng: random.Random, waits: str) -> Walked:
    manifest, before = walk.manifest(doors), doors[0].spot
    moments, presses = list[Moment](), list[tuple[float, bool]]()
    walks, drives = list[Span](), list[Span]()
    every_s = area.pace_s / round(area.pace_s / EVERY_S)
    for turn, door in enumerate(doors):
        begins_s = turn * area.pace_s
        going = _going(area, before, door.spot, waits)
        moves = drives if going.speed_mps == DRIVE_MPS else walks
        if going.length_m:
            moves.append((begins_s + going.leaves_s, begins_s + going.arrives_s))
        for at_s, circle in _way(area, before, door.spot, rng, going):
            may_linger = policy.may_stream(manifest, circle, None, keep_warm=True)
            may = may_linger and policy.may_stream(manifest, circle, None, keep_warm=False)
            begin_s = begins_s + at_s
            moments.append(Moment(begin_s, begin_s + every_s, may, may_linger))
        is_photo = _takes_photo(manifest, circle, door)
        presses.append((begins_s + area.pace_s, is_photo))
        if is_photo:
            manifest = _with_done(manifest, turn)
        before = door.spot
    return Walked(moments, presses, walks, drives)


@dataclass(frozen=True, slots=True)
class _Going:
    """A way from door to door, in seconds since the last press."""

    length_m: float
    speed_mps: float
    leaves_s: float

    @property
    def arrives_s(self) -> float:
        return self.leaves_s + self.length_m / self.speed_mps


def _going(area: Area, begin: Spot, end: Spot, waits: str) -> _Going:
    length_m = math.dist(begin, end)
    speed_mps = DRIVE_MPS if length_m > DRIVES_ABOVE_M else WALK_MPS
    spare_s = max(0.0, area.pace_s - DOOR_S - length_m / speed_mps)
    return _Going(length_m, speed_mps, spare_s if waits == LAST else 0.0)


def _way(
    area: Area, begin: Spot, end: Spot, rng: random.Random, going: _Going
) -> Iterator[tuple[float, reach.Circle | None]]:
    """Each moment until the press, and where we could be."""
    sky = area.sky(rng)
    error = sky.error.draw(rng)
    lost_s = area.pace_s - area.age_s(rng)
    moments = round(area.pace_s / EVERY_S)
    for moment in range(moments):
        at_s = moment * area.pace_s / moments
        seen_s = min(at_s, max(lost_s, 0.0))
        gone_m = max(0.0, seen_s - going.leaves_s) * going.speed_mps
        part = min(1.0, gone_m / going.length_m) if going.length_m else 1.0
        spot = tuple(b + part * (e - b) + off for b, e, off in zip(begin, end, error, strict=True))
        fix = walk.fix_at(
            (spot[0], spot[1]),
            sky,
            speed_mps=going.speed_mps if 0 < part < 1 else 0.5,
            received_ns=round(seen_s * 1e9),
        )
        yield at_s, reach.where(fix, round(at_s * 1e9), EPH_FACTOR)


def _takes_photo(manifest: Manifest, circle: reach.Circle | None, door: Door) -> bool:
    allowed = door.stop.photo is PhotoRule.ALLOWED
    return allowed and isinstance(policy.decide(manifest, circle, None), Allowed)


def _with_done(manifest: Manifest, turn: int) -> Manifest:
    stops = list(manifest.stops)
    stops[turn] = replace(stops[turn], done=True)
    return replace(manifest, stops=tuple(stops))
