"""A reader of a JPEG's EXIF: only the tags that are compared.

A reader of its own: piexif (1.1.3) allocates what a hostile count asks for, gigabytes of it.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.record.segments import before_picture

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
"""Bytes of one value of a type. Source: TIFF 6.0, section 2."""

_EXIF_AT, _GPS_AT = 0x8769, 0x8825
_MODEL, _SOFTWARE, _MODIFIED = 0x0110, 0x0131, 0x0132
_EXPOSURE, _ISO, _TAKEN, _DIGITIZED = 0x829A, 0x8827, 0x9003, 0x9004
_OFFSETS: Final = {_MODIFIED: 0x9010, _TAKEN: 0x9011, _DIGITIZED: 0x9012}
_SUBSECONDS: Final = {_MODIFIED: 0x9290, _TAKEN: 0x9291, _DIGITIZED: 0x9292}
_WIDTH, _HEIGHT, _UNIQUE_ID, _SERIAL = 0xA002, 0xA003, 0xA420, 0xA431
_LAT_REF, _LAT, _LON_REF, _LON, _ALT_REF, _ALT, _GPS_TIME = 1, 2, 3, 4, 5, 6, 7
_SATELLITES, _STATUS, _MODE, _DOP, _DATUM, _METHOD = 8, 9, 10, 11, 18, 27
_GPS_DATE, _ACCURACY = 29, 31
"""Source: EXIF 2.32, sections 4.6.3 to 4.6.6."""

_COMPARED: Final = frozenset(
    {_EXIF_AT, _GPS_AT, _MODEL, _SOFTWARE, _EXPOSURE, _ISO, _WIDTH, _HEIGHT, _UNIQUE_ID, _SERIAL}
    | {*_OFFSETS, *_OFFSETS.values(), *_SUBSECONDS.values()}
    | {_LAT_REF, _LAT, _LON_REF, _LON, _ALT_REF, _ALT, _GPS_TIME, _SATELLITES, _STATUS, _MODE}
    | {_DOP, _DATUM, _METHOD, _GPS_DATE, _ACCURACY}
)
"""All tags that are read."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a frame header, which has the size of the picture. Source: ITU-T T.81, table B.1."""

_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)

_DATE: Final = re.compile(r"(\d{4}):(\d\d):(\d\d)", re.ASCII)

