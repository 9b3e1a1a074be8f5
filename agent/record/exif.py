"""The EXIF of a photo: `stamp` writes into a JPEG what `read` reads; pure.

Of piexif (1.1.3) only its tables of tags: its writer leaves values at odd offsets, which TIFF 6.0
forbids, and its reader allocates what a hostile count asks for, gigabytes of it.
"""

import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from piexif import GPSIFD, TAGS, TYPES, ExifIFD, ImageIFD  # noqa: TID251 - the only importer

from agent.record.segments import APP1, SOI, before_picture, without_leading

_SIZES: Final = {
    TYPES.Byte: 1,
    TYPES.Ascii: 1,
    TYPES.Short: 2,
    TYPES.Long: 4,
    TYPES.Rational: 8,
    TYPES.Undefined: 1,
}
"""Bytes of one value. Source: TIFF 6.0, section 2."""

_OFFSETS: Final = {
    ImageIFD.DateTime: ExifIFD.OffsetTime,
    ExifIFD.DateTimeOriginal: ExifIFD.OffsetTimeOriginal,
    ExifIFD.DateTimeDigitized: ExifIFD.OffsetTimeDigitized,
}
_SUBSECONDS: Final = {
    ImageIFD.DateTime: ExifIFD.SubSecTime,
    ExifIFD.DateTimeOriginal: ExifIFD.SubSecTimeOriginal,
    ExifIFD.DateTimeDigitized: ExifIFD.SubSecTimeDigitized,
}
"""Where the offset and the fraction of an instant are. Source: EXIF 2.32, section 4.6.5."""

_EXIF_TAGS: Final = frozenset(TAGS["Exif"])
_GPS_TAGS: Final = frozenset(TAGS["GPS"])
_IMAGE_TAGS: Final = frozenset(TAGS["Image"]) - _EXIF_TAGS - _GPS_TAGS
"""Tags of each directory; piexif lists some of EXIF in the first one too, for TIFF/EP."""

ARC_UNITS_PER_S: Final = 10_000
"""Steps per second of arc. Source: a degree is at most 111.7 km long, so one step is 3 mm."""

SEGMENT_MAX_BYTES: Final = 65_533
"""Longest content of a JPEG segment. Source: ITU-T T.81, B.1.1.4: 16-bit length, its 2 included."""

SHORT_MAX: Final = 2**16 - 1
"""Largest ISO value and JPEG side. Source: TIFF 6.0, SHORT; ITU-T T.81, B.2.2."""

_LIMITS: Final = {
    "width_px": (1, SHORT_MAX),
    "height_px": (1, SHORT_MAX),
    "lat_deg": (-90, 90),
    "lon_deg": (-180, 180),
    "exposure_us": (1, 2**32 - 1),
    "iso": (1, SHORT_MAX),
    "alt_m": (-100_000, 100_000),
    "accuracy_m": (0, 40_000_000),
    "hdop": (0, 1_000_000),
}
"""Smallest and largest numbers that are written; a RATIONAL is two 32-bit LONGs (TIFF 6.0)."""

_EXIF_HEADER: Final = b"Exif\0\0"
_ASCII_TEXT: Final = b"ASCII\0\0\0"
"""Code of the characters of the method. Source: EXIF 2.32, section 4.6.6."""

_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)

_DATE: Final = re.compile(r"(\d{4}):(\d\d):(\d\d)", re.ASCII)

_Value = tuple[int, bytes]
"""Type and bytes, big-endian."""

_Tags = Mapping[int, _Value]


