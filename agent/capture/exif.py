"""JPEG bytes and the facts of a press -> JPEG bytes with EXIF that validates; pure.

Of piexif only the tables: its writer (1.1.3) leaves values at odd offsets, which TIFF 6.0 forbids.
"""

import math
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final
from uuid import UUID

from piexif import GPSIFD, TAGS, TYPES, ExifIFD, ImageIFD  # noqa: TID251 - the only importer

from agent.capture.photo_facts import GpsFacts, PhotoFacts

ARC_UNITS_PER_S: Final = 10_000
"""Steps per second of arc. Source: a degree is at most 111.7 km long, so one step is 3 mm."""

SEGMENT_MAX_BYTES: Final = 65_533
"""Longest content of a JPEG segment. Source: ITU-T T.81, B.1.1.4: 16-bit length, its 2 included."""

LONG_MAX: Final = 2**32 - 1
"""Largest numerator and denominator. Source: TIFF 6.0, RATIONAL is two 32-bit LONGs."""

SHORT_MAX: Final = 2**16 - 1
"""Largest ISO value and JPEG side. Source: TIFF 6.0, SHORT; ITU-T T.81, B.2.2."""

_EXIF_HEADER: Final = b"Exif\x00\x00"
_TIFF_HEADER: Final = struct.pack(">2sHI", b"MM", 42, 8)
_SOI: Final = b"\xff\xd8"
_APP0: Final = b"\xff\xe0"
_APP1: Final = b"\xff\xe1"

_Value = str | bytes | int | tuple[Fraction, ...]
_Tags = Mapping[int, _Value]


def stamp(jpeg: bytes, facts: PhotoFacts) -> bytes:
    """Put one EXIF segment behind the start marker; every byte from the tables on stays the same.

    JFIF and EXIF segments that lead the file are dropped: each standard wants to come first,
    and two EXIF segments contradict each other. So stamping again replaces the stamp.

    Raises:
        ValueError: not a JPEG, or a fact that EXIF cannot say: out of range, NaN, infinite,
            a time without zone, texts too long for one segment.
    """
    rest = _without_leading_segments(jpeg)
    segment = _EXIF_HEADER + _tiff(facts)
    if len(segment) > SEGMENT_MAX_BYTES:
        raise ValueError(
            f"EXIF: {len(segment)} bytes, a JPEG segment holds {SEGMENT_MAX_BYTES}; "
            "shorten make, model, software or device_id"
        )
    return b"".join((_SOI, _APP1, struct.pack(">H", len(segment) + 2), segment, rest))


def _without_leading_segments(jpeg: bytes) -> bytes:
    if not jpeg.startswith(_SOI + b"\xff"):
        raise ValueError(f"EXIF: not a JPEG, it begins with {jpeg[:3].hex() or 'nothing'}")
    start = len(_SOI)
    while jpeg[start : start + 2] in (_APP0, _APP1):
        start += 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
        if start >= len(jpeg) or jpeg[start] != 0xFF:
            raise ValueError("EXIF: the JPEG ends, or is garbled, in its first segments")
    return jpeg[start:]


def _tiff(facts: PhotoFacts) -> bytes:
    image, exif = _image_tags(facts), _exif_tags(facts)
    pointers = {ImageIFD.ExifTag: 0, ImageIFD.GPSTag: 0}
    exif_at = len(_TIFF_HEADER) + len(_ifd("Image", image | pointers, len(_TIFF_HEADER)))
    exif_ifd = _ifd("Exif", exif, exif_at)
    gps_at = exif_at + len(exif_ifd)
    pointers = {ImageIFD.ExifTag: exif_at, ImageIFD.GPSTag: gps_at}
    image_ifd = _ifd("Image", image | pointers, len(_TIFF_HEADER))
    return _TIFF_HEADER + image_ifd + exif_ifd + _ifd("GPS", _gps_tags(facts.position), gps_at)