_Tags = Mapping[int, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Exif:
    """The values that are compared; None for missing ones.

    Attributes:
        taken: DateTimeOriginal with its fraction and offset; without an offset it is no instant.
        digitized: the same of DateTimeDigitized.
        modified: the same of DateTime.
        size_px: width and height.
        exposure_us: ExposureTime in microseconds.
        place_deg: latitude and longitude.
        alt_m: GPSAltitude; below sea level it is negative.
        accuracy_m: GPSHPositioningError.
        fix_utc: GPSDateStamp and GPSTimeStamp.
    """

    taken: datetime | None = None
    digitized: datetime | None = None
    modified: datetime | None = None
    unique_id: str | None = None
    serial: str | None = None
    software: str | None = None
    model: str | None = None
    size_px: tuple[int, int] | None = None
    exposure_us: float | None = None
    iso: int | None = None
    place_deg: tuple[float, float] | None = None
    alt_m: float | None = None
    accuracy_m: float | None = None
    hdop: float | None = None
    satellites: str | None = None
    mode: str | None = None
    status: str | None = None
    datum: str | None = None
    method: str | None = None
    fix_utc: datetime | None = None


def read(jpeg: bytes) -> Exif | None:
    """Read the EXIF of a JPEG; None without any.

    Raises:
        ValueError: it is garbled, or there is more than one.
    """
    found = [
        one[6:]
        for mark, one in before_picture(jpeg)
        if mark == 0xE1 and one.startswith(b"Exif\0\0")
    ]
    if len(found) > 1:
        raise ValueError("there are two of it")
    try:
        return _read(found[0]) if found else None
    except (struct.error, KeyError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError("it cannot be read") from error


def picture_px(jpeg: bytes) -> tuple[int, int] | None:
    """Read width and height of the picture itself; None unless there is exactly one frame header.

    Raises:
        ValueError: the JPEG is cut off.
    """
    frames = [one for mark, one in before_picture(jpeg) if mark in _FRAMES]
    if len(frames) != 1 or len(frames[0]) < 5:
        return None
    height_px, width_px = struct.unpack(">HH", frames[0][1:5])
    return width_px, height_px


def _read(tiff: bytes) -> Exif:
    order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
    image = _directory(tiff, order, *struct.unpack(f"{order}I", tiff[4:8]))
    pointers = {tag: _number(order, image[tag]) for tag in (_EXIF_AT, _GPS_AT) if tag in image}
    exif = _directory(tiff, order, pointers[_EXIF_AT]) if _EXIF_AT in pointers else {}
    gps = _directory(tiff, order, pointers[_GPS_AT]) if _GPS_AT in pointers else {}
    has_size, has_place = {_WIDTH, _HEIGHT} <= exif.keys(), {_LAT, _LON} <= gps.keys()
    exposure_s = _ratio(order, exif, _EXPOSURE)
    return Exif(
        taken=_instant(exif, exif, _TAKEN),
        digitized=_instant(exif, exif, _DIGITIZED),
        modified=_instant(image, exif, _MODIFIED),
        unique_id=_text(exif, _UNIQUE_ID),
        serial=_text(exif, _SERIAL),
        software=_text(image, _SOFTWARE),
        model=_text(image, _MODEL),
        size_px=(_number(order, exif[_WIDTH]), _number(order, exif[_HEIGHT])) if has_size else None,
        exposure_us=None if exposure_s is None else 1e6 * exposure_s,
        iso=_number(order, exif[_ISO]) if _ISO in exif else None,
        place_deg=(
            _angle(order, gps, _LAT, _LAT_REF, "NS"),
            _angle(order, gps, _LON, _LON_REF, "EW"),
        )
        if has_place
        else None,
        alt_m=_altitude(order, gps),
        accuracy_m=_ratio(order, gps, _ACCURACY),
        hdop=_ratio(order, gps, _DOP),
        satellites=_text(gps, _SATELLITES),
        mode=_text(gps, _MODE),
        status=_text(gps, _STATUS),
        datum=_text(gps, _DATUM),
        method=_method(gps),
        fix_utc=_fix_time(order, gps),
    )


def _directory(tiff: bytes, order: str, at: int) -> dict[int, tuple[int, bytes]]:
    """Return type and bytes of each tag that is compared; other types and tags are passed over.

    Several tags may name the same bytes: 64 KB could be copied five thousand times.
    """
    (count,) = struct.unpack(f"{order}H", tiff[at : at + 2])
    tags: dict[int, tuple[int, bytes]] = {}
    seen = set()
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number, place = struct.unpack(f"{order}HHII", tiff[entry : entry + 12])
        length = _SIZES.get(kind, 0) * number
        begins = entry + 8 if length <= 4 else place
        if begins + length > len(tiff):
            raise ValueError("it ends before its values")
        if tag in seen:
            raise ValueError("it has a tag twice")
        seen.add(tag)
        if tag in _COMPARED:
            tags[tag] = kind, tiff[begins : begins + length]
    return tags


def _number(order: str, value: tuple[int, bytes]) -> int:
    kind, raw = value
    (found,) = struct.unpack(order + {3: "H", 4: "I"}[kind], raw)
    return int(found)


def _text(tags: _Tags, tag: int) -> str | None:
    kind, raw = tags.get(tag, (0, b""))
    return raw.rstrip(b"\0").decode("ascii") if kind == 2 else None


def _instant(tags: _Tags, exif: _Tags, tag: int) -> datetime | None:
    """Read the time of a tag in `tags`; its fraction and its offset are in `exif`."""
    if _text(exif, _OFFSETS[tag]) != "+00:00":
        return None
    found = _TIME.fullmatch(_text(tags, tag) or "")
    if found is None:
        return None
    fraction = _text(exif, _SUBSECONDS[tag]) or "0"
    if not re.fullmatch(r"[0-9]{1,9}", fraction):
        raise ValueError("its time has no right fraction")
    year, month, day, hour, minute, second = map(int, found.groups())
    whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return whole + timedelta(seconds=float(f"0.{fraction}"))


def _fix_time(order: str, gps: _Tags) -> datetime | None:
    """Read the fix's time: a date without a time of day, or the reverse, is not allowed."""
    if _GPS_DATE not in gps and _GPS_TIME not in gps:
        return None
    found = _DATE.fullmatch(_text(gps, _GPS_DATE) or "")
    if found is None:
        raise ValueError("the time of its fix is invalid")
    year, month, day = map(int, found.groups())
    hours, minutes, seconds = _ratios(order, gps[_GPS_TIME], 3)
    midnight = datetime(year, month, day, tzinfo=UTC)
    return midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _altitude(order: str, gps: _Tags) -> float | None:
    altitude_m = _ratio(order, gps, _ALT)
    if altitude_m is None:
        return None
    return {b"\x00": altitude_m, b"\x01": -altitude_m}[gps[_ALT_REF][1]]


def _method(gps: _Tags) -> str | None:
    """Read the method without the code of its characters. Source: EXIF 2.32, section 4.6.6."""
    return gps[_METHOD][1].removeprefix(b"ASCII\0\0\0").decode("ascii") if _METHOD in gps else None


def _angle(order: str, gps: _Tags, tag: int, ref: int, signs: str) -> float:
    degrees, minutes, seconds = _ratios(order, gps[tag], 3)
    sign = {signs[0]: 1, signs[1]: -1}[_text(gps, ref) or ""]
    return sign * (degrees + minutes / 60 + seconds / 3600)


def _ratio(order: str, tags: _Tags, tag: int) -> float | None:
    return _ratios(order, tags[tag], 1)[0] if tag in tags else None


def _ratios(order: str, value: tuple[int, bytes], count: int) -> list[float]:
    kind, raw = value
    if kind != 5:
        raise ValueError("one of its numbers is invalid")
    parts: tuple[int, ...] = struct.unpack(f"{order}{2 * count}I", raw)
    if 0 in parts[1::2]:
        raise ValueError("one of its numbers is invalid")
    return [parts[at] / parts[at + 1] for at in range(0, 2 * count, 2)]
