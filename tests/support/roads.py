"""Routes, fixes and manifests for tests, and geometry of its own to judge the product's by."""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from agent.record import signing
from agent.rule.manifest import TYPE, Manifest, PhotoRule, RouteStop
from hardware.position import Fix
from tests.support.factory import signed_by_hand

EARTH_M: Final = 6_371_008.8
"""Mean radius. Source: IUGG. A sphere of it errs by up to 0.56 % against the ellipsoid."""

SPHERE_ERROR: Final = 0.006

NOW_NS: Final = 1_000_000_000_000

BEGINS: Final = datetime(2026, 12, 1, 6, tzinfo=UTC)
ENDS: Final = datetime(2026, 12, 1, 18, tzinfo=UTC)

KEY: Final = signing.new_key()
KEYS: Final = {signing.thumbprint(KEY.public_key()): KEY.public_key()}


def fix_at(
    lat_deg: float,
    lon_deg: float,
    *,
    eph_m: float | None = 8.0,
    age_s: float = 0.0,
    speed_mps: float | None = 0.0,
) -> Fix:
    return Fix(
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        alt_m=None,
        eph_m=eph_m,
        hdop=1.1,
        satellites=9,
        mode=3,
        speed_mps=speed_mps,
        utc=None,
        received_ns=NOW_NS - round(age_s * 1e9),
    )


STOP: Final = RouteStop("s-0001", ("C1",), 52.52, 13.4, 20.0, done=False, photo=PhotoRule.ALLOWED)


def stop_at(
    place: tuple[float, float], number: int = 1, photo: PhotoRule = PhotoRule.ALLOWED
) -> RouteStop:
    """Make a stop `s-000N` with the code `CN` and a radius of 20 m."""
    named = replace(STOP, id=f"s-{number:04}", codes=(f"C{number}",), photo=photo)
    return replace(named, lat_deg=place[0], lon_deg=place[1])


def manifest_of(*stops: RouteStop, practice: Iterable[str] = ()) -> Manifest:
    return Manifest(7, "dev-1", BEGINS, ENDS, stops, frozenset(practice))


def payload_of(*stops: RouteStop) -> dict[str, Any]:
    """Return the payload that a backend signs."""
    listed = [
        {
            "id": stop.id,
            "codes": list(stop.codes),
            "lat_deg": stop.lat_deg,
            "lon_deg": stop.lon_deg,
            "radius_m": stop.radius_m,
            "done": stop.done,
            "photo": stop.photo.value,
        }
        for stop in stops
    ]
    return {
        "v": 1,
        "version": 7,
        "device_id": "dev-1",
        "begins": "2026-12-01T06:00:00Z",
        "ends": "2026-12-01T18:00:00.000Z",
        "stops": listed,
        "practice_codes": ["PRACTICE-1"],
    }


def signed(payload: object, typ: object = TYPE, key: signing.PrivateKey = KEY) -> str:
    header = {"alg": "ES256", "kid": signing.thumbprint(key.public_key()), "typ": typ}
    return signed_by_hand(header, json.dumps(payload).encode(), key)


def away(place: tuple[float, float], bearing_deg: float, metres: float) -> tuple[float, float]:
    """Return the place `metres` from `place`, by turning its unit vector on a sphere."""
    lat, lon = map(math.radians, place)
    up = (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))
    north = (-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat))
    east = (-math.sin(lon), math.cos(lon), 0.0)
    bearing, turn = math.radians(bearing_deg), metres / EARTH_M
    x, y, z = (
        u * math.cos(turn) + (n * math.cos(bearing) + e * math.sin(bearing)) * math.sin(turn)
        for u, n, e in zip(up, north, east, strict=True)
    )
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


def apart_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Calculate a great-circle distance by haversines. Source: Sinnott, Sky and Telescope 68."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))


def places() -> st.SearchStrategy[tuple[float, float]]:
    """Draw any place, with a preference for poles, the date line and Greenwich."""
    lat = st.floats(-90, 90) | st.sampled_from([-90.0, 90.0, 89.9999, 0.001])
    lon = st.floats(-180, 180) | st.sampled_from([-180.0, 180.0, 179.9999, -179.9999, 0.0])
    return st.tuples(lat, lon)


def offsets(most_m: float) -> st.SearchStrategy[tuple[float, float]]:
    """Draw a bearing and a distance."""
    return st.tuples(st.floats(0, 360), st.floats(0, most_m))
