"""The route as the backend signed it: which stops there are today, and where a photo may be taken.

It has no names, no addresses, and no reason why a stop takes no photo.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from agent.errors import NotGenuine
from agent.models import CODE, from_rfc3339
from agent.record import signing
from hardware.clock import ClockSource, Moment

TYPE: Final = "doorstep-manifest"
"""`typ` in the header of the JWS: a receipt is signed by the same keys and is no manifest.

Source: RFC 8725 section 3.11.
"""

TOKEN_LIMIT_CHARS: Final = 4_194_304
"""Longest JWS that is looked at: the most stops, of 600 bytes each, are 4 MB in base64."""

STOPS_LIMIT: Final = 5_000
"""Most stops of one manifest: a driver's day has some 150, and a whole depot's still fits."""

CODES_LIMIT: Final = 200
"""Most codes of one stop, and most practice codes: more parcels than a van has for one door."""

VALIDITY_LIMIT: Final = timedelta(hours=24)
"""Longest validity: it ends with the driver's day, so that a thief gets the doors of one day."""

VERSION_LIMIT: Final = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly. Source: RFC 8259 section 6."""

STOP_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Pattern of a stop's id: nothing in it needs quoting in a record, a file name or a page."""


class PhotoRule(StrEnum):
    """The rule of a stop, which permits or forbids photos."""

    ALLOWED = "allowed"
    SIGNATURE_REQUIRED = "signature_required"
    NO_PHOTO = "no_photo"


@dataclass(frozen=True, slots=True)
class RouteStop:
    """A stop of the route.

    Attributes:
        id: the backend's; letters, digits, `.`, `_`, `-`, at most 64.
        codes: the tracking codes of its parcels, printable ASCII.
        lat_deg: WGS 84 latitude, -90 to 90.
        lon_deg: WGS 84 longitude, -180 to 180.
        radius_m: greatest distance of its door from that place, 1 to 1,000.
        done: True if its parcels are delivered, as far as the backend knew.
        photo: the rule for photos at this stop.
    """

    id: str
    codes: tuple[str, ...]
    lat_deg: float
    lon_deg: float
    radius_m: float
    done: bool
    photo: PhotoRule


@dataclass(frozen=True, slots=True)
class Manifest:
    """The route of a device, valid from `begins` until just before `ends` (both UTC).

    Attributes:
        version: rises with every change for this device.
        device_id: the device that the route is for.
        practice_codes: labels for practice; a record made with one is a `test`.
    """

    version: int
    device_id: str
    begins: datetime
    ends: datetime
    stops: tuple[RouteStop, ...]
    practice_codes: frozenset[str] = frozenset()


def read(token: str, keys: Mapping[str, signing.PublicKey], device_id: str) -> Manifest:
    """Verify a manifest: signed by one of `keys` (by thumbprint), for this device, and in bounds.

    Unknown fields are passed over; anything else that is not as it should be refuses the whole,
    since a stop left out could be one that takes no photo.

    Raises:
        NotGenuine: says what is wrong, and quotes no id, no code and no place.
    """
    if len(token) > TOKEN_LIMIT_CHARS:
        raise NotGenuine(f"too long for a manifest: over {TOKEN_LIMIT_CHARS} characters")
    payload = signing.verify(token, keys, typ=TYPE)
    if payload.get("device_id") != device_id:
        raise NotGenuine("signed, but the manifest of another device")
    if type(payload.get("v")) is not int or payload["v"] != 1:
        raise NotGenuine("signed, but a manifest of another format than this agent reads (v 1)")
    return _manifest(payload, device_id)


def supersedes(manifest: Manifest, version: int | None) -> bool:
    """Return True if the manifest is newer than `version`, the last one that this device had.

    The same version is the same manifest. Keep the number when the manifest is wiped: otherwise
    an older one of the same day could be played back.
    """
    return version is None or manifest.version > version


def is_valid(manifest: Manifest, moment: Moment, floor: datetime) -> bool:
    """Return True if it is valid at `moment`; the time `floor` replaces an unsynchronised clock."""
    return manifest.begins <= _reckoned(moment, floor) < manifest.ends


