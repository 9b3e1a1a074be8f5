"""The answers of the rule to the camera all along simulated rounds, whatever the camera does."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from agent.rule import policy, reach
from agent.rule.manifest import Manifest, PhotoRule
from agent.rule.policy import Allowed
from tests.bench.policy import walk
from tests.bench.policy.area import Area, Spot
from tests.bench.policy.rules import EPH_FACTOR
from tests.bench.policy.walk import WALK_MPS, Door

LAST: Final = "at the last door"
NEXT: Final = "at the next"

EVERY_S: Final = 3.0
"""Time between questions to the rule here, about; on a device, a second."""

DRIVES_ABOVE_M: Final = 100.0
"""The driver drives a longer way, and walks a shorter one. Made up."""

DRIVE_MPS: Final = 8.0
"""30 km/h. Made up."""

DOOR_S: Final = 30.0
"""From the arrival at a door to the press, if the driver waited elsewhere. Made up."""


Span = tuple[float, float]
"""From one second of a round to another."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The answer of the rule from one second of a round to another.

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
    """The events of a round, whatever the camera does.

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


@cache
def walked(area: Area, rounds: int, seed: int, waits: str) -> tuple[Walked, ...]:
    """Walk the rounds, and ask the rule all the way."""
    plain = walk.rounds([area], rounds, seed, "/streaming")
    return tuple(_round(area, one.doors, one.rng, waits) for one in plain)


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