@dataclass(frozen=True, slots=True)
class Exif:
    """The values that are compared; None for missing ones.

    Characters outside ASCII are written as "?", since EXIF has no others; an empty text has no tag.

    Attributes:
        taken: DateTimeOriginal with its fraction and offset; without an offset it is no instant.
            It is written in UTC, and cut to milliseconds, as all instants.
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


def stamp(jpeg: bytes, exif: Exif) -> bytes:
    """Put one EXIF segment behind the start marker; every byte from the tables on stays the same.

    JFIF and EXIF segments that lead the file are dropped: each standard wants to come first,
    and two EXIF segments contradict each other. So stamping again replaces the stamp.

    Raises:
        ValueError: not a JPEG, or a value that EXIF cannot say: out of range, NaN, infinite,
            a time without zone, texts too long for one segment.
    """
    rest = without_leading(jpeg)
    segment = _EXIF_HEADER + _tiff(_written(exif))
    if len(segment) > SEGMENT_MAX_BYTES:
        raise ValueError(
            f"EXIF: {len(segment)} bytes, a JPEG segment holds {SEGMENT_MAX_BYTES}; "
            "shorten model, software or serial"
        )
    return SOI + struct.pack(">BBH", 0xFF, APP1, len(segment) + 2) + segment + rest


def read(jpeg: bytes) -> Exif | None:
    """Read the EXIF of a JPEG; None without any.

    Raises:
        ValueError: it is garbled, or there is more than one.
    """
    found = [
        one.removeprefix(_EXIF_HEADER)
        for mark, one in before_picture(jpeg)
        if mark == APP1 and one.startswith(_EXIF_HEADER)
    ]
    if len(found) > 1:
        raise ValueError("there are two of it")
    try:
        return _read(found[0]) if found else None
    except (struct.error, KeyError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError("it cannot be read") from error


def _tiff(tags: _Tags) -> bytes:
    image, exif, gps = (
        {tag: value for tag, value in tags.items() if tag in directory}
        for directory in (_IMAGE_TAGS, _EXIF_TAGS, _GPS_TAGS)
    )
    pointers = {ImageIFD.ExifTag: _long(0), ImageIFD.GPSTag: _long(0)}
    exif_at = 8 + len(_ifd(image | pointers, 8))
    exif_ifd = _ifd(exif, exif_at)
    pointers = {ImageIFD.ExifTag: _long(exif_at), ImageIFD.GPSTag: _long(exif_at + len(exif_ifd))}
    header = struct.pack(">2sHI", b"MM", 42, 8)
    gps_ifd = _ifd(gps, exif_at + len(exif_ifd))
    return header + _ifd(image | pointers, 8) + exif_ifd + gps_ifd


def _ifd(tags: _Tags, at: int) -> bytes:
    """Write a directory that begins at byte `at` of the TIFF, its long values behind it.

    Entries ascend, values begin at even offsets, and the pointer to a next directory is there
    and zero; TIFF 6.0 section 2 asks for all three.
    """
    entries, values = [], b""
    values_at = at + 2 + 12 * len(tags) + 4
    for tag, (kind, raw) in sorted(tags.items()):
        if len(raw) > 4:
            place = struct.pack(">I", values_at + len(values))
            values += raw + b"\0" * (len(raw) % 2)
        else:
            place = raw.ljust(4, b"\0")
        entries.append(struct.pack(">HHI", tag, kind, len(raw) // _SIZES[kind]) + place)
    return struct.pack(">H", len(tags)) + b"".join(entries) + b"\0" * 4 + values


def _written(exif: Exif) -> dict[int, _Value]:
    tags = {
        ImageIFD.Make: _text("Doorstep"),
        ImageIFD.Orientation: _short(1),
        ImageIFD.XResolution: _ratios((72, 1)),
        ImageIFD.YResolution: _ratios((72, 1)),
        ImageIFD.ResolutionUnit: _short(2),
        ImageIFD.YCbCrPositioning: _short(1),
        ExifIFD.ExifVersion: (TYPES.Undefined, b"0232"),
        ExifIFD.ComponentsConfiguration: (TYPES.Undefined, b"\1\2\3\0"),
        ExifIFD.FlashpixVersion: (TYPES.Undefined, b"0100"),
        ExifIFD.ColorSpace: _short(1),
        GPSIFD.GPSVersionID: (TYPES.Byte, b"\2\3\0\0"),
    }
    for name, (tag, encoded, _) in _FIELDS.items():
        value = getattr(exif, name)
        if value is not None and value != "":
            tags[tag] = encoded(_within(name, value) if name in _LIMITS else value)
    for name, tag in _INSTANTS.items():
        if (instant := getattr(exif, name)) is not None:
            utc = _utc(instant)
            tags[tag] = _text(f"{_date(utc)} {utc:%H:%M:%S}")
            tags[_OFFSETS[tag]] = _text("+00:00")
            tags[_SUBSECONDS[tag]] = _text(f"{utc.microsecond // 1000:03d}")
    if exif.size_px is not None:
        tags[ExifIFD.PixelXDimension] = _long(_within("width_px", exif.size_px[0]))
        tags[ExifIFD.PixelYDimension] = _long(_within("height_px", exif.size_px[1]))
    if exif.place_deg is not None:
        tags[GPSIFD.GPSLatitudeRef], tags[GPSIFD.GPSLatitude] = _arc(
            _within("lat_deg", exif.place_deg[0]), "NS"
        )
        tags[GPSIFD.GPSLongitudeRef], tags[GPSIFD.GPSLongitude] = _arc(
            _within("lon_deg", exif.place_deg[1]), "EW"
        )
    if exif.alt_m is not None:
        tags[GPSIFD.GPSAltitudeRef] = (TYPES.Byte, b"\1" if exif.alt_m < 0 else b"\0")
    if exif.fix_utc is not None:
        utc = _utc(exif.fix_utc)
        tags[GPSIFD.GPSDateStamp] = _text(_date(utc))
        second_ms = utc.second * 1000 + utc.microsecond // 1000
        tags[GPSIFD.GPSTimeStamp] = _ratios((utc.hour, 1), (utc.minute, 1), (second_ms, 1000))
    return tags


def _within(name: str, value: float) -> float:
    """Return the value; NaN and infinities are within no limits."""
    low, high = _LIMITS[name]
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is not a number from {low} to {high}")
    return value


def _utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError("utc: a time without zone says no instant; pass an aware datetime")
    return when.astimezone(UTC)


def _date(utc: datetime) -> str:
    return f"{utc.year:04d}:{utc.month:02d}:{utc.day:02d}"


def _arc(angle_deg: float, signs: str) -> tuple[_Value, _Value]:
    """Return the sign's letter, and degrees, minutes and seconds of the angle's size.

    It is rounded once, to whole steps, before it is split: so 60 seconds cannot appear.
    """
    steps = round(angle_deg * 3600 * ARC_UNITS_PER_S)
    minutes, second_steps = divmod(abs(steps), 60 * ARC_UNITS_PER_S)
    degrees, minutes = divmod(minutes, 60)
    arc = _ratios((degrees, 1), (minutes, 1), (second_steps, ARC_UNITS_PER_S))
    return _text(signs[steps < 0]), arc


def _ascii(text: str) -> bytes:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text).encode("ascii")


def _text(text: str) -> _Value:
    return TYPES.Ascii, _ascii(text) + b"\0"


def _method(text: str) -> _Value:
    return TYPES.Undefined, _ASCII_TEXT + _ascii(text)


def _short(number: float) -> _Value:
    return TYPES.Short, struct.pack(">H", round(number))


def _long(number: float) -> _Value:
    return TYPES.Long, struct.pack(">I", round(number))


def _ratios(*parts: tuple[int, int]) -> _Value:
    reduced = (one // math.gcd(*pair) for pair in parts for one in pair)
    return TYPES.Rational, struct.pack(f">{2 * len(parts)}I", *reduced)


def _hundredths(value: float) -> _Value:
    return _ratios((round(abs(value) * 100), 100))


def _exposure(exposure_us: float) -> _Value:
    return _ratios((round(exposure_us), 1_000_000))


def _read(tiff: bytes) -> Exif:
    order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
    (at,) = struct.unpack(f"{order}I", tiff[4:8])
    tags = _directory(tiff, order, at, _IMAGE_TAGS)
    for pointer, directory in ((ImageIFD.ExifTag, _EXIF_TAGS), (ImageIFD.GPSTag, _GPS_TAGS)):
        if pointer in tags:
            tags |= _directory(tiff, order, _read_number(tags[pointer]), directory)
    values: dict[str, Any] = {name: _instant(tags, tag) for name, tag in _INSTANTS.items()}
    for name, (tag, _, decoded) in _FIELDS.items():
        if tag in tags:
            values[name] = decoded(tags[tag])
    if "alt_m" in values:
        values["alt_m"] *= {b"\0": 1, b"\1": -1}[tags[GPSIFD.GPSAltitudeRef][1]]
    if tags.keys() >= {ExifIFD.PixelXDimension, ExifIFD.PixelYDimension}:
        values["size_px"] = (
            _read_number(tags[ExifIFD.PixelXDimension]),
            _read_number(tags[ExifIFD.PixelYDimension]),
        )
    if tags.keys() >= {GPSIFD.GPSLatitude, GPSIFD.GPSLongitude}:
        lat_deg = _angle(tags, GPSIFD.GPSLatitude, GPSIFD.GPSLatitudeRef, "NS")
        values["place_deg"] = (
            lat_deg,
            _angle(tags, GPSIFD.GPSLongitude, GPSIFD.GPSLongitudeRef, "EW"),
        )
    return Exif(**values, fix_utc=_fix_time(tags))


def _directory(tiff: bytes, order: str, at: int, wanted: frozenset[int]) -> dict[int, _Value]:
    """Return the tags that are `wanted`; other types and tags are passed over.

    Several tags may name the same bytes: 64 KB could be copied five thousand times.
    """
    (count,) = struct.unpack(f"{order}H", tiff[at : at + 2])
    tags: dict[int, _Value] = {}
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
        if tag in wanted:
            tags[tag] = kind, _big_endian(kind, tiff[begins : begins + length], order)
    return tags


def _big_endian(kind: int, raw: bytes, order: str) -> bytes:
    code, size = {TYPES.Short: ("H", 2), TYPES.Long: ("I", 4), TYPES.Rational: ("I", 4)}.get(
        kind, ("B", 1)
    )
    numbers = f"{len(raw) // size}{code}"
    return struct.pack(f">{numbers}", *struct.unpack(f"{order}{numbers}", raw))


def _read_number(value: _Value) -> int:
    kind, raw = value
    (found,) = struct.unpack({TYPES.Short: ">H", TYPES.Long: ">I"}[kind], raw)
    return int(found)


def _read_text(value: _Value) -> str | None:
    kind, raw = value
    return raw.rstrip(b"\0").decode("ascii") if kind == TYPES.Ascii else None


def _read_method(value: _Value) -> str:
    return value[1].removeprefix(_ASCII_TEXT).decode("ascii")


def _read_ratio(value: _Value) -> float:
    return _read_ratios(value, 1)[0]


def _read_exposure(value: _Value) -> float:
    return 1e6 * _read_ratio(value)


def _read_ratios(value: _Value, count: int) -> list[float]:
    kind, raw = value
    if kind != TYPES.Rational:
        raise ValueError("one of its numbers is invalid")
    parts: tuple[int, ...] = struct.unpack(f">{2 * count}I", raw)
    if 0 in parts[1::2]:
        raise ValueError("one of its numbers is invalid")
    return [parts[at] / parts[at + 1] for at in range(0, 2 * count, 2)]


def _angle(tags: _Tags, tag: int, ref: int, signs: str) -> float:
    degrees, minutes, seconds = _read_ratios(tags[tag], 3)
    sign = {signs[0]: 1, signs[1]: -1}[_read_text(tags[ref]) or ""]
    return sign * (degrees + minutes / 60 + seconds / 3600)


def _instant(tags: _Tags, tag: int) -> datetime | None:
    """Read the time of a tag, with its fraction and its offset."""
    none = TYPES.Ascii, b""
    if _read_text(tags.get(_OFFSETS[tag], none)) != "+00:00":
        return None
    found = _TIME.fullmatch(_read_text(tags.get(tag, none)) or "")
    if found is None:
        return None
    fraction = _read_text(tags.get(_SUBSECONDS[tag], none)) or "0"
    if not re.fullmatch(r"[0-9]{1,9}", fraction):
        raise ValueError("its time has no right fraction")
    year, month, day, hour, minute, second = map(int, found.groups())
    whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return whole + timedelta(seconds=float(f"0.{fraction}"))


def _fix_time(tags: _Tags) -> datetime | None:
    """Read the fix's time: a date without a time of day, or the reverse, is not allowed."""
    if GPSIFD.GPSDateStamp not in tags and GPSIFD.GPSTimeStamp not in tags:
        return None
    found = _DATE.fullmatch(_read_text(tags.get(GPSIFD.GPSDateStamp, (TYPES.Ascii, b""))) or "")
    if found is None:
        raise ValueError("the time of its fix is invalid")
    year, month, day = map(int, found.groups())
    hours, minutes, seconds = _read_ratios(tags[GPSIFD.GPSTimeStamp], 3)
    midnight = datetime(year, month, day, tzinfo=UTC)
    return midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)


