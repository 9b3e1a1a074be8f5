"""The possible place of the device, and the stops in reach: pure geometry over a stored list."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol

from agent.models import Reason
from agent.rule.manifest import Manifest, RouteStop
from hardware.position import Fix

LEAST_ACCURACY_M: Final = 15.0
"""No fix is taken for better than this: between houses a receiver errs by more than it says.

Source: PMC2613379: 14 m (median) beside a wall, at an HDOP as good as 1.5.
"""

UNKNOWN_ACCURACY_M: Final = 50.0
"""Accuracy of a fix without an error estimate: above the 43 m (95 %) measured beside a wall.

Source: PMC2613379.
"""

WALKING_MPS: Final = 1.2
"""Growth of the circle around an old fix: walking speed. Source: MUTCD 2003, section 4E.10."""

DRIVING_MPS: Final = 15.0
"""Growth if the device moved fast, or may have: 54 km/h, as in a town."""

DRIVING_ABOVE_MPS: Final = 3.0
"""The speed above which it was a vehicle's: 11 km/h, faster than a walk with a parcel."""

OLDEST_S: Final = 180.0
"""A fix older than this says nothing about where we are: a walk of 216 m, two blocks away."""

VOUCHES_M: Final = 150.0
"""A circle of more than this radius does not say that a stop is near: it holds whole streets.

A good fix grows to it in 110 s at a walk, and in 9 s of driving.
"""

_A_M: Final = 6_378_137.0
"""WGS 84 semi-major axis. Source: NGA.STND.0036."""

_E2: Final = (2 - 1 / 298.257223563) / 298.257223563
"""Square of the first eccentricity of WGS 84, from its flattening. Source: NGA.STND.0036."""

_LEAST_M_PER_DEG: Final = 100_000.0
"""A degree of latitude is never shorter: 110,574 m at the equator, and a tenth less as the chord
of 9,900 km. Source: WGS 84."""


class Place(Protocol):
    """A point on the ellipsoid, WGS 84."""

    @property
    def lat_deg(self) -> float:
        """-90 to 90."""

    @property
    def lon_deg(self) -> float:
        """-180 to 180."""


class Ring(StrEnum):
    """The place of a circle, seen from a stop.

    INSIDE: the centre is within the stop's radius. NEAR: it is outside, but the circle meets that
    radius. OUTSIDE: the circle does not meet it; only a code binds such a stop.
    """

    INSIDE = "inside"
    NEAR = "near"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Circle:
    """The possible place of the device: anywhere within `radius_m` of the last fix."""

    lat_deg: float
    lon_deg: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Near:
    """A stop, and how far it is from the middle of the circle."""

    stop: RouteStop
    distance_m: float


def where(fix: Fix | None, now_ns: int, eph_factor: float) -> Circle | None:
    """Return the circle around the device at `now_ns` (CLOCK_MONOTONIC); None if unknown.

    `eph_factor` makes the receiver's error estimate a 95 % one: gpsd documents `eph` as of
    unknown certainty, and what it means depends on the receiver. A fix of unknown speed counts
    as driving, one that came after `now_ns` as being as old as it is early.
    """
    if fix is None or not _is_on_globe(fix):
        return None
    age_s = abs(now_ns - fix.received_ns) / 1e9
    accuracy_m = UNKNOWN_ACCURACY_M if fix.eph_m is None else fix.eph_m * eph_factor
    if age_s > OLDEST_S or not 0 <= accuracy_m < math.inf:
        return None
    walks = fix.speed_mps is not None and fix.speed_mps <= DRIVING_ABOVE_MPS
    grown_m = age_s * (WALKING_MPS if walks else DRIVING_MPS)
    return Circle(fix.lat_deg, fix.lon_deg, max(accuracy_m, LEAST_ACCURACY_M) + grown_m)


def distance_m(one: Place, other: Place) -> float:
    """Return metres between two places on the WGS 84 ellipsoid, as the chord through it.

    Right at the poles and across the date line. The chord is shorter than the way over ground
    by d^3 / 24 R^2, 1 mm at 10 km, so a circle rather meets a stop than not; heights are left
    out, 0.05 % at 3,000 m. Source: geodetic to Earth-centred coordinates, NGA.STND.0036.
    """
    return math.dist(_earth_centred(one), _earth_centred(other))


def least_apart_m(one: Circle, other: Circle) -> float:
    """Return how far apart two places are at least, in metres; negative if the circles meet."""
    return distance_m(one, other) - one.radius_m - other.radius_m


def ring(distance_m: float, stop: RouteStop, circle: Circle) -> Ring:
    """Return the place of `circle`, seen from `stop`, with its centre `distance_m` away."""
    if distance_m <= stop.radius_m:
        return Ring.INSIDE
    return Ring.NEAR if distance_m <= stop.radius_m + circle.radius_m else Ring.OUTSIDE


def in_reach(stops: Iterable[RouteStop], circle: Circle) -> list[Near]:
    """Return the stops whose radius meets `circle` (touching is enough), the nearest first.

    Of stops at one place, as in one building, an open one comes before a done one.
    """
    middle = _earth_centred(circle)
    found = []
    for stop in stops:
        reach_m = circle.radius_m + stop.radius_m
        if abs(stop.lat_deg - circle.lat_deg) * _LEAST_M_PER_DEG > reach_m:
            continue
        apart_m = math.dist(middle, _earth_centred(stop))
        if apart_m <= reach_m:
            found.append(Near(stop, apart_m))
    return sorted(found, key=lambda near: (near.distance_m, near.stop.done))


def named(
    manifest: Manifest, code: str
) -> RouteStop | Literal[Reason.UNKNOWN_CODE, Reason.AMBIGUOUS_CODE]:
    """Return the one stop that `code` names, or the reason why it names none.

    A code of two stops is ambiguous, and so is one that is also for practice.
    """
    stops = [stop for stop in manifest.stops if code in stop.codes]
    if not stops:
        return Reason.UNKNOWN_CODE
    if len(stops) > 1 or code in manifest.practice_codes:
        return Reason.AMBIGUOUS_CODE
    return stops[0]


def is_practice(manifest: Manifest, code: str) -> bool:
    """Return True if `code` is for practice and for no parcel."""
    return code in manifest.practice_codes and named(manifest, code) is Reason.UNKNOWN_CODE


def _is_on_globe(place: Place) -> bool:
    """Return True if these are coordinates of the globe; False for a NaN."""
    return abs(place.lat_deg) <= 90 and abs(place.lon_deg) <= 180


def _earth_centred(place: Place) -> tuple[float, float, float]:
    lat, lon = math.radians(place.lat_deg), math.radians(place.lon_deg)
    sine = math.sin(lat)
    normal_m = _A_M / math.sqrt(1 - _E2 * sine * sine)
    from_axis_m = normal_m * math.cos(lat)
    return from_axis_m * math.cos(lon), from_axis_m * math.sin(lon), normal_m * (1 - _E2) * sine
