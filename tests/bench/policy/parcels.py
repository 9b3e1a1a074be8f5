"""A round parcel by parcel: labels read before the press, second parcels, retakes, hand-overs.

Shares and times are made up.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.rule.manifest import PhotoRule
from tests.bench.policy import walk
from tests.bench.policy.area import Area, Spot, step
from tests.bench.policy.rules import READABLE
from tests.bench.policy.walk import WALK_MPS, Door, Press

SCANNED: Final = 0.5
"""Share of parcels whose label is read before the press."""

HANDED_OVER: Final = 1 / 20
"""Share of parcels that are handed over in person after their label was read."""

SECOND: Final = 0.15
"""Share of doors with a second parcel, which gets a press of its own."""

AT_VAN: Final = 0.25
"""Share of labels that are read at the van, not at the door."""

AT_VAN_S: Final = (8.0, 300.0)
"""Time before the press when a label is read at the van."""

AT_DOOR_S: Final = (2.0, 8.0)
"""Time before the press when a label is read at the door."""

VAN_M: Final = 100.0
"""Largest distance of the van from the door."""

NEXT_DOOR_M: Final = 50.0
NEXT_DOOR_S: Final = (15.0, 60.0)
"""Doors within 50 m, as in one building or among terraced houses, are 15 to 60 s apart."""

SECOND_S: Final = (10.0, 30.0)
"""From one parcel's press to that of the next one at the same door."""

BLURRED: Final = 0.05
"""Share of photos that are asked for again."""

RETAKEN: Final = 0.75
"""Share of these that the driver takes again; after the others he goes on to the next door."""

RETAKE_S: Final = (3.0, 16.0)
"""From a press to the retake of its photo."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel at its door.

    Attributes:
        read: when its label was read, with the fix of that moment; None if it was not.
        press: None if the parcel was handed over in person.
        retake: the second try if its photo is blurred; None if the driver goes on.
        is_blurred: whether its photo is asked for again.
        is_second: whether it is the second one at its door.
        is_readable: whether its label is read when it is held up after a refusal.
    """

    door: Door
    read: Press | None
    press: Press | None
    retake: Press | None
    is_blurred: bool
    is_second: bool
    is_readable: bool


def parcels(area: Area, doors: list[Door], rng: random.Random) -> Iterator[Parcel]:
    """Walk to all doors; at one to be signed for parcels are handed over, and few labels read."""
    now_s, spot = 0.0, None
    for door in doors:
        for number in range(1 + (rng.random() < SECOND)):
            gap_s = rng.uniform(*SECOND_S) if number else _gap_s(area, spot, door, rng)
            spot = door.spot
            is_handed = rng.random() < HANDED_OVER
            if not is_handed and door.stop.photo is PhotoRule.SIGNATURE_REQUIRED:
                now_s += gap_s
                continue
            before_s = _before_s(rng) if is_handed or rng.random() < SCANNED else None
            now_s += max(gap_s, 5.0 + (before_s or 0.0))  # nobody reads it before the last press
            read = None
            if before_s is not None and rng.random() < READABLE:
                read = _read(area, door, now_s, before_s, rng)
            is_blurred, is_retaken = rng.random() < BLURRED, rng.random() < RETAKEN
            press = None if is_handed else _press(area, door, door.spot, now_s, rng)
            retake = None
            if press is not None and is_blurred and is_retaken:
                now_s += rng.uniform(*RETAKE_S)
                retake = _press(area, door, door.spot, now_s, rng)
            is_readable = rng.random() < READABLE
            yield Parcel(door, read, press, retake, is_blurred, number > 0, is_readable)


def _gap_s(area: Area, last: Spot | None, door: Door, rng: random.Random) -> float:
    is_next_door = last is not None and math.dist(last, door.spot) <= NEXT_DOOR_M
    return rng.uniform(*NEXT_DOOR_S) if is_next_door else area.pace_s


def _before_s(rng: random.Random) -> float:
    return rng.uniform(*(AT_VAN_S if rng.random() < AT_VAN else AT_DOOR_S))


def _read(area: Area, door: Door, now_s: float, before_s: float, rng: random.Random) -> Press:
    van_m = rng.uniform(0, min(VAN_M, WALK_MPS * before_s)) if before_s > AT_DOOR_S[1] else 0.0
    spot = walk.plus(door.spot, step(rng, van_m))
    return _press(area, door, spot, now_s - before_s, rng)


def _press(area: Area, door: Door, spot: Spot, at_s: float, rng: random.Random) -> Press:
    now_ns = round(at_s * 1e9)
    return Press(door, walk.seen_fix(area, spot, now_ns, rng), now_ns)