def has_ended(manifest: Manifest, moment: Moment, floor: datetime) -> bool:
    """Return True if it has certainly ended, and must be wiped."""
    return _reckoned(moment, floor) >= manifest.ends


def _reckoned(moment: Moment, floor: datetime) -> datetime:
    """Return the time to judge by: the floor if the clock is unsynced; never before the floor."""
    return floor if moment.source is ClockSource.UNSYNCED else max(moment.utc, floor)


def _manifest(payload: Mapping[str, Any], device_id: str) -> Manifest:
    begins, ends = _utc(payload, "begins"), _utc(payload, "ends")
    if not timedelta(0) < ends - begins <= VALIDITY_LIMIT:  # a sum could pass the year 9999
        raise _wrong("ends", "not after begins, or more than 24 hours after it")
    listed = _list(payload, "stops", STOPS_LIMIT, "")
    stops = tuple(_stop(stop, f"stops[{index}]") for index, stop in enumerate(listed))
    if len({stop.id for stop in stops}) != len(stops):
        raise _wrong("stops", "two have the same id")
    return Manifest(
        version=_version(payload),
        device_id=device_id,
        begins=begins,
        ends=ends,
        stops=stops,
        practice_codes=frozenset(_codes(payload, "practice_codes", "")),
    )


def _stop(stop: Any, where: str) -> RouteStop:
    if not isinstance(stop, dict):
        raise _wrong(where, "not an object")
    done = stop.get("done")
    if not isinstance(done, bool):
        raise _wrong(f"{where}.done", "neither true nor false")
    lat_deg = _number(stop, "lat_deg", (-90, 90), where)
    lon_deg = _number(stop, "lon_deg", (-180, 180), where)
    if lat_deg == 0 and lon_deg == 0:
        raise _wrong(where, "at 0, 0, where a place goes that nobody knows")
    return RouteStop(
        id=_text(stop.get("id"), STOP_ID, f"{where}.id", "1 to 64 letters, digits, . _ -"),
        codes=_codes(stop, "codes", f"{where}."),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        radius_m=_number(stop, "radius_m", (1, 1_000), where),
        done=done,
        photo=_photo(stop, where),
    )


def _photo(stop: Mapping[str, Any], where: str) -> PhotoRule:
    for rule in PhotoRule:
        if stop.get("photo") == rule:
            return rule
    raise _wrong(f"{where}.photo", f"not one of {', '.join(PhotoRule)}")


def _codes(members: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    what = "1 to 128 printable ASCII characters"
    codes = _list(members, name, CODES_LIMIT, where)
    return tuple(_text(code, CODE, f"{where}{name}", what) for code in codes)


def _list(members: Mapping[str, Any], name: str, limit: int, where: str) -> list[Any]:
    found = members.get(name)
    if not isinstance(found, list) or len(found) > limit:
        raise _wrong(f"{where}{name}", f"not a list of at most {limit:,}")
    return found


def _number(stop: Mapping[str, Any], name: str, allowed: tuple[float, float], where: str) -> float:
    found: Any = stop.get(name)
    low, high = allowed
    if type(found) not in {int, float} or not low <= found <= high:  # True is an int too
        raise _wrong(f"{where}.{name}", f"not a number from {low:,} to {high:,}")
    return float(found)


def _version(payload: Mapping[str, Any]) -> int:
    found = payload.get("version")
    if type(found) is not int or not 1 <= found <= VERSION_LIMIT:
        raise _wrong("version", f"not a whole number from 1 to {VERSION_LIMIT}")
    return found


def _utc(payload: Mapping[str, Any], name: str) -> datetime:
    try:
        return from_rfc3339(payload.get(name))
    except ValueError:
        raise _wrong(name, "not a time in UTC, as 2026-12-01T06:00:00Z") from None


def _text(found: Any, pattern: re.Pattern[str], where: str, what: str) -> str:
    if not isinstance(found, str) or not pattern.fullmatch(found):
        raise _wrong(where, f"not {what}")
    return found


def _wrong(where: str, what: str) -> NotGenuine:
    return NotGenuine(f"signed, but the manifest is malformed: {where}: {what}")
