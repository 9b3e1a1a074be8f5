"""What a JPEG's EXIF says of time, place and device: a reader of the few tags that are compared.

A reader of its own: piexif (1.1.3) allocates what a hostile count asks for, gigabytes of it.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
"""Bytes of one value of a type. Source: TIFF 6.0, section 2."""

_EXIF_AT, _GPS_AT = 0x8769, 0x8825
_TAKEN, _OFFSET, _SUBSECOND = 0x9003, 0x9011, 0x9291
_WIDTH, _HEIGHT, _UNIQUE_ID, _SERIAL = 0xA002, 0xA003, 0xA420, 0xA431
_LAT_REF, _LAT, _LON_REF, _LON = 1, 2, 3, 4
"""Source: EXIF 2.32, sections 4.6.3 to 4.6.6."""

_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)

_Tags = Mapping[int, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Exif:
    """What is compared; None for what it does not say.

    Attributes:
        taken: DateTimeOriginal with its fraction and offset; without an offset it is no instant.
        size_px: width and height.
        place_deg: latitude and longitude.
    """

    taken: datetime | None
    unique_id: str | None
    serial: str | None
    size_px: tuple[int, int] | None
    place_deg: tuple[float, float] | None


def read(jpeg: bytes) -> Exif | None:
    """The EXIF of a JPEG; None where it has none.

    Raises:
        ValueError: it is garbled, or there is more than one; in words.
    """
    found = [one[6:] for one in _segments(jpeg) if one.startswith(b"Exif\0\0")]
    if len(found) > 1:
        raise ValueError("there are two of it")
    try:
        return _read(found[0]) if found else None
    except (struct.error, KeyError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError("it cannot be read") from error


def _segments(jpeg: bytes) -> list[bytes]:
    """The contents of the APP1 segments before the picture. Source: ITU-T T.81, B.1.1.4."""
    found, at = [], 2
    while jpeg[at : at + 1] == b"\xff" and (marker := jpeg[at + 1 : at + 2]) not in (b"\xda", b""):
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(jpeg):
            raise ValueError("the JPEG's segments are cut off")
        if marker == b"\xe1":
            found.append(jpeg[at + 4 : at + 2 + length])
        at += 2 + length
    return found


def _read(tiff: bytes) -> Exif:
    order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
    image = _directory(tiff, order, *struct.unpack(f"{order}I", tiff[4:8]))
    pointers = {tag: _number(order, image[tag]) for tag in (_EXIF_AT, _GPS_AT) if tag in image}
    exif = _directory(tiff, order, pointers[_EXIF_AT]) if _EXIF_AT in pointers else {}
    gps = _directory(tiff, order, pointers[_GPS_AT]) if _GPS_AT in pointers else {}
    has_size, has_place = {_WIDTH, _HEIGHT} <= exif.keys(), {_LAT, _LON} <= gps.keys()
    return Exif(
        taken=_taken(exif),
        unique_id=_text(exif, _UNIQUE_ID),
        serial=_text(exif, _SERIAL),
        size_px=(_number(order, exif[_WIDTH]), _number(order, exif[_HEIGHT])) if has_size else None,
        place_deg=(
            _angle(order, gps, _LAT, _LAT_REF, "NS"),
            _angle(order, gps, _LON, _LON_REF, "EW"),
        )
        if has_place
        else None,
    )


def _directory(tiff: bytes, order: str, at: int) -> dict[int, tuple[int, bytes]]:
    """Type and bytes of each tag; types that are not read here are passed over."""
    (count,) = struct.unpack(f"{order}H", tiff[at : at + 2])
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number, place = struct.unpack(f"{order}HHII", tiff[entry : entry + 12])
        length = _SIZES.get(kind, 0) * number
        begins = entry + 8 if length <= 4 else place
        if begins + length > len(tiff):
            raise ValueError("it ends before its values")
        tags[tag] = kind, tiff[begins : begins + length]
    return tags


def _number(order: str, value: tuple[int, bytes]) -> int:
    kind, raw = value
    (found,) = struct.unpack(order + {3: "H", 4: "I"}[kind], raw)
    return int(found)


def _text(tags: _Tags, tag: int) -> str | None:
    kind, raw = tags.get(tag, (0, b""))
    return raw.rstrip(b"\0").decode("ascii") if kind == 2 else None


def _taken(exif: _Tags) -> datetime | None:
    if _text(exif, _OFFSET) != "+00:00":
        return None
    found = _TIME.fullmatch(_text(exif, _TAKEN) or "")
    if found is None:
        return None
    fraction = _text(exif, _SUBSECOND) or "0"
    if not re.fullmatch(r"[0-9]{1,9}", fraction):
        raise ValueError("its time has no right fraction")
    year, month, day, hour, minute, second = map(int, found.groups())
    whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return whole + timedelta(seconds=float(f"0.{fraction}"))


def _angle(order: str, gps: _Tags, tag: int, ref: int, signs: str) -> float:
    kind, raw = gps[tag]
    if kind != 5:
        raise ValueError("its place is none")
    parts: tuple[int, ...] = struct.unpack(f"{order}6I", raw)
    if 0 in parts[1::2]:
        raise ValueError("its place is none")
    degrees, minutes, seconds = (parts[at] / parts[at + 1] for at in (0, 2, 4))
    sign = {signs[0]: 1, signs[1]: -1}[_text(gps, ref) or ""]
    return sign * (degrees + minutes / 60 + seconds / 3600)
