"""A driver's round: the manifest with its map errors, and a press at every door with its fix."""

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.rule.manifest import Manifest, PhotoRule, RouteStop
from hardware.position import Fix
from tests.bench.policy.area import (
    EPH_PER_HDOP_M,
    INTERPOLATED,
    NO_PHOTO_SHARE,
    ROOFTOP,
    SIGNATURE_SHARE,
    Area,
    Spot,
    step,
)

DEPOT: Final = (52.52, 13.40)

M_PER_DEG: Final = (111_270.0, 67_920.0)
"""Metres per degree of latitude and longitude at the depot. Source: WGS 84 at 52.5 degrees."""

WALK_MPS: Final = 1.2

BEGINS: Final = datetime(2026, 12, 1, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Door:
    """A stop as the manifest has it, and where it really is."""

    stop: RouteStop
    spot: Spot


@dataclass(frozen=True, slots=True)
class Press:
    """A press at a door; its fix is as the receiver gave it, `now_ns` the press itself."""

    door: Door
    fix: Fix
    now_ns: int


@dataclass(frozen=True, slots=True)
class Round:
    """A day's doors in one area, and the random numbers that follow."""

    area: Area
    number: int
    doors: list[Door]
    rng: random.Random


def rounds(areas: Iterable[Area], number: int, seed: int, purpose: str = "") -> Iterator[Round]:
    """Yield so many rounds in each area; those of one purpose are the same for the same seed."""
    for area in areas:
        for one in range(number):
            rng = random.Random(f"{seed}/{area.name}/{one}{purpose}")
            yield Round(area, one, doors(area, rng), rng)


def doors(area: Area, rng: random.Random) -> list[Door]:
    """A day's doors; those of one building share its mapped point."""
    mapped: dict[Spot, Spot] = {}
    found = []
    for number, building in enumerate(area.doors(rng)):
        error = INTERPOLATED if rng.random() < area.interpolated else ROOFTOP
        point = mapped.setdefault(building, plus(building, error.draw(rng)))
        lat_deg, lon_deg = _degrees(point)
        stop = RouteStop(
            id=f"s-{number:04}",
            codes=(f"CODE-{number:04}",),
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            radius_m=area.radius_m,
            done=False,
            photo=_rule(rng),
        )
        inside = step(rng, area.depth_m * math.sqrt(rng.random()))
        found.append(Door(stop, plus(building, inside)))
    return found


def manifest(all_doors: list[Door]) -> Manifest:
    """The route over these doors."""
    stops = tuple(door.stop for door in all_doors)
    return Manifest(1, "dev-1", BEGINS, BEGINS + timedelta(hours=12), stops)


def presses(area: Area, all_doors: list[Door], rng: random.Random, visits: int) -> Iterator[Press]:
    """A press at each door that allows photos, `visits` at each `no_photo` door.

    At doors where somebody signs, nobody presses.
    """
    for turn, door in enumerate(all_doors, start=1):
        now_ns = round(turn * area.pace_s * 1e9)
        forbidden = door.stop.photo is PhotoRule.NO_PHOTO
        if door.stop.photo is not PhotoRule.SIGNATURE_REQUIRED:
            for _ in range(visits if forbidden else 1):
                yield Press(door, seen_fix(area, door.spot, now_ns, rng), now_ns)


def seen_fix(area: Area, spot: Spot, now_ns: int, rng: random.Random) -> Fix:
    """Draw the last fix of a receiver at this place; it may be old."""
    age_s, sky = area.age_s(rng), area.sky(rng)
    walked = step(rng, rng.uniform(0, WALK_MPS * age_s))
    place = plus(plus(spot, walked), sky.error.draw(rng))
    lat_deg, lon_deg = _degrees(place)
    return Fix(
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        alt_m=None,
        eph_m=EPH_PER_HDOP_M * sky.hdop,
        hdop=sky.hdop,
        satellites=9,
        mode=3,
        speed_mps=0.5,
        utc=None,
        received_ns=now_ns - round(age_s * 1e9),
    )


def _rule(rng: random.Random) -> PhotoRule:
    drawn = rng.random()
    if drawn < NO_PHOTO_SHARE:
        return PhotoRule.NO_PHOTO
    is_signed = drawn < NO_PHOTO_SHARE + SIGNATURE_SHARE
    return PhotoRule.SIGNATURE_REQUIRED if is_signed else PhotoRule.ALLOWED


def plus(one: Spot, other: Spot) -> Spot:
    """Add two ways."""
    return one[0] + other[0], one[1] + other[1]


def _degrees(spot: Spot) -> tuple[float, float]:
    east_m, north_m = spot
    return DEPOT[0] + north_m / M_PER_DEG[0], DEPOT[1] + east_m / M_PER_DEG[1]