_INSTANTS: Final = {
    "taken": ExifIFD.DateTimeOriginal,
    "digitized": ExifIFD.DateTimeDigitized,
    "modified": ImageIFD.DateTime,
}

_FIELDS: Final[dict[str, tuple[int, Callable[[Any], _Value], Callable[[_Value], Any]]]] = {
    "unique_id": (ExifIFD.ImageUniqueID, _text, _read_text),
    "serial": (ExifIFD.BodySerialNumber, _text, _read_text),
    "software": (ImageIFD.Software, _text, _read_text),
    "model": (ImageIFD.Model, _text, _read_text),
    "exposure_us": (ExifIFD.ExposureTime, _exposure, _read_exposure),
    "iso": (ExifIFD.ISOSpeedRatings, _short, _read_number),
    "alt_m": (GPSIFD.GPSAltitude, _hundredths, _read_ratio),
    "accuracy_m": (GPSIFD.GPSHPositioningError, _hundredths, _read_ratio),
    "hdop": (GPSIFD.GPSDOP, _hundredths, _read_ratio),
    "satellites": (GPSIFD.GPSSatellites, _text, _read_text),
    "mode": (GPSIFD.GPSMeasureMode, _text, _read_text),
    "status": (GPSIFD.GPSStatus, _text, _read_text),
    "datum": (GPSIFD.GPSMapDatum, _text, _read_text),
    "method": (GPSIFD.GPSProcessingMethod, _method, _read_method),
}
"""Values of one tag each: how it is written, and how it is read."""
