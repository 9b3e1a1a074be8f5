"""The segments of a JPEG before its picture; pure. Source: ITU-T T.81, B.1.1.4."""

import struct
from typing import Final

SOI: Final = b"\xff\xd8"
"""Start of a JPEG."""

APP1: Final = 0xE1
APP11: Final = 0xEB
SCAN: Final = 0xDA
"""Markers. Source: ITU-T T.81, table B.1."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a frame header, which has the size of the picture. Source: ITU-T T.81, table B.1."""

SEGMENTS_LIMIT: Final = 256
"""Most segments that are read: a device writes 12, and a phone some 30.

Each segment costs memory however short it is: 33 MB can hold eight million of them.
"""


def before_picture(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Return marker and content of each segment; the last one is SCAN, empty, if a picture follows.

    Raises:
        ValueError: the segments are cut off, or there are more than SEGMENTS_LIMIT.
    """
    found: list[tuple[int, bytes]] = []
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 1 < len(jpeg):
        marker = jpeg[at + 1]
        if marker == SCAN:
            return [*found, (SCAN, b"")]
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(jpeg):
            raise ValueError("the JPEG's segments are cut off")
        if len(found) == SEGMENTS_LIMIT:
            raise ValueError(f"the JPEG has more than {SEGMENTS_LIMIT} segments")
        found.append((marker, jpeg[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


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


def without_leading(jpeg: bytes) -> bytes:
    """Return the JPEG without its start marker and the JFIF and EXIF segments that follow it.

    Raises:
        ValueError: it is none, or is cut off in these segments.
    """
    if not jpeg.startswith(SOI + b"\xff"):
        raise ValueError(f"EXIF: not a JPEG, it begins with {jpeg[:3].hex() or 'nothing'}")
    start = len(SOI)
    while jpeg[start : start + 2] in (b"\xff\xe0", b"\xff\xe1"):
        start += 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
        if start >= len(jpeg) or jpeg[start] != 0xFF:
            raise ValueError("EXIF: the JPEG ends, or is garbled, in its first segments")
    return jpeg[start:]
