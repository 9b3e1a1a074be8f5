"""How long the camera streams on a round: the product's own rule, asked all the way."""

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from agent.capture.camera_gate import STREAM_S
from agent.rule import policy, reach
from agent.rule.manifest import Manifest, PhotoRule
from agent.rule.policy import Allowed
from tests.bench.policy import walk
from tests.bench.policy.area import STOPS, Area, Spot
from tests.bench.policy.rules import EPH_FACTOR
from tests.bench.policy.walk import WALK_MPS, Door

LAST: Final = "at the last door"
NEXT: Final = "at the next"

EVERY_S: Final = 3.0
"""How often the rule is asked here; on a device, once a second."""

DRIVES_ABOVE_M: Final = 100.0
"""A way that is longer is driven: who parks nearer walks. Made up."""

DRIVE_MPS: Final = 8.0
"""30 km/h. Made up."""

DOOR_S: Final = 30.0
"""From the arrival at a door to the press, of who waits elsewhere. Made up."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """Hours of one area, the mean of its rounds.

    Attributes:
        waits: where the time between two doors is spent: "at the last door" or "at the next".
        round_h: from the first press to the last.
        all_h: the camera streamed.
        lingering_h: of these, only since a press had been served in the minute before.
    """

    area: str
    waits: str
    round_h: float
    all_h: float
    lingering_h: float


def rows(areas: Iterable[Area], rounds: int, seed: int) -> list[Streaming]:
    """Walk `rounds` rounds in each area, twice: what really happens lies between the two."""
    return [_area(area, rounds, seed, waits) for area in areas for waits in (LAST, NEXT)]


def _area(area: Area, rounds: int, seed: int, waits: str) -> Streaming:
    all_s = lingering_s = 0.0
    for one in walk.rounds([area], rounds, seed, "/streaming"):
        for streams, would_anyway in _round(area, one.doors, one.rng, waits):
            all_s += EVERY_S * streams
            lingering_s += EVERY_S * (streams and not would_anyway)
    hours = 3600.0 * rounds
    round_h = area.pace_s * STOPS / 3600
    return Streaming(area.name, waits, round_h, all_s / hours, lingering_s / hours)


def _round(
    area: Area, doors: list[Door], rng: random.Random, waits: str
) -> Iterator[tuple[bool, bool]]:
    """Yield whether it streams, and whether it would without the minute after a press."""
    manifest = walk.manifest(doors)
    served_s, before = -math.inf, doors[0].spot
    for turn, door in enumerate(doors):
        begins_s = turn * area.pace_s
        for at_s, circle in _way(area, before, door.spot, rng, waits):
            keep_warm = begins_s + at_s - served_s <= STREAM_S
            yield (
                policy.may_stream(manifest, circle, None, keep_warm=keep_warm),
                policy.may_stream(manifest, circle, None, keep_warm=False),
            )
        if _takes_photo(manifest, circle, door):
            served_s = begins_s + area.pace_s
            manifest = _with_done(manifest, turn)
        before = door.spot


def _way(
    area: Area, begin: Spot, end: Spot, rng: random.Random, waits: str
) -> Iterator[tuple[float, reach.Circle | None]]:
    """Each moment until the press, and where we could be."""
    length_m = math.dist(begin, end)
    speed_mps = DRIVE_MPS if length_m > DRIVES_ABOVE_M else WALK_MPS
    spare_s = max(0.0, area.pace_s - DOOR_S - length_m / speed_mps)
    leaves_s = spare_s if waits == LAST else 0.0
    sky = area.sky(rng)
    error = sky.error.draw(rng)
    lost_s = area.pace_s - area.age_s(rng)
    for step in range(round(area.pace_s / EVERY_S)):
        at_s = step * EVERY_S
        seen_s = min(at_s, max(lost_s, 0.0))
        gone_m = max(0.0, seen_s - leaves_s) * speed_mps
        part = min(1.0, gone_m / length_m) if length_m else 1.0
        spot = tuple(b + part * (e - b) + off for b, e, off in zip(begin, end, error, strict=True))
        fix = walk.fix_at(
            (spot[0], spot[1]),
            sky,
            speed_mps=speed_mps if 0 < part < 1 else 0.5,
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
