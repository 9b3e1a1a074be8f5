"""Where rounds are walked: doors, how the map errs about them, and how the receiver does.

Measured are the receiver's errors and those of addresses; layouts and shares are made up.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Spot = tuple[float, float]
"""Metres east and north of the depot."""


@dataclass(frozen=True, slots=True)
class Spread:
    """An error in a random direction: half are below `median_m`, 95 % below `p95_m` (Weibull)."""

    median_m: float
    p95_m: float

    def draw(self, rng: random.Random) -> Spot:
        ratio = math.log(20) / math.log(2)
        shape = math.log(ratio) / math.log(self.p95_m / self.median_m)
        scale_m = self.median_m / math.log(2) ** (1 / shape)
        return step(rng, rng.weibullvariate(scale_m, shape))


@dataclass(frozen=True, slots=True)
class Sky:
    """Errors of a receiver, and the HDOP it says meanwhile."""

    error: Spread
    hdop: float


OPEN: Final = Sky(Spread(2.35, 5.23), 1.08)
"""On a roof. Source: PMC2613379, table 2, mean of four receivers."""

WALL: Final = Sky(Spread(14.04, 43.46), 1.49)
"""Beside a wall in an urban canyon. Source: PMC2613379, table 2, mean of four receivers."""

EPH_PER_HDOP_M: Final = 19.0
"""The result of gpsd for an NMEA receiver's HDOP. Source: gpsfake, 20.9 m at HDOP 1.1."""

ROOFTOP: Final = Spread(5.0, 10.4)
"""Addresses known by building: about 5 m. Source: accuracy levels that geocoders publish."""

INTERPOLATED: Final = Spread(31.0, 64.5)
"""Addresses placed along their street: 31 m. Source: Ratcliffe, 20,000 addresses in Sydney."""

SIGNATURE_SHARE: Final = 0.10
NO_PHOTO_SHARE: Final = 0.03
STOPS: Final = 150
"""Stops of one route; the shares are made up."""


@dataclass(frozen=True, slots=True)
class Age:
    """A share of presses, and how old the last fix is then, from and to seconds."""

    share: float
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Area:
    """A kind of delivery area; shares are made up.

    Attributes:
        doors: makes a day's doors, in the order they are walked; equal ones share a building.
        beside_wall: share of presses with the sky of a wall.
        interpolated: share of addresses that the map has only along their street.
        ages: how long ago the receiver had a fix, as porches and staircases take it away.
        depth_m: how far into its building a door may lie from the mapped point.
        radius_m: what the backend gives a stop.
        pace_s: from press to press.
    """

    name: str
    doors: Callable[[random.Random], list[Spot]]
    beside_wall: float
    interpolated: float
    ages: Sequence[Age]
    depth_m: float
    radius_m: float
    pace_s: float

    def sky(self, rng: random.Random) -> Sky:
        """Draw the sky of a press."""
        return WALL if rng.random() < self.beside_wall else OPEN

    def age_s(self, rng: random.Random) -> float:
        """Draw how old the last fix is at a press."""
        age = rng.choices(self.ages, [age.share for age in self.ages])[0]
        return rng.uniform(age.from_s, age.to_s)


def step(rng: random.Random, metres: float) -> Spot:
    """Return a spot at that distance, in any direction."""
    turn = rng.uniform(0, math.tau)
    return metres * math.cos(turn), metres * math.sin(turn)


def _street_doors(
    rng: random.Random, apart_m: float, streets: int, entrances: int, stops_per_entrance: float
) -> list[Spot]:
    """Streets 70 m apart, entrances on both sides 20 m across, walked to and fro."""
    every = [
        (apart_m * along, 70.0 * street + 20.0 * side)
        for street in range(streets)
        for side in (0, 1)
        for along in (range(entrances) if side == 0 else reversed(range(entrances)))
    ]
    visited = sorted(rng.sample(range(len(every)), round(STOPS / stops_per_entrance)))
    extra = rng.choices(visited, k=STOPS - len(visited))
    return [every[index] for index in sorted([*visited, *extra])]


def _towers(rng: random.Random) -> list[Spot]:
    """Sixteen towers, 80 m apart: one household in ten, of a hundred in each."""
    every = [(80.0 * (number % 4), 80.0 * (number // 4)) for number in range(16)]
    return sorted(rng.choices(every, k=STOPS))


SUBURB: Final = Area(
    name="suburb",
    doors=lambda rng: _street_doors(rng, 20.0, 30, 30, 1.0),  # one house in twelve
    beside_wall=0.1,
    interpolated=0.05,
    ages=(Age(0.95, 0, 1), Age(0.05, 1, 30)),
    depth_m=5,
    radius_m=15,
    pace_s=150,
)
CITY: Final = Area(
    name="city",
    doors=lambda rng: _street_doors(rng, 15.0, 6, 25, 2.0),  # one flat in twenty
    beside_wall=0.6,
    interpolated=0.05,
    ages=(Age(0.8, 0, 1), Age(0.17, 1, 90), Age(0.03, 180, 600)),
    depth_m=8,
    radius_m=15,
    pace_s=120,
)
TOWERS: Final = Area(
    name="towers",
    doors=_towers,
    beside_wall=1.0,
    interpolated=0.0,
    ages=(Age(0.45, 0, 1), Age(0.4, 1, 180), Age(0.15, 180, 900)),
    depth_m=15,
    radius_m=25,
    pace_s=90,
)
TERRACES: Final = Area(
    name="terraces",
    doors=lambda rng: _street_doors(rng, 6.0, 6, 50, 1.0),  # one house in four
    beside_wall=0.3,
    interpolated=0.05,
    ages=(Age(0.9, 0, 1), Age(0.1, 1, 60)),
    depth_m=3,
    radius_m=15,
    pace_s=40,
)
AREAS: Final = (SUBURB, CITY, TOWERS, TERRACES)