def _ifd(table: str, tags: _Tags, at: int) -> bytes:
    """Write a directory that begins at byte `at` of the TIFF, its long values behind it.

    Entries ascend, values begin at even offsets, and the pointer to a next directory is there
    and zero; TIFF 6.0 section 2 asks for all three.
    """
    kept = {tag: value for tag, value in sorted(tags.items()) if value != ""}
    entries, values = [], b""
    values_at = at + 2 + 12 * len(kept) + 4
    for tag, value in kept.items():
        kind = TAGS[table][tag]["type"]
        count, encoded = _encoded(kind, value)
        if len(encoded) > 4:
            place = struct.pack(">I", values_at + len(values))
            values += encoded + b"\x00" * (len(encoded) % 2)
        else:
            place = encoded.ljust(4, b"\x00")
        entries.append(struct.pack(">HHI", tag, kind, count) + place)
    return struct.pack(">H", len(kept)) + b"".join(entries) + b"\x00" * 4 + values


def _encoded(kind: int, value: _Value) -> tuple[int, bytes]:
    """Return count and bytes of a value of a TIFF type."""
    match value:
        case str():
            text = _ascii(value) + b"\x00"
            return len(text), text
        case bytes():
            return len(value), value
        case int():
            return 1, struct.pack(">H" if kind == TYPES.Short else ">I", value)
        case _:
            parts = [part for ratio in value for part in ratio.as_integer_ratio()]
            return len(value), struct.pack(f">{len(parts)}I", *parts)


def _ascii(text: str) -> bytes:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text).encode("ascii")


def _image_tags(facts: PhotoFacts) -> dict[int, _Value]:
    return {
        ImageIFD.Make: facts.make,
        ImageIFD.Model: facts.model,
        ImageIFD.Orientation: 1,
        ImageIFD.XResolution: (Fraction(72),),
        ImageIFD.YResolution: (Fraction(72),),
        ImageIFD.ResolutionUnit: 2,
        ImageIFD.Software: facts.software,
        ImageIFD.DateTime: _date(facts.utc) + " " + _time(facts.utc),
        ImageIFD.YCbCrPositioning: 1,
    }


def _exif_tags(facts: PhotoFacts) -> dict[int, _Value]:
    when = _date(facts.utc) + " " + _time(facts.utc)
    milliseconds = f"{facts.utc.microsecond // 1000:03d}"
    tags: dict[int, _Value] = {
        ExifIFD.ExifVersion: b"0232",
        ExifIFD.DateTimeOriginal: when,
        ExifIFD.DateTimeDigitized: when,
        ExifIFD.OffsetTime: "+00:00",
        ExifIFD.OffsetTimeOriginal: "+00:00",
        ExifIFD.OffsetTimeDigitized: "+00:00",
        ExifIFD.ComponentsConfiguration: b"\x01\x02\x03\x00",
        ExifIFD.SubSecTime: milliseconds,
        ExifIFD.SubSecTimeOriginal: milliseconds,
        ExifIFD.SubSecTimeDigitized: milliseconds,
        ExifIFD.FlashpixVersion: b"0100",
        ExifIFD.ColorSpace: 1,
        ExifIFD.PixelXDimension: int(_within("width_px", facts.width_px, 1, SHORT_MAX)),
        ExifIFD.PixelYDimension: int(_within("height_px", facts.height_px, 1, SHORT_MAX)),
        ExifIFD.ImageUniqueID: _unique_id(facts.capture_id),
        ExifIFD.BodySerialNumber: facts.device_id,
    }
    if facts.exposure_us is not None:
        exposure_us = int(_within("exposure_us", facts.exposure_us, 1, LONG_MAX))
        tags[ExifIFD.ExposureTime] = (Fraction(exposure_us, 1_000_000),)
    if facts.gain is not None:
        iso = round(100 * _within("gain", facts.gain, 0, LONG_MAX))
        tags[ExifIFD.ISOSpeedRatings] = min(max(iso, 1), SHORT_MAX)
    return tags


def _gps_tags(fix: GpsFacts | None) -> dict[int, _Value]:
    tags: dict[int, _Value] = {
        GPSIFD.GPSVersionID: b"\x02\x03\x00\x00",
        GPSIFD.GPSStatus: "V" if fix is None else "A",
    }
    if fix is None:
        return tags
    tags[GPSIFD.GPSMeasureMode] = f"{_within('mode', fix.mode, 2, 3):.0f}"
    tags[GPSIFD.GPSMapDatum] = "WGS-84"
    tags[GPSIFD.GPSProcessingMethod] = b"ASCII\x00\x00\x00" + _ascii(fix.method)
    south, tags[GPSIFD.GPSLatitude] = _arc(_within("lat_deg", fix.lat_deg, -90, 90))
    west, tags[GPSIFD.GPSLongitude] = _arc(_within("lon_deg", fix.lon_deg, -180, 180))
    tags[GPSIFD.GPSLatitudeRef] = "S" if south else "N"
    tags[GPSIFD.GPSLongitudeRef] = "W" if west else "E"
    if fix.alt_m is not None and fix.mode == 3:
        altitude_m = _within("alt_m", fix.alt_m, -100_000, 100_000)
        tags[GPSIFD.GPSAltitudeRef] = b"\x01" if altitude_m < 0 else b"\x00"
        tags[GPSIFD.GPSAltitude] = (_hundredths(abs(altitude_m)),)
    if fix.accuracy_m is not None:
        accuracy_m = _within("accuracy_m", fix.accuracy_m, 0, 40_000_000)
        tags[GPSIFD.GPSHPositioningError] = (_hundredths(accuracy_m),)
    if fix.hdop is not None:
        tags[GPSIFD.GPSDOP] = (_hundredths(_within("hdop", fix.hdop, 0, 1_000_000)),)
    if fix.satellites is not None:
        tags[GPSIFD.GPSSatellites] = f"{_within('satellites', fix.satellites, 0, 999):.0f}"
    if fix.utc is not None:
        tags[GPSIFD.GPSDateStamp] = _date(fix.utc)
        tags[GPSIFD.GPSTimeStamp] = _gps_time(fix.utc)
    return tags


def _arc(angle_deg: float) -> tuple[bool, tuple[Fraction, ...]]:
    """Return whether the angle is negative, and degrees, minutes and seconds of its size.

    It is rounded once, to whole steps, before it is split: so 60 seconds cannot appear.
    """
    steps = round(angle_deg * 3600 * ARC_UNITS_PER_S)
    minutes, second_steps = divmod(abs(steps), 60 * ARC_UNITS_PER_S)
    degrees, minutes = divmod(minutes, 60)
    return steps < 0, (
        Fraction(degrees),
        Fraction(minutes),
        Fraction(second_steps, ARC_UNITS_PER_S),
    )


def _gps_time(utc: datetime) -> tuple[Fraction, ...]:
    when = _utc(utc)
    second_ms = when.second * 1000 + when.microsecond // 1000
    return (Fraction(when.hour), Fraction(when.minute), Fraction(second_ms, 1000))


def _date(utc: datetime) -> str:
    when = _utc(utc)
    return f"{when.year:04d}:{when.month:02d}:{when.day:02d}"


def _time(utc: datetime) -> str:
    return f"{_utc(utc):%H:%M:%S}"


def _utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError("utc: a time without zone says no instant; pass an aware datetime")
    return when.astimezone(UTC)


def _unique_id(capture_id: str) -> str:
    try:
        return UUID(capture_id).hex
    except ValueError as error:
        raise ValueError(f"capture_id: {capture_id!r} is not a UUID") from error


def _hundredths(value: float) -> Fraction:
    return Fraction(round(value * 100), 100)


def _within(name: str, value: float, low: float, high: float) -> float:
    """Return the value; NaN and infinities lie within nothing."""
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name}: {value} is not a number from {low} to {high}")
    return value
